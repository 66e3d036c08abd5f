"""What is none of the water: a logger that repeats, zeros, a probe in the air."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vigil_edge.water.judge import Judge
from vigil_edge.water.settings import WaterSettings
from vigil_schemas.water import WaterExcursion

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
Row = list[float | None]


def sonde(**more: Any) -> WaterSettings:
    signals = [
        {"name": "temperature", "unit": "Cel", "low": 1.0},
        {"name": "specific_conductance", "unit": "S/m", "low": 0.03, "spike_floor": 0.004, **more},
        {"name": "pH", "unit": "pH", "low": 6.0, "high": 9.0, "sensor_range": [0, 14]},
        {"name": "dissolved_oxygen", "unit": "kg/m3", "low": 0.002},
    ]
    return WaterSettings.model_validate(
        {
            "device": "sonde", "driver": "modbus-tcp", "address": "127.0.0.1:502",
            "signal": [{**one, "register": 2 * n} for n, one in enumerate(signals)],
        }
    )  # fmt: skip


def calm(rows: int, ph: float = 7.9) -> list[Row]:
    return [
        [20 + n % 3 / 10, 0.045 + n % 4 * 1e-4, ph + n % 3 / 100, 0.008 + n % 5 * 1e-5]
        for n in range(rows)
    ]


def onsets(rows: list[Row]) -> list[tuple[int, str, str]]:
    judge = Judge(sonde(), None)
    found: list[tuple[int, str, str]] = []
    for number, row in enumerate(rows):
        found += [
            (number, one.data.parameter, one.data.kind)
            for one in judge.outgoing([(NOON + timedelta(minutes=number), row)])
            if isinstance(one.data, WaterExcursion) and one.data.phase == "onset"
        ]
    return found


def test_a_probe_that_was_lifted_out_calls_nobody() -> None:
    """Its conductance falls to that of rain, the logger repeats it, and its temperature is lost on
    its way to the air's."""
    repeats: list[Row] = [[None, 0.002, 7.8, 0.0079]] * 8
    air: list[Row] = [[12.0, 0.002, 7.8, 0.0079], *repeats]
    assert onsets([*calm(40), *air, *calm(20)]) == []


def test_a_discharge_beside_a_dead_conductance_is_called() -> None:
    rows: list[Row] = [[20.1, 0.0004, 4.8 + n % 3 / 50, 0.008] for n in range(8)]
    assert [one[1:] for one in onsets([*calm(40), *rows])] == [("pH", "below")]


def test_water_that_is_only_diluted_is_called() -> None:
    rows: list[Row] = [[20.0, 0.02 + n % 4 * 1e-4, 7.8, 0.0079 + n * 1e-5] for n in range(8)]
    assert ("specific_conductance", "below") in {one[1:] for one in onsets([*calm(40), *rows])}


def test_zeros_of_all_signals_are_missing_and_an_acid_is_called() -> None:
    zeros: list[Row] = [[0.0, 0.0, 0.0, 0.0]] * 10
    assert onsets([*calm(40), *zeros, *calm(10)]) == []
    acid: list[Row] = [[20.0, 0.4 + n / 100, 0.0, 0.008 + n * 1e-5] for n in range(6)]
    assert ("pH", "off_scale_low") in {one[1:] for one in onsets([*calm(40), *acid])}


def test_zeros_after_a_steep_fall_are_a_signal_lost_while_falling() -> None:
    falling: list[Row] = [[20.1, 0.045 + n * 1e-4, 7.9 - 0.45 * n, 0.008] for n in range(4)]
    zeros: list[Row] = [[0.0, 0.0, 0.0, 0.0]] * 4
    found = {one[1:] for one in onsets([*calm(40), *falling, *zeros])}
    assert ("pH", "lost_while_falling") in found


@pytest.mark.parametrize("held", [2, 9])
def test_what_the_logger_repeats_begins_and_ends_nothing(held: int) -> None:
    rows = calm(40)
    low: list[Row] = [[20.1, 0.045, 5.4, 0.008]]
    repeats: list[Row] = [[None, 0.045, 5.4, 0.008]] * held
    assert onsets([*rows, *low, *repeats, *calm(5)]) == [], "one reading, however often repeated"
    goes_on: list[Row] = [[20.2, 0.0451, 5.3 - n / 50, 0.0081] for n in range(6)]
    found = onsets([*rows, *low, *repeats, *goes_on])
    assert [one[1:] for one in found] == [("pH", "below")]


def test_repeated_readings_of_a_probe_that_gives_everything_count() -> None:
    rows: list[Row] = [[20.1, 0.045, 5.4, 0.008]] * 4
    assert [one[1:] for one in onsets([*calm(40), *rows])] == [("pH", "below")]


@pytest.mark.parametrize(
    ("ph", "kind"), [(5.4, "below"), (14.0, "off_scale_high")], ids=["steady", "off scale"]
)
def test_a_steady_reading_beside_a_sensor_that_died_before_is_called(ph: float, kind: str) -> None:
    dead: list[Row] = [[*row[:3], None] for row in calm(40)]
    rows: list[Row] = [[20.1, 0.045, ph, None]] * 4
    assert ("pH", kind) in {one[1:] for one in onsets([*dead, *rows])}


