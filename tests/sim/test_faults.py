"""Faults strike when and how often they are written, and the same way with the same seed."""

from __future__ import annotations

from typing import Any

import pytest

from vigil_sim.faults import Fault, FaultKind, Faults, ScenarioFaultError
from vigil_sim.scenario import CityScenario, parse
from vigil_sim.scenario_model import ScenarioError


def test_windows() -> None:
    faults = Faults(
        [
            Fault(FaultKind.DROP, 10, 20),
            Fault(FaultKind.DRIFT, 10, magnitude=0.5, parameter="pH"),
            Fault(FaultKind.CLOCK_SKEW, magnitude=-2),
            Fault(FaultKind.REBOOT, 30, 31),
        ]
    )
    assert [faults.drops(t) for t in (9.9, 10.0, 19.9, 20.0)] == [False, True, True, False]
    assert (faults.drift(14.0, "pH"), faults.drift(14.0, "orp"), faults.drift(5, "pH")) == (2, 0, 0)
    assert faults.skew(0.0) == -2
    assert [faults.rebooting(t) for t in (29.0, 30.5, 31.0)] == [False, True, False]


def test_chance_is_seeded() -> None:
    def night(seed: int) -> list[bool]:
        faults = Faults([Fault(FaultKind.DROP, probability=0.3)], seed)
        return [faults.drops(float(t)) for t in range(1000)]

    assert night(1) == night(1)
    assert night(1) != night(2)
    assert 200 < sum(night(1)) < 400


def test_corruption_by_style() -> None:
    faults = Faults([Fault(FaultKind.CORRUPT_FRAME, style="stuck")])
    assert faults.corruption(0.0, ("json",)) is None
    assert faults.corruption(0.0) is not None
    assert faults.in_state(0.0, "stuck")
    faults.clear()
    assert not faults.in_state(0.0, "stuck")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"probability": 2}, "between 0 and 1"),
        ({"start_s": 5, "stop_s": 1}, "stop_s must come after"),
        ({"start_s": 5, "stop_s": 5}, "stop_s must come after"),
    ],
)
def test_what_cannot_be_meant_is_refused(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ScenarioFaultError, match=reason):
        Fault(FaultKind.DROP, **keys)


# -- what a scenario may write for which device

PLACE = 'gateway = "gw", name = "A place", name_zh = "某處", at = [0, 0]'
TOWN = f"""
name = "town"
title = "Town"
title_zh = "鎮"
duration_s = 20.0
latitude = 23.48
longitude = 120.44
gateway = [{{ id = "gw", name = "One", name_zh = "一", at = [0, 0] }}]
noise = [{{ device = "camera", {PLACE} }}]
water = [
    {{ device = "poll", {PLACE}, canal_m = 1 }},
    {{ device = "logger", {PLACE}, canal_m = 1, mode = "logger" }},
]
checkin = [{{ device = "radio", {PLACE} }}, {{ device = "reader", {PLACE}, driver = "llrp" }}]
smoke = [{{ device = "alarm", {PLACE}, friendly_name = "kitchen" }}]
"""
DEVICES = ("camera", "poll", "logger", "radio", "reader", "alarm")
KINDS = {
    "drop": "",
    "drift": "magnitude = 0.5",
    "reboot": "stop_s = 5",
    "clock_skew": "magnitude = -90",
    "corrupt_frame": "probability = 0.5",
}


def town(device: str, kind: str, keys: str) -> CityScenario:
    lines = "\n".join(keys.split(", "))
    return parse(f'{TOWN}\n[[fault]]\ndevice = "{device}"\nkind = "{kind}"\n{lines}\n')


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", DEVICES)
def test_every_kind_is_understood_or_refused_with_the_reason(device: str, kind: str) -> None:
    reasons = {
        ("poll", "clock_skew"): "it has no clock; one with mode = 'logger' has",
        ("radio", "clock_skew"): r"a radio has no clock; a reader \(llrp\) has",
    }
    if reason := reasons.get((device, kind)):
        with pytest.raises(ScenarioError, match=rf"fault\[0\] \({device}\): {kind} .*{reason}"):
            town(device, kind, KINDS[kind])
    else:
        (entry,) = town(device, kind, KINDS[kind]).fault
        assert entry.fault.kind is FaultKind(kind)


@pytest.mark.parametrize(
    ("device", "kind", "keys", "reason"),
    [
        ("poll", "drift", "", "a magnitude of 0 does nothing"),
        ("logger", "clock_skew", "", "a magnitude of 0 does nothing"),
        ("logger", "clock_skew", "magnitude = 4e8", "ten years"),
        ("poll", "drift", 'magnitude = 1, parameter = "orp"', "no 'orp' can drift, but: temp"),
        ("camera", "drift", 'magnitude = 1, parameter = "rssi"', "but: gain"),
        ("alarm", "corrupt_frame", 'style = "bad-crc"', "no style 'bad-crc', but: json, binary"),
        ("camera", "corrupt_frame", 'style = "json"', "no style 'json', but: none"),
        ("reader", "drop", 'style = "truncated"', "drop has no style"),
        ("radio", "drop", 'parameter = "rssi"', "drop has no parameter"),
        ("radio", "drop", "magnitude = 3", "drop has no magnitude"),
        ("alarm", "reboot", "probability = 0.5", "has no probability"),
        ("alarm", "corrupt_frame", 'style = "stuck", probability = 0.5', "has no probability"),
        ("poll", "drop", "start_s = 9, stop_s = 9", "stop_s must come after"),
        ("poll", "explode", "", "fault.0.kind"),
        ("poll", "drop", "begin = 3", "fault.0.begin"),
    ],
)
def test_what_would_do_nothing_is_refused(device: str, kind: str, keys: str, reason: str) -> None:
    with pytest.raises(ScenarioError, match=reason):
        town(device, kind, keys)


def test_a_late_answer_may_say_how_late() -> None:
    town("poll", "corrupt_frame", 'style = "late", magnitude = 4')
