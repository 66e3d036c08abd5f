"""Faults strike when and how often they are written, and the same way with the same seed."""

from __future__ import annotations

import pytest

from vigil_sim.faults import Fault, FaultKind, Faults, ScenarioFaultError


def test_windows() -> None:
    faults = Faults.parse(
        [
            {"kind": "drop", "start_s": 10, "stop_s": 20},
            {"kind": "drift", "start_s": 10, "magnitude": 0.5, "parameter": "pH"},
            {"kind": "clock_skew", "magnitude": -2},
            {"kind": "reboot", "start_s": 30, "stop_s": 31},
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
    assert faults.lasting(0.0, "stuck")
    faults.clear()
    assert not faults.lasting(0.0, "stuck")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"kind": "explode"}, "one of: drop, drift"),
        ({}, "needs a kind"),
        ({"kind": "drop", "begin": 3}, "no key 'begin'"),
        ({"kind": "drop", "start_s": "soon"}, "numbers"),
        ({"kind": "drop", "probability": 2}, "between 0 and 1"),
        ({"kind": "drop", "start_s": 5, "stop_s": 1}, "after its stop_s"),
    ],
)
def test_what_cannot_be_meant_is_refused(table: dict[str, object], reason: str) -> None:
    with pytest.raises(ScenarioFaultError, match=reason):
        Fault.parse(table)
