"""The pure parts: registers, quality control, excursions."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.modbus.numbers import number
from vigil_edge.water import logger
from vigil_edge.water.excursion import Bound, Excursions, event_id
from vigil_edge.water.qc import SignalQc
from vigil_edge.water.registers import MAX_READ_WORDS, blocks, value
from vigil_edge.water.settings import WaterSettings
from vigil_edge.water.signals import Signal
from vigil_edge.water.sonde import SondeQc, Standstill
from vigil_schemas.recordings.expected import limits_for
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import WaterExcursion
from vigil_sim.water.registers import SignalRegister, encode

START = datetime(2026, 1, 1, tzinfo=UTC)
GOOD, SUSPECT, FAIL, MISSING = (
    QartodFlag.GOOD,
    QartodFlag.SUSPECT,
    QartodFlag.FAIL,
    QartodFlag.MISSING,
)
orders = st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"])


def signal(**keys: Any) -> Signal:
    return Signal.model_validate({"name": "x", "register": 0} | keys)


# -- registers


def test_byte_orders_by_the_letters_that_manuals_use() -> None:
    assert number([0x4148, 0xF5C3], "float32", "ABCD") == pytest.approx(12.56)
    assert number([0xF5C3, 0x4148], "float32", "CDAB") == pytest.approx(12.56)
    assert number([0x4841, 0xC3F5], "float32", "BADC") == pytest.approx(12.56)
    assert number([0xC3F5, 0x4841], "float32", "DCBA") == pytest.approx(12.56)
    assert number([0xFFFE], "int16") == -2
    assert number([0xFEFF], "int16", "BADC") == -2


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), orders)
def test_floats_written_by_another_encoder_come_back(number_in: float, order: Any) -> None:
    words = encode(SignalRegister("x", 0, byte_order=order), number_in)
    assert value(signal(byte_order=order), words) == number_in


@given(st.integers(-0x80000000, 0x7FFFFFFF), orders)
def test_whole_numbers_written_by_another_encoder_come_back(number_in: int, order: Any) -> None:
    words = encode(SignalRegister("x", 0, type="int32", byte_order=order), float(number_in))
    assert value(signal(type="int32", byte_order=order), words) == number_in


@given(st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2), orders)
def test_any_registers_give_a_number_or_none(words: list[int], order: Any) -> None:
    found = value(signal(byte_order=order, scale=-1e30, sentinel=-9999), words)
    raw = number(words, "float32", order)
    assert found is None or not math.isnan(found)
    if math.isinf(raw):
        assert found == -raw, "which end of its range the sensor has left is kept"


def test_not_a_number_and_sentinel_are_no_reading() -> None:
    assert value(signal(), [0x7FC0, 0]) is None
    assert value(signal(sentinel=-9999), [0xC61C, 0x3C00]) is None
    assert value(signal(type="uint16", sentinel=65535), [65535]) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(["holding", "input"])),
        min_size=1,
        max_size=40,
    )
)
def test_every_signal_lies_whole_in_one_short_enough_read(places: list[tuple[int, str]]) -> None:
    signals = [
        signal(name=f"x{i}", register=register, table=table)
        for i, (register, table) in enumerate(places)
    ]
    planned = blocks(signals)
    assert sorted(s.name for b in planned for s in b.signals) == sorted(s.name for s in signals)
    for block in planned:
        assert 0 < block.words <= MAX_READ_WORDS
        for inside in block.signals:
            assert inside.table == block.table
            assert block.address <= inside.register_
            assert inside.register_ + inside.words <= block.address + block.words


def test_adjacent_registers_are_one_read() -> None:
    near = [signal(name=f"x{i}", register=100 + 2 * i) for i in range(20)]
    assert [(b.address, b.words) for b in blocks(near)] == [(100, 40)]


@given(st.integers(0, 300), st.integers(7, 125), st.integers(0, 109))
def test_logger_reads_hold_whole_records_and_all_of_them(
    records: int, record_words: int, first: int
) -> None:
    first -= first % record_words
    covered = list(range(first // record_words))
    for offset, count in logger.reads(records, record_words, first_words=first):
        assert count <= MAX_READ_WORDS
        assert count % record_words == 0
        at = (offset - logger.WINDOW) // record_words
        covered += range(at, at + count // record_words)
    assert covered[:records] == list(range(records))


@given(st.lists(st.integers(0, 0xFFFF), max_size=60), st.integers(7, 15))
def test_any_words_are_records_or_a_declared_error(words: list[int], record_words: int) -> None:
    record_words += 1 - record_words % 2
    try:
        found = logger.records(words, record_words)
    except ValueError:
        return
    assert all(len(record.values) == (record_words - 5) // 2 for record in found)


# -- quality control


def run(limits: Limits, values: list[float | None], step: float = 900.0) -> list[QartodFlag]:
    qc = SignalQc(limits)
    return [qc.check(i * step, v) for i, v in enumerate(values)]


def wave(count: int) -> list[float | None]:
    return [10 + math.sin(i / 15) + 0.01 * (i % 3) for i in range(count)]


def test_missing_gross_range_and_suspect_range() -> None:
    limits = Limits((0, 14), (5, 10), spike=False, flat_s=None)
    assert run(limits, [7.0, None, math.nan, -1, 15, 4, 11, 7]) == [
        *(GOOD, MISSING, MISSING, FAIL, FAIL, SUSPECT, SUSPECT, GOOD)
    ]


def test_a_spike_is_suspect_at_once_and_the_reading_after_it_is_good() -> None:
    values = wave(100)
    values[60] = 25.0
    flags = run(Limits(spike_floor=0.5), values)
    assert flags[60] is SUSPECT
    assert set(flags[30:60] + flags[61:]) == {GOOD}


def test_a_step_that_stays_is_believed() -> None:
    values = [v + (5 if i >= 60 else 0) for i, v in enumerate(wave(100)) if v is not None]
    flags = run(Limits(spike_floor=0.5), list(values))
    assert flags[60] is SUSPECT
    assert set(flags[66:]) == {GOOD}


def test_rate_of_change() -> None:
    limits = Limits((0, 100), rate_suspect=0.01, spike=False)
    assert run(limits, [10, 12, 30, 31], step=900) == [GOOD, GOOD, SUSPECT, SUSPECT]


def test_stuck_is_suspect_then_fails_and_missing_readings_do_not_hide_it() -> None:
    values: list[float | None] = [*wave(20), *([5.0, None] * 100), *wave(5)]
    limits = Limits((0, 20), flat_s=6 * 3600, flat_readings=5, spike=False)
    flags = run(limits, values)
    stuck = [f for f, v in zip(flags, values, strict=True) if v == 5.0]
    assert stuck[:10] == [GOOD] * 10
    assert stuck[-1] is FAIL
    assert SUSPECT in stuck
    assert flags[-1] is GOOD


def test_after_a_gap_and_with_broken_clocks_only_ranges_are_tested() -> None:
    qc = SignalQc(Limits((0, 100), spike_floor=0.1))
    for i in range(50):
        qc.check(i * 60.0, 10 + 0.01 * (i % 2))
    assert qc.check(49 * 60.0, 10.01) is GOOD, "the same reading twice"
    assert qc.check(49 * 60.0, 50.0) is SUSPECT, "two values for one moment"
    assert qc.check(None, 50.0) is GOOD
    assert qc.check(30 * 86_400.0, 50.0) is GOOD, "a month later"


def test_water_stands_still_at_its_melting_point_and_a_broken_sensor_for_longer() -> None:
    flags = run(limits_for("temp"), [0.2, *[0.0] * 800])
    hours = {flag: flags.index(flag) / 4 for flag in (SUSPECT, FAIL)}
    assert hours == {SUSPECT: 48.25, FAIL: 192.25}
    assert run(limits_for("temp"), [4.2, *[4.0] * 50])[-1] is SUSPECT


def together(moments: int, *, signals: int = 3) -> list[tuple[float | None, ...]]:
    return [tuple(10 + math.sin(i / 15 + k) for k in range(signals)) for i in range(moments)]


def test_a_logger_that_repeats_its_last_record_is_suspect_and_slow_sensors_are_not() -> None:
    alive = together(300)
    moments = [*alive, *[alive[-1]] * 8, *together(20)]
    qc = SondeQc([Limits((0, 14), flat_s=None, spike=False)] * 3)
    flags = [qc.check(900.0 * i, values)[0] for i, values in enumerate(moments)]
    assert flags == [*[GOOD] * 302, *[SUSPECT] * 6, *[GOOD] * 20]
    # Polled six times for each measurement; two of three the same; and two signals only.
    for calm in (
        [values for values in alive for _ in range(6)],
        [(7.0, 7.0, values[0]) for values in alive],
        [*together(300, signals=2), *[(7.0, 7.0)] * 8],
    ):
        still = Standstill()
        assert not any(still.take(values) for values in calm)


@given(st.lists(st.lists(st.sampled_from([None, 7.0, 7.1]), min_size=3, max_size=3), max_size=400))
def test_a_sondes_flags_are_causal_and_no_better_than_its_signals(
    moments: list[list[float | None]],
) -> None:
    limits = Limits((0, 14), flat_s=3600)
    whole, alone = SondeQc([limits] * 3), SignalQc(limits)
    for i, values in enumerate(moments):
        flags = whole.check(900.0 * i, values)
        by_itself = alone.check(900.0 * i, values[0])
        assert (flags[0] is MISSING) == (by_itself is MISSING)
        assert flags[0] >= by_itself or by_itself is QartodFlag.NOT_EVALUATED


@given(st.lists(st.one_of(st.none(), st.floats(), st.sampled_from([7.0, 7.1, 1e300])), max_size=80))
def test_flags_are_causal_and_never_missing_for_a_number(values: list[float | None]) -> None:
    limits = Limits((-1e6, 1e6), (-10, 10), rate_suspect=1.0, spike_floor=0.1, flat_readings=3)
    flags = run(limits, values)
    for flag, given_value in zip(flags, values, strict=True):
        assert (flag is MISSING) == (given_value is None or math.isnan(given_value))
        if given_value is not None and math.isinf(given_value):
            assert flag is FAIL
    for cut in (len(values) // 2, len(values) - 1):
        assert run(limits, values[: max(cut, 0)]) == flags[: max(cut, 0)]


@pytest.mark.parametrize(
    ("column", "like"),
    [
        ("temp", "Tp"),
        ("Water Temp (°C)", "Tp"),
        ("ph", "pH"),
        ("pH_1", "pH"),
        ("spCond", "Leit"),
        ("Cond", "Leit"),
        ("Turbidity [FNU]", "Trueb"),
        ("Tur", "turb"),
        ("Cl_2", "Cl"),
        ("ODO mg/L", "do"),
        ("stage", "Level"),
        ("DO (%)", "do_sat"),
        ("ODO % sat", "do_sat"),
        ("DO%", "do_sat"),
        ("DO_percent", "do_sat"),
        ("ODO (% Sat)", "do_sat"),
        ("DO [mg/L]", "do"),
        ("pH (mV)", "something"),
        ("Temp (C)", "temp"),
        ("Wtemp_C", "temp"),
        ("something", "anything"),
    ],
)
def test_what_a_column_is_goes_by_its_words(column: str, like: str) -> None:
    assert limits_for(column) is limits_for(like)


def test_degrees_fahrenheit_are_known_by_their_letter() -> None:
    for name in ("Temp (F)", "Water Temp [°F]", "temp_F", "Temperature (deg F)"):
        qc = SignalQc(limits_for(name))
        assert [qc.check(900.0 * i, f) for i, f in enumerate((68.0, 90.0, 130.0))] == [
            *(GOOD, GOOD, FAIL)
        ]


# -- excursions

HIGH = Bound("pH", "pH", "above", 9.0, hysteresis=0.5, consecutive=2)


def feed(watch: Excursions, values: list[float], at: int = 0) -> list[WaterExcursion]:
    found: list[WaterExcursion] = []
    for i, given_value in enumerate(values, at):
        found += watch.take("pH", START + timedelta(minutes=i), given_value, GOOD)
    return found


def test_onset_needs_consecutive_readings_and_the_end_hysteresis() -> None:
    found = feed(
        Excursions("sonde", [HIGH]), [8, 9.5, 8, 9.5, 9.8, 9.6, 8.8, 8.7, 8.4, 8.6, 8.4, 8.3]
    )
    assert [e.phase for e in found] == ["onset", "end"]
    onset, end = found
    assert onset.started == START + timedelta(minutes=3)
    assert (onset.value, end.value) == (9.5, 9.8)
    assert end.ended == START + timedelta(minutes=10)
    assert onset.excursion_id == end.excursion_id
    assert event_id(onset) != event_id(end)


def test_readings_that_failed_neither_begin_nor_end_one() -> None:
    watch = Excursions("sonde", [HIGH])
    for i in range(5):
        assert not list(watch.take("pH", START + timedelta(minutes=i), 13.0, FAIL))
    assert not list(watch.take("pH", START + timedelta(minutes=6), None, MISSING))
    assert watch.active == 0


def test_a_fast_change_is_an_excursion_of_its_own() -> None:
    bound = Bound("pH", "pH", "rate", 0.01, consecutive=1)
    found = feed(Excursions("sonde", [bound]), [7, 7.1, 9, 9.1])
    assert [(e.kind, e.phase) for e in found] == [("rate", "onset"), ("rate", "end")]
    assert found[0].value == pytest.approx(1.9 / 60)


def test_a_clock_that_is_set_back_ends_neither_rates_nor_time() -> None:
    rate = Bound("pH", "pH", "rate", 0.01, consecutive=1)
    watch = Excursions("sonde", [rate, HIGH])
    feed(watch, [7, 7.1, 9.5, 9.6, 9.7], at=120)
    found = feed(watch, [9.7, 7.7, 7.6, 7.5], at=0)
    assert [(e.kind, e.phase) for e in found] == [
        *(("rate", "onset"), ("rate", "end"), ("above", "end"))
    ]
    assert all(e.ended is None or e.ended >= e.started for e in found)


@given(st.lists(st.sampled_from([7.0, 8.7, 9.2, 11.0]), max_size=60), st.integers(0, 60))
def test_a_restart_anywhere_changes_nothing(values: list[float], cut: int) -> None:
    whole = feed(Excursions("sonde", [HIGH]), values)
    before = Excursions("sonde", [HIGH])
    found = feed(before, values[:cut])
    after = Excursions("sonde", [HIGH], before.state())
    found += feed(after, values[cut:], at=min(cut, len(values)))
    assert found == whole
    assert [e.phase for e in whole] == ["onset", "end"] * (len(whole) // 2) + ["onset"] * (
        len(whole) % 2
    )


# -- settings


def test_settings_name_what_is_wrong() -> None:
    base = {
        "device": "s",
        "driver": "modbus-tcp",
        "address": "10.0.0.1",
        "signal": [{"name": "pH"}],
    }
    assert WaterSettings.model_validate(base).port == 502
    refused: list[tuple[dict[str, Any], str]] = [
        ({"address": "host:port"}, "Port"),
        ({"address": "10.0.0.1:0"}, "host:port"),
        ({"address": "10.0.0.1:502/x"}, "host:port"),
        ({"address": "me@10.0.0.1"}, "host:port"),
        ({"address": " 10.0.0.1"}, "blanks"),
        ({"signal": []}, "at least 1"),
        ({"signal": [{"name": "pH"}, {"name": "pH"}]}, "twice"),
        ({"signal": [{"name": "pH", "unit": "NTU"}]}, "SenML"),
        ({"signal": [{"name": "pH", "range_fail": [9, 1]}]}, "lower bound first"),
        ({"signal": [{"name": "pH", "high": 6, "low": 9}]}, "below high"),
        ({"signal": [{"name": "pH", "typ": "float32"}]}, "Extra inputs"),
        ({"driver": "modbus"}, "modbus-tcp"),
    ]
    for wrong, message in refused:
        with pytest.raises(ValueError, match=message):
            WaterSettings.model_validate(base | wrong)


def test_float_records_of_a_logger() -> None:
    words = [0, 7, 0x6956, 0x2B80, 250, *struct.unpack(">2H", struct.pack(">f", 7.5)), 0x7FC0, 0]
    (record,) = logger.records([*words, 0xFFFF, 0xFFFF, *[0] * 7], 9)
    assert record.index == 7
    assert record.values == (7.5, None)
    assert record.time == datetime.fromtimestamp(0x69562B80, UTC) + timedelta(milliseconds=250)
