"""A recording flagged column by column has the flags of the same readings one by one."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.cli import main
from vigil_edge.water import replay as replay_module
from vigil_edge.water.qc_columns import ColumnSondeQc
from vigil_edge.water.sonde import SondeQc
from vigil_edge.water.times_at_once import TimesAtOnce, iso_texts
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.times import TimeReader

LIMITS = (
    Limits((0.0, 14.0), (5.0, 10.0), spike_floor=0.2, flat_s=3600.0, flat_readings=4),
    Limits(None, None, spike_floor_share=0.1, flat_s=7200.0, flat_above=0.0),
    Limits((-5.0, 50.0), None, rate_suspect=0.01, spike=False, still=(6.9, 7.1), flat_s=1800.0),
)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[float], list[list[float | None]]]:
    random_ = random.Random(draw(st.integers(0, 2**32)))
    times, rows = [], []
    t, base, stuck = 0.0, [7.0, 7.0, 7.0], 0
    trouble = draw(st.sampled_from([0.0, 0.01, 0.1]))
    for _ in range(draw(st.integers(1, 500))):
        step = 900.0
        if random_.random() < trouble:
            step = random_.choice([0.0, -1800.0, 870.5, 901.0, 90_000.0])
        t += step
        if stuck == 0 and random_.random() < 0.02:
            stuck = random_.choice([3, 10, 40])
        if stuck:
            stuck -= 1
        else:
            base = [value + round(random_.gauss(0, 0.02), 2) for value in base]
        row: list[float | None] = list(base)
        for at in range(3):
            if random_.random() < trouble:
                row[at] = random_.choice([None, math.inf, -math.inf, 99.0, base[at] + 3, 0.0])
        times.append(t)
        rows.append(row)
    return times, rows


@given(recordings(), st.integers(1, 200))
def test_columns_have_the_flags_of_readings_one_by_one(
    recording: tuple[list[float], list[list[float | None]]], size: int
) -> None:
    times, rows = recording
    one_by_one, by_column = SondeQc(LIMITS), ColumnSondeQc(LIMITS)
    wanted = [one_by_one.check(t, row) for t, row in zip(times, rows, strict=True)]
    found: list[list[int]] = []
    for number, at in enumerate(range(0, len(rows), size)):
        some = slice(at, at + size)
        if number % 3 == 2:  # the two may take turns
            pairs = zip(times[some], rows[some], strict=True)
            found += [[int(flag) for flag in by_column.check(t, row)] for t, row in pairs]
            continue
        numbers = np.array(rows[some], dtype=float)
        columns = by_column.check_columns(np.array(times[some]), list(numbers.T))
        found += np.stack(columns).T.tolist()
    assert found == wanted


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S+08:00", "%d/%m/%Y %H:%M"]
)
def test_times_at_once_are_those_one_by_one(form: str) -> None:
    start = datetime(2019, 12, 30, 23, 15)  # noqa: DTZ001 - as a recording writes it
    texts = [(start + timedelta(minutes=15 * i)).strftime(form) for i in range(500)]
    reader = TimeReader()
    found = TimesAtOnce(TimeReader()).read(texts)
    assert found is not None
    wanted = [reader.read(text) for text in texts]
    assert [datetime.fromisoformat(text) for text in iso_texts(found)] == wanted
    assert TimesAtOnce(TimeReader()).read([*texts, "Mean"]) is None


ODD = ["", "NULL", "-9999", ">4000", "<0.1", "Eqp", "+++++", "1_0", "nan", '"7,1"', "-7999", "*"]


@pytest.mark.parametrize("quoted", [False, True])
def test_a_table_says_the_same_however_its_rows_are_taken(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    quoted: bool,
) -> None:
    random_ = random.Random(3)
    lines, time = ["when,pH,cond,note"], datetime(2024, 5, 1, tzinfo=UTC)
    for number in range(3000):
        time += timedelta(minutes=random_.choice([15] * 200 + [0, -60, 600]))
        cells = [f"{7 + random_.gauss(0, 0.05):.2f}", f"{500 + random_.gauss(0, 3):.1f}"]
        if random_.random() < 0.02:
            cells[random_.randrange(2)] = random_.choice(ODD)
        stamp = f"{time:%Y-%m-%d %H:%M:%S}"
        note = 'a "word"' if number == 1700 else ""
        line = ",".join([f'"{stamp}"' if quoted else stamp, *cells, note])
        lines.append(line if random_.random() > 0.003 else random_.choice(["", "Mean,7,500,", "x"]))
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["water", "replay", str(path), "--time", "when", "--signals", "pH,cond"]
    assert main(words) == 0
    by_columns = capsys.readouterr()
    monkeypatch.setattr(replay_module, "_ONE_BY_ONE", 1_000_000)
    assert main(words) == 0
    one_by_one = capsys.readouterr()
    assert by_columns.err == one_by_one.err
    assert list(map(json.loads, by_columns.out.splitlines())) == list(
        map(json.loads, one_by_one.out.splitlines())
    )
    monkeypatch.undo()
    monkeypatch.setattr(replay_module, "find_spec", lambda _name: None)
    assert main(words) == 0
    without_numpy = capsys.readouterr()
    assert without_numpy.out == one_by_one.out
    first, *rest = without_numpy.err.splitlines()
    assert "without numpy" in first
    assert rest == one_by_one.err.splitlines()
