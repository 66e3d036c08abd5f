"""Journeys as they are written, and what is said where they cannot be played. No browser."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import servers
from vigil_sim.demo import browser
from vigil_sim.demo.accounts import ACCOUNTS
from vigil_sim.demo.browser import Manner
from vigil_sim.demo.journeys import Asked, chosen
from vigil_sim.demo.processes import DemoFailed
from vigil_sim.journey import Words, button
from vigil_sim.registry import DOMAINS
from vigil_sim.scenario import load, parse

JOURNEYS = {journey.key: journey for domain in DOMAINS for journey in domain.journeys}
QUIET = """
name = "quiet"
title = "Quiet"
title_zh = "安靜"
duration_s = 10.0
latitude = 23.48
longitude = 120.44
[[gateway]]
id = "gw-1"
name = "One"
name_zh = "一"
at = [0.0, 0.0]
"""


def asked(*keys: str) -> Asked:
    return Asked(keys=keys or None, language=None, holds=None, manner=Manner())


def test_the_people_of_a_journey_are_accounts_of_the_demo() -> None:
    known = {account.username for account in ACCOUNTS}
    assert len(JOURNEYS) == sum(len(domain.journeys) for domain in DOMAINS)
    for journey in JOURNEYS.values():
        names = [who.username for who in journey.people]
        assert set(names) <= known
        assert len(names) == len(set(names))


def test_every_journey_can_be_played_in_the_shipped_night() -> None:
    found = chosen(asked(), DOMAINS, load("city-night"))
    assert [one.key for one in found] == list(JOURNEYS)
    happenings = {domain_act for domain in DOMAINS for domain_act in domain.people}
    assert {one for journey in found for one in journey.instead_of} <= happenings


def test_some_are_chosen_by_name() -> None:
    (only,) = chosen(asked("water"), DOMAINS, load("city-night"))
    assert only.key == "water"


@pytest.mark.parametrize(
    ("keys", "scenario", "words"),
    [
        (("nosuch",), load("city-night"), "no journey 'nosuch'; known: noise, water"),
        ((), parse(QUIET), "journey noise follows from 'passage', which does not happen"),
    ],
)
def test_what_cannot_be_played_is_said(keys: tuple[str, ...], scenario: object, words: str) -> None:
    with pytest.raises(DemoFailed, match=words):
        chosen(asked(*keys), DOMAINS, scenario)  # type: ignore[arg-type]  # of a parametrised test


def test_a_missing_browser_is_one_line_with_what_installs_it(tmp_path: Path) -> None:
    """And nothing was started for it."""
    command = [sys.executable, "-m", "vigil_sim", "demo", "--check", "--journeys"]
    nowhere = {"PATH": "/nowhere", "VIGIL_SERVERS": "/nowhere", "HOME": str(tmp_path)}
    done = servers.run([*command, "--dir", str(tmp_path / "d")], env=nowhere, text=True, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line == "vigil: demo-failed: chromium is not installed: apt-get install chromium"
    assert "starting" not in done.stdout


def test_a_missing_playwright_is_said_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> object:
        return None if name == "playwright" else there(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(
        DemoFailed, match=r"Playwright is not installed: pip install .*\[journeys\]"
    ):
        browser.chromium()


def test_what_is_looked_for_can_be_named() -> None:
    wanted = button(Words("送出", "Send")).within(button("Outer"))
    assert str(wanted) == "button “送出 / Send” in button “Outer”"
