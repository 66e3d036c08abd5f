"""Every journey through the pages in Chromium, in one city: from its alarm to its closed case."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

import servers
from e2e.test_demo import STRANGE, assert_played, demo, left_over
from vigil_sim.registry import DOMAINS

NIGHT = ("--scenario", str(Path(__file__).with_name("journeys-night.toml")))
KEYS = [journey.key for domain in DOMAINS for journey in domain.journeys]
EVERY = {"noise", "water", "checkin", "smoke", "aed"}
GOALS = {
    "noise reviewer": 6,
    "noise reviewer2": 6,
    "water": 6,
    "search report": 2,
    "search": 4,
    "fire household": 1,
    "aed volunteer": 1,
}
"""Taps from the alert to the decision."""


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The private D-Bus has a Unix socket in there, whose path may have 107 bytes only.
    return tmp_path_factory.mktemp("j")


@pytest.fixture
def bare(tmp_path: Path) -> Mapping[str, str]:
    """A machine that has nothing but Chromium."""
    real = servers.need("chromium", "apt-get install chromium")
    shim = tmp_path / "chromium"
    shim.write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin exec {shlex.quote(str(real))} "$@"\n')
    shim.chmod(0o755)
    return {**STRANGE, "PATH": str(tmp_path)}


def assert_closed(done: subprocess.CompletedProcess[str]) -> None:
    assert_played(done, EVERY)
    assert re.findall(r"^journey: (\w+) [\d.]+$", done.stdout, re.MULTILINE) == KEYS


def test_all_journeys_end_closed_in_few_taps(short: Path, bare: Mapping[str, str]) -> None:
    done = demo(short / "d", "--journeys", *NIGHT, environment=bare)
    assert_closed(done)
    taps = dict(re.findall(r"^taps: (.+) (\d+)$", done.stdout, re.MULTILINE))
    assert {what for what, most in GOALS.items() if int(taps[what]) > most} == set(), taps
    assert left_over(short) == []


@pytest.mark.full
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="as people do it, in the city night"),
        pytest.param(
            (*NIGHT, "--keyboard", "--holds", "phone", "--language", "en"), id="phone-keyboard"
        ),
        pytest.param(
            (*NIGHT, "--keyboard", "--holds", "desktop", "--language", "zh-TW"),
            id="desktop-keyboard",
        ),
    ],
)
def test_all_journeys_end_closed(options: tuple[str, ...], short: Path) -> None:
    servers.need("chromium", "apt-get install chromium")
    assert_closed(demo(short / "d", "--journeys", *options))
