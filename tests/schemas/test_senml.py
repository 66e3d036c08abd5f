"""RFC 8428 resolved as its section 4.6 has it; what is not kept is refused, nothing is guessed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vigil_schemas import senml
from vigil_schemas.senml import Resolved, instant, parse_pack, resolve
from vigil_schemas.types import QartodFlag

BN = "urn:vigil:sonde-1:"
T0 = 1_777_622_400


def resolved(*records: dict[str, Any]) -> list[Resolved]:
    return list(resolve(parse_pack(list(records))))


def test_base_values_and_units_hold_from_their_record_on() -> None:
    found = resolved(
        {"bn": BN, "bt": T0, "bu": "Cel", "bv": 20.0, "bver": 10, "n": "temperature", "v": 1.5},
        {"n": "air", "u": "%RH", "v": -0.5, "t": 1},
        {"n": "temperature", "bv": 30, "bu": "K", "t": 2.5, "v": 1},
        {"n": "temperature", "bt": T0 + 60},
    )

    assert [(one.parameter, one.unit, one.value) for one in found] == [
        ("temperature", "Cel", 21.5),
        ("air", "%RH", 19.5),
        ("temperature", "K", 31.0),
        ("temperature", "K", 30.0),  # of base value and value the missing one is 0
    ]
    assert [one.time_us - T0 * 1_000_000 for one in found] == [0, 1_000_000, 2_500_000, 60_000_000]
    assert instant(found[0].time_us).isoformat() == "2026-05-01T08:00:00+00:00"


def test_a_missing_reading_has_no_value_whatever_the_base() -> None:
    missing = {"n": "pH", "qf": int(QartodFlag.MISSING)}
    (one,) = resolved({"bn": BN, "bt": T0, "bv": 7.0, **missing})

    assert (one.value, one.flag) == (None, QartodFlag.MISSING)


def test_names_are_put_together() -> None:
    found = resolved(
        {"bn": BN, "bt": T0},
        {"n": "pH", "v": 7},
        {"bn": f"{BN}ORP_", "n": "raw", "v": 1},
        {"bn": f"{BN}level", "v": 2.0},
    )

    assert [(one.device, one.parameter) for one in found] == [
        ("sonde-1", name) for name in ("pH", "ORP_raw", "level")
    ]


REFUSED = {
    "another scheme": {"bn": "urn:dev:mac:0024befffe804ff1:"},
    "no name": {"bn": BN, "v": 1, "n": None},
    "a later version": {"bver": 11},
    "no version": {"bver": 0},
    "version as text": {"bver": "10"},
    "to be understood": {"sensor_": "x"},
    "a base field to be understood": {"bct_": "60"},
    "text": {"vs": "on"},
    "truth": {"vb": True},
    "data": {"vd": "aGk="},
    "a sum": {"s": 3.5},
    "a base sum": {"bs": 3.5},
    "a sum of nothing": {"s": None},
    "value true": {"v": True},
    "value as text": {"v": "1.5"},
    "value as text with a line": {"v": "1_000"},
    "value NaN": {"v": float("nan")},
    "value infinite": {"v": float("inf")},
    "value in a list": {"v": [1]},
    "time as text": {"t": "0"},
    "base time as text": {"bt": str(T0)},
    "base time true": {"bt": True},
    "base value as text": {"bv": "20"},
    "flag as text": {"qf": "1"},
    "flag true": {"qf": True},
    "flag unknown": {"qf": 5},
    "unit not registered": {"u": "furlong"},
    "base unit not registered": {"u": None, "bu": "furlong"},
    "beyond all numbers": {"bv": 1.7e308, "v": 1.7e308},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_kept_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, ValidationError)):
        resolved({"bn": BN, "bt": T0, "n": "pH", "u": "pH", "v": 7.0} | changes)


def test_two_devices_are_no_pack() -> None:
    with pytest.raises(ValueError, match="sonde-2"):
        resolved(
            {"bn": BN, "bt": T0, "n": "pH", "v": 7},
            {"bn": "urn:vigil:sonde-2:", "n": "pH", "v": 7},
        )


def test_fields_that_nobody_knows_are_ignored() -> None:
    (one,) = resolved({"bn": BN, "bt": T0, "n": "pH", "v": 7, "ut": 5, "colour": "red"})
    assert one.value == 7


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pH", "level"]),
            st.integers(0, 10**6),
            st.floats(-1e6, 1e6),
            st.none() | st.sampled_from(["m", "pH"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.floats(-1e6, 1e6),
    st.integers(0, 10**6),
)
def test_base_fields_say_the_same_as_whole_records(
    readings: list[tuple[str, int, float, str | None]], base_value: float, base_s: int
) -> None:
    """Given any pack, base fields taken out of its records mean what the records meant."""
    whole = [
        {"bn": f"{BN}{name}", "bt": T0 + base_s + t, "v": base_value + v} | ({"u": u} if u else {})
        for name, t, v, u in readings
    ]
    based: list[dict[str, Any]] = [
        {"n": name, "t": t, "v": v} | ({"u": u} if u else {}) for name, t, v, u in readings
    ]
    based[0] |= {"bn": BN, "bt": T0 + base_s, "bv": base_value}

    assert resolved(*based) == resolved(*whole)


def test_our_own_packs_mean_what_they_meant() -> None:
    readings = [
        senml.Reading("pH", "pH", instant(T0 * 1_000_000) + timedelta(seconds=n), 7.0 + n, flag)
        for n, flag in enumerate(QartodFlag)
    ]
    assert senml.unpack(senml.pack("sonde-1", readings)) == ("sonde-1", readings)


@pytest.mark.parametrize(
    "times", [{"bt": 1e300}, {"bt": -1e13}, {"bt": 253_402_300_800.0}, {"bt": 1e308, "t": 1e308}]
)
def test_a_time_that_no_clock_shows_is_refused_as_everything_else(times: dict[str, float]) -> None:
    records = parse_pack([{"bn": BN, "n": "pH", "v": 7.0} | times])
    with pytest.raises(ValueError, match="time"):
        senml.unpack(records)
