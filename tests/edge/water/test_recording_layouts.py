"""Layouts of recordings: headers, long tables, encodings, options."""

from __future__ import annotations

import codecs
import gzip
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.water.replaying import series, told
from vigil_schemas.recordings.encodings import detect

LONG = "time,測站,監測項目,數值,單位\n" + "".join(
    f"2024-05-12 {hour:02}:00,{station},{item},{value},{unit}\n"
    for hour in range(4)
    for station in ("A", "B")
    for item, value, unit in (("酸鹼值", 7.1, ""), ("導電度", 0.5, "mS/cm"), ("氨氮", "<0.02", ""))
)


def test_headers_in_the_middle_and_statistics_at_the_end_are_no_readings(shown: Any) -> None:
    text = (
        "TIMESTAMP,ph\nTS,pH\n,Avg\n" + series(4, "7.{i}") + "TIMESTAMP,ph\n"
        + series(2, "7.5") + "Min,7.0\nMax:,7.5\n平均值,7.2\nyesterday,7.9\n"
    )  # fmt: skip
    rows, lines = shown(text, "--time", "TIMESTAMP", "--signals", "ph")
    assert [row["values"]["ph"] for row in rows] == [7.0, 7.1, 7.2, 7.3, 7.5, 7.5, 7.9]
    assert rows[-1]["t"] is None, "a row with a reading stays, whatever its time"
    assert told(lines, "2 rows of units")
    assert told(lines, "1 headers once more")
    assert told(lines, "3 rows of statistics")


def test_long_tables_by_item_and_value(shown: Any) -> None:
    words = ("--time", "time", "--item", "監測項目", "--value", "數值")
    rows, lines = shown(LONG, *words, "--signals", "酸鹼值,導電度")
    assert len(rows) == 16
    assert rows[0]["values"] == {"酸鹼值": 7.1}
    assert rows[1]["values"] == {"導電度": 0.5}
    assert {row["station"] for row in rows} == {"A", "B"}
    assert told(lines, "8 rows of other items")
    _, (line,) = shown(LONG, *words, "--signals", "鉛", status=2)
    assert "station-unknown" in line
    assert "氨氮" in line
    _, lines = shown(LONG, "--time", "time", "--signals", "數值")
    assert told(lines, "3 items", "--item")
    rows, _ = shown(LONG, *words, "--signals", "氨氮", "--station", "測站=B")
    assert [row["off_scale"] for row in rows] == [{"氨氮": "low"}] * 4


def test_stations_are_seen_in_a_column_of_any_name(shown: Any) -> None:
    rows = "".join(
        f"2024-05-12 {i // 60:02}:{i % 60:02},{place},{ph}\n"
        for i in range(200)
        for place, ph in (("weir", 7.2 + 0.01 * (i % 4)), ("gate", 8.0 + 0.01 * (i % 4)))
    )
    found, lines = shown("t,where,ph\n" + rows, "--time", "t", "--signals", "ph")
    assert {row["station"] for row in found} == {"weir", "gate"}
    assert {row["flags"]["ph"] for row in found} == {1}
    assert told(lines, "2 stations in column 'where'")


def test_columns_by_their_name_without_unit_and_in_full_width(shown: Any) -> None:
    rows, _ = shown(
        "時間,導電度（μS/cm）,ｐＨ\n2024-05-12,500,7\n", "--time", "時間", "--signals", "導電度,pH"
    )
    assert rows[0]["values"] == {"導電度": 500.0, "pH": 7.0}


@pytest.mark.parametrize(
    ("encoding", "mark", "certain"),
    [
        ("utf-8", b"", True), ("utf-8", codecs.BOM_UTF8, True), ("utf-16", b"", True),
        ("utf-16-le", b"", False), ("utf-16-be", b"", False), ("cp950", b"", False),
        ("big5hkscs", b"", False),
    ],
)  # fmt: skip
def test_encodings_are_found_and_told(
    shown: Any, encoding: str, mark: bytes, certain: bool
) -> None:
    text = "監測時間,測站,水溫(℃),pH\n113/05/12 00:00,大圳一,26.0,7.3\n"
    rows, lines = shown(mark + text.encode(encoding), "--time", "監測時間", "--signals", "水溫,pH")
    assert rows[0]["values"] == {"水溫": 26.0, "pH": 7.3}
    assert rows[0]["station"] == "大圳一"
    assert told(lines, "not UTF-8", "--encoding") == (not certain)


def test_a_few_broken_bytes_do_not_make_it_another_encoding(shown: Any) -> None:
    text = "時間,水溫,備註\n" + series(4, "7.{i},清洗") + "2024-05-02,7.9,"
    rows, lines = shown(text.encode() + b"\xe6\xb8\n", "--time", "時間", "--signals", "水溫")
    assert len(rows) == 5
    assert told(lines, "not UTF-8 throughout", "utf-8")


def test_the_rare_characters_of_a_station_are_one_however_many_rows_have_them(shown: Any) -> None:
    """碁 and 鯤鯓 are beyond the frequent characters of Big5, 碁 beyond the standard's own."""
    text = "監測時間,測站,溶氧,水溫,濁度,備註\n" + series(20, "碁鯤鯓,7.{i},25,9,")
    words = ("--time", "監測時間", "--signals", "溶氧")
    for named in ((), ("--encoding", "big5")):
        rows, _ = shown(text.encode("cp950"), *words, *named)
        assert [row["station"] for row in rows] == ["碁鯤鯓"] * 20


@pytest.mark.parametrize(
    "header", ["Temp (°C),SpCond (µS/cm)", "Température,Débit", "Gewässer,Trübung", "±,x²"]
)
def test_western_letters_are_not_taken_for_chinese(header: str) -> None:
    data = f"t,{header}\n".encode("cp1252")
    assert detect(lambda: io.BytesIO(data)) == ("cp1252", False)


def test_an_encoding_that_is_wrong_or_unknown_is_refused(shown: Any) -> None:
    text = "時間,pH\n2024-05-12,7\n".encode("cp950")
    words = ("--time", "時間", "--signals", "pH")
    for name, code in (
        *(
            ("utf-8", "recording-unreadable"),
            ("klingon", "option-wrong"),
            ("base64", "option-wrong"),
        ),
    ):
        _, (line,) = shown(text, *words, "--encoding", name, status=2)
        assert code in line
    packed = gzip.compress(text)
    assert len(shown(packed, *words, "--encoding", "big5")[0]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--station", "ph"), ("--station", "=x"), ("--item", "ph"), ("--value", "ph"),
        ("--station", "there-is-none=x"), ("--item", "a", "--value", "b"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(shown: Any, words: tuple[str, ...]) -> None:
    rows, lines = shown("t,ph\n2024-05-12,7\n", "--time", "t", "--signals", "ph", *words, status=2)
    assert (rows, len(lines)) == ([], 1)


@given(st.binary(max_size=400))
def test_any_bytes_are_rows_or_one_line(tmp_path_factory: Any, data: bytes) -> None:
    from vigil_edge.water.replay import replay
    from vigil_schemas.errors import VigilError
    from vigil_schemas.recordings.recording import Recording
    from vigil_schemas.recordings.tally import Tally
    from vigil_schemas.recordings.telling import lines

    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(b"t,ph,station\n2024-05-12,7,A\n" + data)
    tally = Tally()
    try:
        recording = Recording(path, ["t", "ph"])
        rows = list(replay(recording, "t", ["ph"], None, tally))
    except VigilError:
        return
    recording.close()
    assert len(rows) == tally.rows
    assert all("\n" not in line.text for line in lines(tally))
