"""Cells of recordings: numbers, words and units, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge.water.replaying import told
from vigil_schemas.recordings.cells import SENTINELS, CellReader, decide_commas
from vigil_schemas.recordings.expected import (
    AMMONIA,
    ANYTHING,
    CONDUCTIVITY,
    DISSOLVED_OXYGEN,
    FAHRENHEIT,
    LEVEL,
    OXYGEN_DEMAND,
    OXYGEN_SATURATION,
    PH,
    REDOX,
    SOLIDS,
    TEMPERATURE,
    TURBIDITY,
    limits_for,
)


@pytest.mark.parametrize(
    ("cell", "side", "value"),
    [
        (">4000", "high", 4000.0), ("> 4000", "high", 4000.0), ("＞4000", "high", 4000.0),
        (">=4000", "high", 4000.0), ("<0.1", "low", 0.1), ("≤0.1", "low", 0.1),
        ("ND<0.01", "low", 0.01), ("+++++", "high", None), ("OVER", "high", None),
        ("over range", "high", None), ("inf", "high", None), ("1e999", "high", None),
        ("-inf", "low", None), ("ND", "low", None), ("超出量程", "high", None),
        ("未檢出", "low", None), ('">4,000.0"', "high", 4000.0),
    ],
)  # fmt: skip
def test_text_that_keeps_its_direction(
    shown: Any, cell: str, side: str, value: float | None
) -> None:
    ((row,), _) = shown(f"t,x\n2024-05-12,{cell}\n", "--time", "t", "--signals", "x")
    assert row["off_scale"] == {"x": side}
    assert (row["values"]["x"], row["flags"]["x"]) == (value, 4)


@pytest.mark.parametrize(
    ("column", "before", "cell", "missing"),
    [
        ("level", 1.2, "-999", True), ("level", 1.2, "-999.00", True), ("ph", 7, "-7999", True),
        ("cond", 512, "9999", True), ("ph", 7, "9999", True), ("temp", 20, "-99.9", True),
        ("turb", 12, "999.9", True), ("orp", 250, "-999", True), ("x", 3, "-8888", True),
        ("cond", 990, "999", False), ("cond", 9900, "9999", False), ("orp", -960, "-999", False),
        ("flow", 8000, "9999", False), ("DO (%)", 98, "99.9", False),
        ("level", -980, "-999", False), ("cond", 512, "888", False), ("temp", 20, "99", False),
    ],
)  # fmt: skip
def test_repeated_digits_by_what_the_signal_showed(
    shown: Any, column: str, before: float, cell: str, missing: bool
) -> None:
    text = f"t,{column}\n2024-05-12 00:00,{before}\n2024-05-12 00:15,{cell}\n"
    rows, lines = shown(text, "--time", "t", "--signals", column)
    assert (rows[1]["values"][column] is None) == missing
    assert (rows[1]["flags"][column] == 9) == missing
    assert told(lines, "taken for no reading") == missing
    if missing:
        rows, _ = shown(text, "--time", "t", "--signals", column, "--keep", cell)
        assert rows[1]["values"][column] == float(cell)


@pytest.mark.parametrize(
    ("cells", "limits", "separator", "commas"),
    [
        (["8,125", "8,126"], PH, ",", "decimal"),
        (["1,234", "998"], CONDUCTIVITY, ",", "grouping"),
        (["1,234", "12.5"], CONDUCTIVITY, ",", "grouping"),
        (["1,234", "1,234,567"], ANYTHING, ",", "grouping"),
        (["1,234", "7,5"], ANYTHING, ",", "decimal"),
        (["1,234", "1,235"], ANYTHING, ",", "unclear"),
        (["1 200,5", "999,5"], CONDUCTIVITY, ",", "decimal"),
        (["1,234", "1,235"], ANYTHING, ";", "decimal"),
        (["0,512", "0,513"], CONDUCTIVITY, ",", "decimal"),
        (["1,010", "1.02"], ANYTHING, ";", "grouping"),
    ],
)
def test_what_a_comma_is(cells: list[str], limits: Any, separator: str, commas: str) -> None:
    assert decide_commas(cells, limits, separator)[0] == commas


def test_an_unclear_comma_is_left_out_with_the_reason_and_can_be_said(shown: Any) -> None:
    text = 't,x\n2024-05-12 00:00,"1,234"\n2024-05-12 00:15,"1,235"\n'
    words = ("--time", "t", "--signals", "x")
    rows, lines = shown(text, *words)
    assert [row["values"]["x"] for row in rows] == [None, None]
    assert told(lines, "--decimal comma or --decimal point")
    assert shown(text, *words, "--decimal", "comma")[0][0]["values"]["x"] == 1.234
    assert shown(text, *words, "--decimal", "point")[0][0]["values"]["x"] == 1234.0


@given(st.floats(-1e6, 1e6).map(lambda x: round(x, 2)), st.sampled_from([",", ";"]))
def test_numbers_come_back_from_european_writing(number: float, separator: str) -> None:
    assume(number not in SENTINELS)
    reader = CellReader("x", ANYTHING, decide=lambda _: ("decimal", True), kept=frozenset([number]))
    english = f"{number:,.2f}"
    for text in (
        english.translate(str.maketrans(",.", ".,")),
        english.translate(str.maketrans(",.", " ,")),
        english.translate(str.maketrans(",.", "\u202f,")),
    ):
        assert reader.read(text, None).value == pytest.approx(number)


@pytest.mark.parametrize(
    ("column", "unit", "limits"),
    [
        ("水溫", None, TEMPERATURE), ("水溫（℃）", None, TEMPERATURE), ("酸鹼值", None, PH),
        ("ｐＨ", None, PH), ("導電度(μS/cm)", None, CONDUCTIVITY), ("電導度", None, CONDUCTIVITY),
        ("導電度 [µS/cm]", None, CONDUCTIVITY), ("溶氧(mg/L)", None, DISSOLVED_OXYGEN),
        ("溶氧(%)", None, OXYGEN_SATURATION), ("濁度(NTU)", None, TURBIDITY),
        ("化學需氧量", None, OXYGEN_DEMAND), ("懸浮固體(mg/L)", None, SOLIDS),
        ("氨氮", None, AMMONIA),
        ("氧化還原電位(mV)", None, REDOX), ("水位(m)", None, LEVEL),
        ("do", "%sat", OXYGEN_SATURATION),
        ("temp", "degF", FAHRENHEIT), ("00010", None, TEMPERATURE),
        ("SpCond µS/cm", None, CONDUCTIVITY),
    ],
)  # fmt: skip
def test_what_a_column_is(column: str, unit: str | None, limits: Any) -> None:
    assert limits_for(column, unit) is limits


def test_limits_follow_the_unit_of_the_same_parameter() -> None:
    for column, unit, high in (
        *(("cond", "mS/cm", 200.0), ("EC (S/m)", None, 20.0), ("EC (mS/m)", None, 20_000.0)),
        *(("DO (kg/m3)", None, 0.04), ("DO (µmol/L)", None, 1250.0), ("cond (dS/m)", None, 200.0)),
    ):
        fail = limits_for(column, unit).fail
        assert fail is not None
        assert fail[1] == pytest.approx(high)


def test_a_unit_that_does_not_fit_is_told(shown: Any) -> None:
    _, lines = shown("t,DO (NTU)\n2024-05-12,7\n", "--time", "t", "--signals", "DO (NTU)")
    assert told(lines, "no limits", "ntu")
