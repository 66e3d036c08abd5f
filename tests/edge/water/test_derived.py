"""What the gateway works out of a probe's readings, beside what the probe gave."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from vigil_edge.device.seam import Outgoing
from vigil_edge.water.judge import Judge
from vigil_edge.water.pipeline import describe
from vigil_edge.water.settings import WaterSettings
from vigil_schemas.senml import SenmlRecord
from vigil_schemas.types import Lane, Model, QartodFlag
from vigil_schemas.water import WaterExcursion

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SIGNALS: list[dict[str, Any]] = [
    {"name": "temperature", "register": 0, "unit": "Cel"},
    {"name": "conductivity", "register": 2, "unit": "S/m", "range_fail": [0, 20]},
    {"name": "dissolved_oxygen", "register": 4, "unit": "kg/m3"},
    {"name": "electrode", "register": 6, "unit": "mV"},
]
CONDUCTANCE: dict[str, Any] = {
    "name": "specific_conductance",
    "formula": "specific_conductance",
    "of": "conductivity",
    "temperature": "temperature",
}
DERIVED: list[dict[str, Any]] = [
    {**CONDUCTANCE, "high": 0.075, "consecutive": 1},
    {**CONDUCTANCE, "name": "salinity", "formula": "salinity"},
    {
        "name": "oxygen_saturation",
        "formula": "oxygen_saturation",
        "of": "dissolved_oxygen",
        "temperature": "temperature",
        "salinity_of": "salinity",
    },
    {"name": "pH", "formula": "pH", "of": "electrode", "temperature": "temperature"},
]


def settings(derived: list[dict[str, Any]] = DERIVED) -> WaterSettings:
    return WaterSettings.model_validate(
        {
            "device": "sonde",
            "driver": "modbus-tcp",
            "address": "127.0.0.1:502",
            "signal": SIGNALS,
            "derived": derived,
        }
    )


def records(out: list[Outgoing]) -> dict[str, SenmlRecord]:
    packs = [one.data for one in out if one.lane is Lane.OBSERVATION]
    found: list[SenmlRecord] = []
    for pack in packs:
        assert not isinstance(pack, Model)
        found += pack
    base = found[0].bn or ""
    return {((r.bn or base) + (r.n or "")).rpartition(":")[2]: r for r in found}


def shown(*values: float | None) -> dict[str, SenmlRecord]:
    return records(Judge(settings(), None).outgoing([(NOON, list(values))]))


def test_the_check_values_reach_the_cloud_beside_what_was_measured() -> None:
    found = shown(20.0, 0.05, 9.092e-3, -59.159)
    assert found["conductivity"].v == 0.05
    assert found["specific_conductance"].v == pytest.approx(0.05 * 1.116, abs=1e-4)
    assert found["specific_conductance"].u == "S/m"
    assert found["electrode"].v == -59.159
    at_25 = shown(25.0, 0.05, 9.092e-3, -59.159)
    assert at_25["pH"].v == pytest.approx(8.0, abs=0.001)
    fresh = shown(20.0, 0.0, 9.092e-3, 0.0)
    assert fresh["oxygen_saturation"].v == pytest.approx(1.0, abs=0.001)
    assert describe(settings())[0].parameters[-4:] == [one["name"] for one in DERIVED]


def test_it_is_trusted_no_more_than_what_it_is_made_of() -> None:
    lost = shown(None, 0.05, 9e-3, 0.0)
    assert {lost[one["name"]].qf for one in DERIVED} == {QartodFlag.MISSING}
    assert lost["conductivity"].qf is not QartodFlag.MISSING
    failed = shown(20.0, 30.0, 9e-3, 0.0)
    assert failed["specific_conductance"].qf is QartodFlag.FAIL
    hot = shown(60.0, 0.05, 9e-3, 0.0)
    assert hot["specific_conductance"].v is None, "no number is better than a wrong one"
    judge = Judge(settings(), None)
    doubted = records(judge.outgoing([(NOON, [20.0, 0.05, 9e-3, 0.0])], {"temperature"}))
    assert doubted["pH"].qf is QartodFlag.SUSPECT


def test_its_bounds_are_excursions_and_off_scale_keeps_its_direction() -> None:
    judge = Judge(settings(), None)
    kinds = []
    for minute, conductivity in enumerate((0.05, 0.08, math.inf, math.inf)):
        out = judge.outgoing([(NOON + timedelta(minutes=minute), [25.0, conductivity, 9e-3, 0.0])])
        kinds += [
            (one.data.parameter, one.data.kind)
            for one in out
            if isinstance(one.data, WaterExcursion) and one.data.phase == "onset"
        ]
    assert ("specific_conductance", "above") in kinds
    assert ("conductivity", "off_scale_high") in kinds


def lost(temperature: float | None, conductivity: float | None) -> set[str]:
    """What is told as lost once a conductance that was rising towards its bound is missing."""
    judge, found = Judge(settings(), None), set[str]()
    rising: list[list[float | None]] = [[25.0, 0.05 + 0.004 * n, 9e-3, 0.0] for n in range(6)]
    for minute, values in enumerate([*rising, *[[temperature, conductivity, 9e-3, 0.0]] * 4]):
        for one in judge.outgoing([(NOON + timedelta(minutes=minute), values)]):
            if isinstance(one.data, WaterExcursion) and one.data.kind.startswith("lost"):
                found.add(one.data.parameter)
    return found


def test_what_misses_its_temperature_alone_is_not_lost() -> None:
    """A thermistor that breaks sends nobody out; a conductance that is lost does, and so does one
    too hot for the formula: that is the water's."""
    assert lost(None, 0.07) == set()
    assert lost(25.0, None) == {"specific_conductance"}
    assert lost(None, None) == {"specific_conductance"}
    assert lost(60.0, 0.07) == {"specific_conductance"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"of": "salt"}, "no signal salt"),
        ({"name": "conductivity"}, "already"),
        ({"unit": "Cel"}, "comes out in S/m"),
        ({"register": 7}, "has no register"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings([{**CONDUCTANCE, **change}])
