"""Recordings given to `vigil-edge water replay`, and what it shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data import ROOT
from vigil_edge.cli import main

CASES = ROOT.parent / "shared" / "cases" / "water"
Shown = tuple[list[dict[str, Any]], list[str]]


def case(name: str) -> Path:
    path = CASES / name
    if not path.exists():
        pytest.skip(f"the case {name} is not here (expected beside the checkout)")
    return path


def replayed(capsys: pytest.CaptureFixture[str], path: Path, *words: str, status: int = 0) -> Shown:
    assert main(["water", "replay", str(path), *words]) == status
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert all(line.startswith("vigil-edge: ") for line in lines)
    return [json.loads(line) for line in out.splitlines()], lines


def told(lines: list[str], *words: str) -> bool:
    return any(all(word in line for word in words) for line in lines)


def series(count: int, cells: str, step: int = 15) -> str:
    start = datetime(2024, 5, 1, tzinfo=UTC)
    return "".join(
        f"{start + timedelta(minutes=step * i):%Y-%m-%d %H:%M},{cells.format(i=i)}\n"
        for i in range(count)
    )