def test_a_reading_at_the_end_of_its_scale_is_never_held_back() -> None:
    rows: list[Row] = [[20.1, 0.045, 14.0, 0.008], *[[None, 0.045, 14.0, 0.008]] * 4]
    assert ("pH", "off_scale_high") in {one[1:] for one in onsets([*calm(40), *rows])}


def test_what_a_logger_repeats_for_longer_counts_again() -> None:
    rows: list[Row] = [[20.1, 0.045, 5.4, 0.008], *[[None, 0.045, 5.4, 0.008]] * 20]
    assert [one[1:] for one in onsets([*calm(40), *rows])] == [("pH", "below")]


def test_a_cell_that_broke_is_called_after_hours_and_hides_no_temperature() -> None:
    broken: list[Row] = [
        [20 + n % 3 / 10 if n < 60 else 0.4, 0.0002 + n % 2 * 1e-6, 7.9 + n % 3 / 100,
         0.008 + n % 5 * 1e-5]
        for n in range(400)
    ]  # fmt: skip
    found = onsets([*calm(40), *broken])
    (cold,) = [at for at, name, kind in found if (name, kind) == ("temperature", "below")]
    (lost,) = [at for at, name, kind in found if (name, kind) == ("specific_conductance", "below")]
    assert cold < 40 + 70
    assert 40 + 360 <= lost < 40 + 370


def test_soft_water_after_a_standard_is_water_again() -> None:
    judge = Judge(sonde(), None)
    soft: list[Row] = [[20 + n % 3 / 10, 0.003, 7.9, 0.008] for n in range(370)]
    standard: list[Row] = [[20.0, 0.1413, 7.9, 0.008]]
    for number, row in enumerate([*calm(40), *standard, *soft]):
        judge.outgoing([(NOON + timedelta(minutes=number), row)])
        if number == 60:
            assert judge.in_air == ["specific_conductance"]
    assert judge.in_air == []


@pytest.mark.parametrize(("temperature", "called"), [(None, False), (20.0, True)])
def test_a_logger_without_its_probe_calls_nobody_however_long(
    temperature: float | None, called: bool
) -> None:
    """A conductance that repeats itself; where the probe still gives a temperature it may be soft
    water, and counts after a visit's hours."""
    gone: list[Row] = [
        [temperature, 0.002, 7.9 + n % 3 / 100, 0.008 + n % 5 * 1e-5] for n in range(1000)
    ]
    found = [name for _, name, _ in onsets([*calm(40), *gone, *calm(20)])]
    assert ("specific_conductance" in found) == called


def test_a_conductance_that_moves_again_counts_also_without_a_temperature() -> None:
    gone: list[Row] = [[None, 0.002, 7.9 + n % 3 / 100, 0.008] for n in range(500)]
    moves: list[Row] = [[None, 0.002 + n % 3 * 1e-5, 7.9 + n % 3 / 100, 0.008] for n in range(6)]
    found = onsets([*calm(40), *gone, *moves])
    assert [one for one in found if one[1] == "specific_conductance"] == [
        (542, "specific_conductance", "below")
    ]


def frozen(rows: int, ph: float, cold: float = 0.01) -> list[Row]:
    cooling: list[Row] = [[2.0 - n / 40, *row[1:]] for n, row in enumerate(calm(78, 6.2))]
    ice: list[Row] = [[cold, 0.045 + n % 4 * 1e-4, ph - n % 3 / 100, 0.008] for n in range(rows)]
    return [*cooling, *ice]


@pytest.mark.parametrize(
    ("ph", "cold", "called"), [(5.9, 0.01, False), (5.9, 0.2, True), (4.5, 0.01, True)],
    ids=["ice", "water", "a discharge in ice"],
)  # fmt: skip
def test_what_ice_does_to_a_ph_calls_nobody(ph: float, cold: float, called: bool) -> None:
    found = onsets(frozen(60, ph, cold))
    assert (("pH", "below") in {one[1:] for one in found}) == called


def test_a_thermistor_that_fails_to_zero_is_no_ice() -> None:
    rows: list[Row] = [[0.0, 0.045 + n % 4 * 1e-4, 5.9 - n % 3 / 100, 0.008] for n in range(20)]
    found = onsets([*calm(40, 6.2), *rows])
    assert ("pH", "below") in {one[1:] for one in found}


def test_a_ph_in_ice_is_kept_as_suspect() -> None:
    judge = Judge(sonde(), None)
    flags = []
    for number, row in enumerate(frozen(10, 5.9)):
        packs = judge.outgoing([(NOON + timedelta(minutes=number), row)])
        (pack,) = [one.data for one in packs if isinstance(one.data, list)]
        flags.append(next(one.qf for one in pack if one.n == "pH"))
    assert set(flags[-10:]) == {3}
    assert 3 not in flags[40:70]
