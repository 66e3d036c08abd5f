"""Every journey through the pages in Chromium, in one city: from its alarm to its closed case."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import servers
from e2e.test_demo import SIM, left_over
from vigil_sim.registry import DOMAINS

NIGHT = Path(__file__).with_name("journeys-night.toml")
KEYS = [journey.key for domain in DOMAINS for journey in domain.journeys]
GOALS = {
    "noise reviewer": 6,
    "noise reviewer2": 6,
    "water": 6,
    "search report": 2,
    "search": 4,
}
"""Taps from the alert to the decision."""


def play(folder: Path, *options: str) -> str:
    """What is said on the way to exit code 0."""
    done = subprocess.run(
        [str(SIM), "demo", "--check", "--journeys", "--dir", str(folder), *options],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert left_over(folder) == []
    return done.stdout


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The private D-Bus has a Unix socket in there, whose path may have 107 bytes only.
    servers.need("chromium", "apt-get install chromium")
    return tmp_path_factory.mktemp("j")


def test_all_journeys_end_closed_in_few_taps(short: Path) -> None:
    said = play(short, "--scenario", str(NIGHT))
    journeys = re.findall(r"^journey: (\w+) [\d.]+$", said, re.MULTILINE)
    assert journeys == KEYS
    taps = dict(re.findall(r"^taps: (.+) (\d+)$", said, re.MULTILINE))
    assert {what: int(taps[what]) <= most for what, most in GOALS.items()} == dict.fromkeys(
        GOALS, True
    ), taps
    assert "every digest right" in said


@pytest.mark.full
def test_all_journeys_of_the_city_night_end_closed(short: Path) -> None:
    said = play(short)
    assert re.findall(r"^journey: (\w+) [\d.]+$", said, re.MULTILINE) == KEYS
