"""A cloud whose clock its caller moves: kept away from real cities, and otherwise the cloud."""

from __future__ import annotations

import dataclasses
import os
import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

import heavy_work
from city_ingest import CityIngest
from cloud_city import NOON, City, alarm
from vigil_cloud import cli, rehearsal
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import passwords
from vigil_cloud.jobs import work
from vigil_cloud.jobs.work import WorkKind


def test_it_is_refused_outside_the_demo_and_where_people_are(city: City) -> None:
    with pytest.raises(rehearsal.RehearsalRefused, match="demo settings"):
        rehearsal.require_empty(city.services)
    demo = city.services.settings.model_copy(update={"demo": True})
    with pytest.raises(rehearsal.RehearsalRefused, match="has accounts"):
        rehearsal.require_empty(dataclasses.replace(city.services, settings=demo))


def test_its_clock_goes_forward_only() -> None:
    clock = rehearsal.RehearsalClock(NOON)
    clock.move(NOON + timedelta(hours=1))
    with pytest.raises(rehearsal.ClockGoesBack) as refused:
        clock.move(NOON)
    assert refused.value.to == NOON
    assert clock() == NOON + timedelta(hours=1)


def test_quick_passwords_end_with_the_rehearsal() -> None:
    kept = passwords._hasher
    with passwords.quick():
        assert passwords._hasher.memory_cost < 100
        assert passwords.hash_password("four unrelated words").startswith("$argon2id$")
    assert passwords._hasher is kept


def test_a_step_does_what_is_due_by_its_time(city: City) -> None:
    """The window of a fire ends because the clock was moved, not because anybody waited."""
    ingest = CityIngest(city)._ingest
    clock = rehearsal.RehearsalClock(city.time)
    services = dataclasses.replace(city.services, now=clock)
    rehearsed = rehearsal.Rehearsal(services, clock, ingest)
    city.send(alarm(city.time), "alarm-1")

    rehearsed.step(city.time + timedelta(seconds=20))
    (asked,) = city.client("dispatcher").get("/api/v1/smoke/fires").json()["fires"]
    rehearsed.step(city.time + timedelta(seconds=61))
    (called,) = city.client("dispatcher").get("/api/v1/smoke/fires").json()["fires"]
    rehearsed.close()

    assert asked["phase"] == "asking"
    assert called["phase"] == "called"
    assert rehearsed.turns > 0


@pytest.mark.parametrize(
    ("next_after", "stored_after"),
    [
        (timedelta(minutes=1), timedelta(minutes=1)),  # beside that step, and by its clock
        (timedelta(hours=1), timedelta()),  # before such a leap
    ],
)
def test_heavy_work_of_a_step_ends_with_the_next(
    next_after: timedelta, stored_after: timedelta, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed elsewhere meanwhile; what is stored is the same in every run."""
    stored: list[tuple[int, bool, datetime]] = []

    def store(_session: Session, payload: Any, result: Any, now: datetime) -> None:
        stored.append((result[0], result[1] != os.getpid(), now))

    kind = WorkKind("square", lambda _, payload: payload["number"], heavy_work.square, store)
    monkeypatch.setattr(rehearsal, "work_kinds", lambda: [kind])
    clock = rehearsal.RehearsalClock(city.time)
    services = dataclasses.replace(city.services, now=clock)
    rehearsed = rehearsal.Rehearsal(services, clock, CityIngest(city)._ingest)
    with writing(services.sessions) as session:
        for number in (3, 4):
            work.enqueue(session, kind, str(number), {"number": number}, now=clock())
    began = city.time + timedelta(minutes=5)

    rehearsed.step(began)
    assert stored == []
    rehearsed.step(began + next_after)
    rehearsed.close()

    ended = began + stored_after
    assert stored == [(9, True, ended), (16, True, ended)]
    assert rehearsed.computed == 2


def test_the_command_opens_no_city_that_is_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIGIL_DATA_DIR", str(tmp_path / "cloud"))
    monkeypatch.setenv("VIGIL_SECRET_KEY", "0123456789abcdef" * 2)
    assert cli.main(["rehearse", "--start", "2026-03-02T00:00:00+08:00"]) == 2
    assert capsys.readouterr().err.startswith("vigil-cloud: rehearsal-refused: ")
    assert not (tmp_path / "cloud").exists()


def test_a_city_of_an_earlier_version_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused before its tables are brought up to this version."""
    path = tmp_path / "earlier.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO accounts VALUES (1)")
        database.commit()
    monkeypatch.setenv("VIGIL_DEMO", "true")
    monkeypatch.setenv("VIGIL_DATA_DIR", str(tmp_path / "cloud"))
    monkeypatch.setenv("VIGIL_DATABASE_URL", f"sqlite:///{path}")
    assert cli.main(["rehearse", "--start", "2026-03-02T00:00:00+08:00"]) == 2
    assert "has accounts" in capsys.readouterr().err
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("accounts",)]


@pytest.mark.parametrize("start", ["yesterday", "2026-03-02T00:00:00"])
def test_a_start_without_an_offset_is_refused(
    start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["rehearse", "--start", start])
    assert ended.value.code == 2
    assert re.search("no time with an offset", capsys.readouterr().err)
