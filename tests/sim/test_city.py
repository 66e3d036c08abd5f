"""What a scenario says about devices reaches the devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.test_scenario import SMALL
from vigil_sim.carriers import beacon
from vigil_sim.city import City
from vigil_sim.clock import CityClock
from vigil_sim.scenario import ScenarioError, parse

FAULTS = """
[[fault]]
device = "noise-one"
kind = "reboot"
start_s = 5.0
stop_s = 8.0

[[fault]]
device = "noise-one"
kind = "drift"
magnitude = 0.5
"""


def test_faults_of_the_scenario_strike_their_device_at_their_time(tmp_path: Path) -> None:
    city = City(parse(SMALL + FAULTS), CityClock(1.0), tmp_path)
    try:
        faults = city.faults("noise-one")
        assert [faults.rebooting(t) for t in (4.9, 5.0, 7.9, 8.0)] == [False, True, True, False]
        assert faults.drift(6.0, "gain") == pytest.approx(3.0)
        assert city.faults("noise-two").drift(6.0, "gain") == 0.0
    finally:
        city.ledger.close()


def test_the_world_stands_still_until_the_night_begins() -> None:
    clock = CityClock(20.0)
    assert not clock.began
    assert clock.world() == 0.0
    with pytest.raises(RuntimeError, match="not begun"):
        clock.monotonic_at(5.0)
    clock.begin()
    assert clock.began
    assert clock.monotonic_at(40.0) - clock.monotonic_at(0.0) == pytest.approx(2.0)


def test_a_tag_has_one_address_and_it_is_a_static_random_one() -> None:
    tag = "ibeacon:5a4bcfce174e4bac8814092e77f6b7e5:88:449"
    assert beacon(tag) == beacon(tag)
    assert beacon(tag).tag == tag
    assert int(beacon(tag).address[:2], 16) & 0xC0 == 0xC0
    assert beacon("eddystone-uid:00112233445566778899:aabbccddeeff").tag.startswith("eddystone")


@pytest.mark.parametrize("tag", ["epc:3034257bf4", "ibeacon:short", "ibeacon:00:x:1", "rfid"])
def test_what_is_no_beacon_is_refused(tag: str) -> None:
    with pytest.raises(ScenarioError, match="tag"):
        beacon(tag)
