"""Where recordings that nobody here made are found; tests skip where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
CASES = ROOT.parent / "shared" / "cases"


def shared(name: str) -> Path:
    """A file of ``../shared/data``, such as ``noise/street_CT101.wav``; skips without it."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"recorded data {name} is not here (expected beside the checkout)")
    return path


def case(name: str) -> Path:
    """A file of ``../shared/cases``, such as ``smoke/zigbee2mqtt.jsonl``; skips without it."""
    path = CASES / name
    if not path.exists():
        pytest.skip(f"the case {name} is not here (expected beside the checkout)")
    return path
