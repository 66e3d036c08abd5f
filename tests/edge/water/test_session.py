"""Sessions of a hand-held probe: each row once, whatever happens to files and agent."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.memory_context import MemoryContext
from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.examination import Text
from vigil_edge.water.domain import WATER
from vigil_edge.water.errors import SessionFolder
from vigil_edge.water.session import SessionPipeline
from vigil_edge.water.session_settings import SessionSettings
from vigil_schemas.types import QartodFlag

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)
SIGNALS = [
    {"name": "pH", "column": "pH", "unit": "pH", "range_fail": [0, 14], "range_suspect": [5, 10]},
    {"name": "specific_conductance", "column": "SpCond", "unit": "S/m", "scale": 0.0001},
]


def settings(folder: Path, **keys: Any) -> SessionSettings:
    base = {"device": "handheld-1", "driver": "files", "folder": str(folder), "settle_s": 0}
    base |= {"time": "Time", "signal": SIGNALS, "latitude_column": "Lat", "longitude_column": "Lon"}
    return SessionSettings.model_validate(base | keys)


def table(rows: int, begin: datetime = NOW - timedelta(hours=40), **cells: str) -> str:
    lines = ["Time,Lat,Lon,pH,SpCond"]
    lines += [
        f"{(begin + timedelta(seconds=30 * n)).isoformat()},23.48{n % 10},120.44,"
        f"{cells.get(f'ph{n}', 7.1)},{430 + n}"
        for n in range(rows)
    ]
    return "\n".join(lines) + "\n"


def put(folder: Path, name: str, text: str, age_s: float = 60) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    at = (NOW - timedelta(seconds=age_s)).timestamp()
    os.utime(path, (at, at))
    return path


def context(states: dict[str, bytes] | None = None) -> MemoryContext:
    return MemoryContext(states=states, clock=lambda: NOW)


async def test_a_session_is_taken_with_its_own_times_and_places(tmp_path: Path) -> None:
    put(tmp_path, "monday.csv", table(3, ph1="4.2"))
    here = context()
    await SessionPipeline(settings(tmp_path), here).look()
    found = [(one.parameter, one.value, one.unit, one.flag) for one in here.readings()]
    assert found[:4] == [
        ("pH", 7.1, "pH", QartodFlag.GOOD),
        ("specific_conductance", pytest.approx(0.043), "S/m", QartodFlag.NOT_EVALUATED),
        ("latitude", 23.48, "lat", QartodFlag.GOOD),
        ("longitude", 120.44, "lon", QartodFlag.GOOD),
    ]
    assert found[4] == ("pH", 4.2, "pH", QartodFlag.SUSPECT)
    assert here.readings()[-1].time == NOW - timedelta(hours=40) + timedelta(seconds=60)
    assert here.reports == [("ok", None, None)]


async def test_the_same_file_under_another_name_brings_nothing(tmp_path: Path) -> None:
    states: dict[str, bytes] = {}
    put(tmp_path, "a.csv", table(5))
    first = context(states)
    await SessionPipeline(settings(tmp_path), first).look()
    put(tmp_path, "copy of a.csv", table(5), age_s=30)
    second = context(states)
    await SessionPipeline(settings(tmp_path), second).look()
    assert (len(first.readings()), second.readings()) == (20, [])


async def test_a_file_that_grows_is_taken_under_the_same_names(tmp_path: Path) -> None:
    states: dict[str, bytes] = {}
    put(tmp_path, "a.csv", table(2000))
    first = context(states)
    pipe = SessionPipeline(settings(tmp_path), first)
    await pipe.look()
    put(tmp_path, "a.csv", table(2400), age_s=30)
    await pipe.look()
    ids = [out.id for out in first.accepted]
    assert len(first.readings()) == 4 * (2000 + 2400)
    assert len(set(ids)) == 4 * 2400 / 200, "the cloud takes one of each id"


async def test_a_crash_in_the_middle_of_a_file_costs_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: dict[str, bytes] = {}
    put(tmp_path, "a.csv", table(3000))
    first = context(states)
    broken = SessionPipeline(settings(tmp_path), first)
    accept, calls = first.accept, 0

    async def twice(*words: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError("power cut")
        await accept(*words)

    monkeypatch.setattr(first, "accept", twice)
    with pytest.raises(OSError, match="power cut"):
        await broken.look()
    second = context(states)
    await SessionPipeline(settings(tmp_path), second).look()
    every = [*first.readings(), *second.readings()]
    assert len(every) == len({(one.parameter, one.time) for one in every}) == 12_000


async def test_what_cannot_be_read_is_told_and_costs_no_other_file(tmp_path: Path) -> None:
    put(tmp_path, "bad.csv", "Time,pH\n2026-03-01T00:00Z,7\n", age_s=90)
    put(tmp_path, "good.csv", table(2))
    put(tmp_path, "picture.jpg", "no table")
    here = context()
    pipe = SessionPipeline(settings(tmp_path), here)
    await pipe.look()
    await pipe.look()
    assert len(here.readings()) == 8
    state, code, said = here.reports[-1]
    assert (state, code) == ("degraded", "session-unreadable")
    assert said is not None
    assert said.startswith("bad.csv: ")
    assert "SpCond" in said
    assert here.counters["session-unreadable"] == 1, "it is looked at again once it changes"
    (tmp_path / "bad.csv").unlink()
    await pipe.look()
    assert here.reports[-1] == ("ok", None, None)


async def test_rows_that_lie_ahead_are_left_out_and_told(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", table(4, begin=NOW + timedelta(minutes=9, seconds=15)))
    here = context()
    await SessionPipeline(settings(tmp_path), here).look()
    assert len(here.readings()) == 8
    assert "2 rows lie in the future" in (here.reports[-1][2] or "")


async def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", table(2), age_s=5)
    here = context()
    await SessionPipeline(settings(tmp_path, settle_s=10), here).look()
    assert here.readings() == []


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    gone = settings(tmp_path / "gone")
    with pytest.raises(SessionFolder):
        await SessionPipeline(gone, context()).look()
    examine = WATER.examine
    assert examine is not None
    assert not next(iter(examine(gone, Text("a", "b")))).well
    assert next(iter(examine(settings(tmp_path), Text("a", "b")))).well


def test_it_is_a_device_of_its_own() -> None:
    made: DeviceSettings = settings(Path("/x"))
    (described,) = WATER.describe(made)
    assert described.parameters == ["pH", "specific_conductance", "latitude", "longitude"]
    assert described.driver == "files"


@pytest.mark.parametrize(
    "keys",
    [{"latitude_column": None}, {"signal": []}, {"station": "A"}, {"signal": [*SIGNALS, *SIGNALS]}],
)
def test_settings_that_cannot_be(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(Path("/x"), **keys)
