"""How full the disk may be for whom, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from cloud_city import City
from gateways import event, new_name, observation, smoke
from ingest_bench import NOW, Bench
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform import raise_platform
from vigil_cloud.capacity.disk import Disk, Level, NoSpace, Usage, free_space
from vigil_cloud.capacity.dropped import count_dropped
from vigil_cloud.capacity.limits import MIB, DiskLimits
from vigil_cloud.database.engine import writing
from vigil_cloud.http import health
from vigil_cloud.ingest.commit import Committer, Outcome
from vigil_cloud.jobs import capacity
from vigil_cloud.jobs.models import JobRow

LIMITS = DiskLimits()
SIZES = st.integers(16 * MIB, 16 * 1024 * 1024 * MIB)


@given(total=SIZES, share=st.floats(0, 1), more=st.floats(0, 1))
def test_less_room_never_allows_more(total: int, share: float, more: float) -> None:
    free = int(total * share)
    less = int(free * more)
    here = free_space(LIMITS, Usage(total, total - free, free))
    assert free_space(LIMITS, Usage(total, total - less, less)).level <= here.level


@given(total=SIZES)
def test_every_disk_has_a_place_for_each_level(total: int) -> None:
    assert free_space(LIMITS, Usage(total, 0, total)).level is Level.OK
    assert free_space(LIMITS, Usage(total, total, 0)).level is Level.FULL
    readings = min(LIMITS.readings_bytes, int(total * LIMITS.readings_share))
    assert free_space(LIMITS, Usage(total, 0, readings - 1)).level is Level.EVENTS
    assert free_space(LIMITS, Usage(total, 0, readings // 2 - 1)).level is Level.ALARMS


class Fake:
    """A disk whose fill a test sets."""

    def __init__(self, folder: Path) -> None:
        self.total, self.free, self.clock = 1000 * MIB, 900 * MIB, 0.0
        self.disk = Disk(folder, LIMITS, usage=self._usage, monotonic=lambda: self.clock)

    def _usage(self, _folder: Path) -> Usage:
        return Usage(self.total, self.total - self.free, self.free)

    def fill(self, free_mib: int) -> None:
        self.free = free_mib * MIB
        self.clock += 1


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def test_the_reserve_is_laid_by_given_up_and_laid_by_again(fake: Fake, tmp_path: Path) -> None:
    reserve = tmp_path / "reserve"
    assert fake.disk.hold_reserve()
    assert reserve.stat().st_blocks * 512 >= 50 * MIB, "really taken, not a hole"
    assert fake.disk.release_reserve()
    assert not reserve.exists()
    assert not fake.disk.release_reserve()
    fake.fill(160)
    assert not fake.disk.hold_reserve(), "readings need that room"
    fake.fill(900)
    assert fake.disk.hold_reserve()
    assert [path.name for path in tmp_path.iterdir()] == ["reserve"]


def test_a_folder_that_is_not_there_yet_has_a_disk(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "a" / "b", LIMITS)
    assert disk.free_space().total > 0
    assert not disk.release_reserve()


def test_an_upload_is_measured_before_it_begins(fake: Fake) -> None:
    fake.fill(200)
    fake.disk.require(Level.LOW)
    with pytest.raises(NoSpace):
        fake.disk.require(Level.LOW, 60 * MIB)


# --- ingest ----------------------------------------------------------------------------------


def test_a_lane_waits_while_the_room_is_kept_from_it(
    build_bench: Callable[[], Bench], fake: Fake
) -> None:
    bench, gateway = build_bench(), new_name()
    fake.fill(140)
    released: list[int] = []

    def require() -> None:
        if len(released) < 3:
            released.append(1)
            fake.disk.require(Level.LOW)

    writer = bench.writer(require_room=require)
    payload = observation(gateway, 1, device=f"{gateway}-1", time=NOW)
    writer.store([bench.arrived(f"vigil/v1/{gateway}/observation", payload)])
    assert bench.metric("vigil_ingest_store_failures_total", store="disk") == 3
    assert bench.recorder.told[-1][1] == 1, "nothing was lost by waiting"


class FullOnce(Committer):
    """The disk is full at the first try, as SQLite says it."""

    tries = 0

    def write(self, session: Any, items: Any, now: Any) -> Outcome:
        self.tries += 1
        if self.tries == 1:
            full = Exception("database or disk is full")
            raise OperationalError("INSERT", None, full)
        return super().write(session, items, now)


def test_an_alarm_that_finds_the_disk_full_gets_the_reserve(
    build_bench: Callable[[], Bench], fake: Fake, tmp_path: Path
) -> None:
    bench, gateway = build_bench(), new_name()
    assert fake.disk.hold_reserve()
    committer = FullOnce([])
    writer = bench.writer(committer=committer, make_room=fake.disk.release_reserve)
    alarm = event(gateway, 1, smoke(NOW), subject="a", time=NOW, lane="alarm")
    writer.store([bench.arrived(f"vigil/v1/{gateway}/alarm", alarm)])
    assert committer.tries == 2
    assert not (tmp_path / "reserve").exists()
    assert writer.failing_since is None


def test_what_is_stored_together_is_bounded_in_bytes(build_bench: Callable[[], Bench]) -> None:
    bench = build_bench()
    waiting = bench.writer()._waiting
    large = [bench.arrived("t", b"x" * 400_000) for _ in range(7)]
    waiting.put(large)
    assert [len(waiting.take(500)) for _ in range(3)] == [3, 3, 1]


# --- readiness -------------------------------------------------------------------------------


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ASKED_FOR_S", 0.0)


@pytest.mark.usefixtures("asked_anew")
def test_ready_says_that_the_disk_is_full(city: City, fake: Fake) -> None:
    city.services.readiness["disk"] = fake.disk.check
    client = city.anonymous()
    assert client.get("/readyz").status_code == 200
    fake.fill(2)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["down"]) == (503, ["disk"])


@pytest.mark.usefixtures("asked_anew")
def test_ready_writes(city: City) -> None:
    """Given stores that can be read and not written, it is not ready."""
    client = city.anonymous()
    assert client.get("/readyz").json()["down"] == []
    with city.services.engine.connect() as connection:
        before = connection.exec_driver_sql("SELECT number FROM write_probe").scalar()
        assert before
    with writing(city.services.sessions) as session:
        session.connection().exec_driver_sql(
            "CREATE TRIGGER no_more BEFORE UPDATE ON write_probe"
            " BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    assert client.get("/readyz").json()["down"] == ["database"]


def test_ready_is_not_asked_of_the_stores_more_than_once_a_second(city: City) -> None:
    client = city.anonymous()
    for _ in range(20):
        client.get("/readyz")
    with city.services.engine.connect() as connection:
        written = connection.exec_driver_sql("SELECT number FROM write_probe").scalar()
    assert 1 <= int(written or 0) < 15


# --- told ------------------------------------------------------------------------------------


def standing(city: City, kind: str) -> list[AlertRow]:
    with city.services.sessions() as session:
        rows = select(AlertRow).where(AlertRow.kind == kind, AlertRow.active)
        return list(session.scalars(rows))


def look(city: City, fake: Fake) -> None:
    object.__setattr__(city.services, "disk", fake.disk)
    capacity.tell_disk(city.services)
    capacity.tell_shares(city.services)


def test_a_disk_that_fills_is_told_and_worse_is_told_again(city: City, fake: Fake) -> None:
    look(city, fake)
    assert standing(city, "cloud-disk") == []
    fake.fill(180)
    look(city, fake)
    look(city, fake)
    (alert,) = standing(city, "cloud-disk")
    assert (alert.severity, alert.detail["level"]) == ("major", "low")
    fake.fill(60)
    look(city, fake)
    (alert,) = standing(city, "cloud-disk")
    assert alert.severity == "critical"
    assert "readings and events wait" in alert.title
    fake.fill(900)
    look(city, fake)
    assert standing(city, "cloud-disk") == []


def test_each_machine_has_an_alert_of_its_own(
    city: City, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two machines whose disks are low: the one that is well again clears its own alert
    alone, and one that was taken away leaves none."""

    def on(name: str, free: int) -> None:
        monkeypatch.setattr("platform.node", lambda: name)
        with writing(city.services.sessions) as session:
            session.merge(JobRow(name=f"disk@{name}", period_s=5.0, due=city.time))
        fake.fill(free)
        look(city, fake)

    on("one", 180)
    on("two", 60)
    on("three", 900)
    told = {alert.detail["subject"]: alert.severity for alert in standing(city, "cloud-disk")}
    assert told == {"one": "major", "two": "critical"}
    assert all(name in one.title for one in standing(city, "cloud-disk") for name in [
        one.detail["subject"]
    ])  # fmt: skip

    on("one", 900)
    assert [one.detail["subject"] for one in standing(city, "cloud-disk")] == ["two"]
    with writing(city.services.sessions) as session:
        session.delete(session.get_one(JobRow, "disk@two"))
    on("one", 900)
    assert standing(city, "cloud-disk") == []


def test_the_alert_that_all_machines_had_together_ends(city: City, fake: Fake) -> None:
    """Given one that an earlier release raised."""
    with writing(city.services.sessions) as session:
        raise_platform(
            session,
            "cloud-disk",
            "cloud",
            severity="major",
            title="The server's disk",
            title_zh="伺服器磁碟",
            now=city.time,
        )
    look(city, fake)
    assert standing(city, "cloud-disk") == []


def test_who_sends_beyond_its_share_is_told_until_it_stops(city: City, fake: Fake) -> None:
    with writing(city.services.sessions) as session:
        count_dropped(session, "gw-east", "dead-letters", 7, 7000, city.time)
        count_dropped(session, "", "dead-letters", 1, 10, city.time)
    look(city, fake)
    found = {alert.gateway: alert for alert in standing(city, "quota")}
    assert set(found) == {"gw-east", ""}
    assert found["gw-east"].detail["dropped"] == {"dead-letters": 7}
    city.later(minutes=11)
    look(city, fake)
    assert standing(city, "quota") == []
