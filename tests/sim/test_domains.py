"""The platform knows a domain by its descriptor alone: a fifth one is played from here."""

from __future__ import annotations

import re
import socket
import sys
import tomllib
from pathlib import Path

import pytest

from sim.test_play import Play
from sim.test_scenario import SMALL
from sim.toy.bell import BELL
from vigil_sim.ledger import LedgerReader
from vigil_sim.registry import DOMAINS
from vigil_sim.scenario import parse
from vigil_sim.scenario_model import ScenarioError

PACKAGE = Path(__file__).parents[2] / "firmware-sim" / "vigil_sim"
PLATFORM = sorted([*PACKAGE.glob("*.py"), *(PACKAGE / "demo").glob("*.py")])
TESTS = Path(__file__).parents[1]
TOWN = f"""
{SMALL}
[[bell]]
device = "bell-temple"
gateway = "gw-one"
name = "Temple bell"
name_zh = "廟鐘"
at = [10.0, 20.0]
pitch_hz = 220.0

[[schedule]]
at_s = 4.0
what = "stroke"
label = "lost"
device = "bell-temple"

[[schedule]]
at_s = 8.0
what = "stroke"
label = "heard"
device = "bell-temple"

[[fault]]
device = "bell-temple"
kind = "drop"
stop_s = 6.0

[[fault]]
device = "bell-temple"
kind = "drift"
parameter = "pitch"
magnitude = 10.0
start_s = 6.0
"""
FIVE = (*DOMAINS, BELL)


def test_every_room_with_a_descriptor_is_registered() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/domain.py")}
    assert {domain.key for domain in DOMAINS} == rooms


@pytest.mark.parametrize("path", PLATFORM, ids=lambda path: path.name)
def test_the_platform_names_no_domain(path: Path) -> None:
    if path.name == "registry.py":
        return
    keys = "|".join(domain.key for domain in DOMAINS)
    assert re.findall(rf"""["'](?:{keys})["']|vigil_sim\.(?:{keys})\b""", path.read_text()) == []


def test_a_fifth_domain_is_played(tmp_path: Path) -> None:
    small = TOWN.replace("at = [1.0, 2.0]", "at = [1.0, 2.0]\nwidth = 320\nheight = 180")
    scenario = tmp_path / "town.toml"
    scenario.write_text(small.replace("duration_s = 20.0", "duration_s = 20.0\nspeed = 20"))
    program = [sys.executable, "-m", "sim.toy", "play"]
    play = Play(scenario, tmp_path / "city", "--wait", program=program, folder_of_tests=TESTS)
    try:
        assert play.line()["kind"] == "ready"
        layout = play.layout()
        assert layout["bells_are"] == "of bronze"
        (bell,) = [device for device in layout["devices"] if device["domain"] == "bell"]
        host, port = bell["addresses"]["strokes"].removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port)), 30) as listening:
            play.begin()
            happened = [play.line() for _ in range(4)]
            assert listening.makefile().readline() == "heard 240\n"
        assert [line.get("what", line["kind"]) for line in happened] == [
            *("passage", "lost", "heard", "done")
        ]
    finally:
        play.close()
    configuration = tomllib.loads((tmp_path / "city/gateways/gw-one.toml").read_text())
    assert configuration["bell"][0]["device"] == "bell-temple"
    with LedgerReader(tmp_path / "city/ledger.sqlite") as ledger:
        (stroke,) = ledger.entries("stroke")
        (passage,) = ledger.entries("passage")
        kinds = {entry.kind for entry in ledger.entries()}
    assert (stroke.device, stroke.value, stroke.id) == ("bell-temple", 240.0, "heard")
    assert (passage.device, passage.id) == ("noise-one", "ABC-1234")
    assert kinds <= {kind for domain in FIVE for kind in domain.ledger}


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ('kind = "drop"', 'kind = "reboot"', "reboot does nothing to a bell: there is nothing"),
        ('parameter = "pitch"', 'parameter = "gain"', "of a bell no 'gain' can drift, but: pitch"),
        ('device = "bell-temple"\n\n[[fault]]', 'device = "noise-one"\n\n[[fault]]', "known: "),
        ("pitch_hz = 220.0", 'pitch_hz = "low"', r"bell\.0\.pitch_hz"),
        ("at_s = 8.0", 'at_s = "late"', r"schedule\.2\.at_s"),
    ],
)
def test_its_mistakes_are_named_like_any_other(good: str, bad: str, words: str) -> None:
    assert good in TOWN
    with pytest.raises(ScenarioError, match=words):
        parse(TOWN.replace(good, bad), domains=FIVE)


def test_a_domain_that_is_not_registered_is_refused() -> None:
    with pytest.raises(ScenarioError, match="bell"):
        parse(TOWN)
