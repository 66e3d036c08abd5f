"""Storing while something fails: nothing half done, nothing lost, and no lane that stands still."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

import servers
from cloud.ingest.alarms import alarm, ids_handled, note, ready_gateway
from gateways import EPOCH, new_name, observation
from ingest_bench import NOW, Bench
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.domain.port import Received, Unprepared
from vigil_cloud.ingest.commit import Committer, Item, Outcome
from vigil_cloud.timeseries.port import (
    Point,
    Series,
    TimeSeriesRejected,
    TimeSeriesUnavailable,
)
from vigil_schemas.smoke import SmokeAlarm

HOUR = timedelta(hours=1)


class Stumbling:
    """A room with a mistake: it fails for one event, after it has written something."""

    types = frozenset({SmokeAlarm.TYPE})

    def __init__(self, error: Exception, times: int = 1000) -> None:
        self.error = error
        self.times = times

    def handle(self, session: Session, message: Received) -> None:
        gateway = session.get_one(Gateway, message.gateway)
        note(gateway, f"half-{message.envelope.id}")
        session.flush()
        if message.envelope.id == "bad" and self.times:
            self.times -= 1
            raise self.error


def test_a_room_that_fails_leaves_nothing_half_done(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    messages = [alarm(gateway, n, name) for n, name in enumerate(("a", "bad", "c"), 1)]

    bench.writer([Stumbling(KeyError("no such thing"))]).store(
        [bench.arrived(*message) for message in messages]
    )

    assert ids_handled(bench, gateway) == ["half-a", "half-c"]
    (letter,) = bench.dead_letters()
    assert (letter.reason, letter.detail) == ("handler-failed", "KeyError: 'no such thing'")
    assert bench.recorder.told == [(f"/{gateway}/alarm/{EPOCH}", 3, (), 1)]


def test_a_room_that_lost_a_race_is_asked_again(bench: Bench) -> None:
    from sqlalchemy.orm.exc import StaleDataError

    gateway = ready_gateway(bench)

    bench.writer([Stumbling(StaleDataError("another was faster"), times=2)]).store(
        [bench.arrived(*alarm(gateway, 1, "bad"))]
    )

    assert ids_handled(bench, gateway) == ["half-bad"]
    assert bench.dead_letters() == []


class Wanting:
    """A room that needs something first, which changes again as often as ``times`` says."""

    types = Stumbling.types

    def __init__(self, times: int) -> None:
        self.times = times
        self.inside: list[bool] = []

    def handle(self, session: Session, message: Received) -> None:
        gateway = session.get_one(Gateway, message.gateway)
        note(gateway, f"half-{message.envelope.id}")
        session.flush()
        if self.times:
            raise Unprepared(self.prepare)

    def prepare(self, sessions: sessionmaker[Session]) -> None:
        self.times -= 1
        with writing(sessions) as session:  # nobody holds anything
            self.inside.append(session.scalars(select(Gateway)).first() is not None)


@pytest.mark.parametrize("times", [1, 3, 8])
def test_what_a_room_needs_first_is_made_outside_of_the_transaction(
    bench: Bench, times: int
) -> None:
    gateway = ready_gateway(bench)
    room = Wanting(times)

    bench.writer([room]).store([bench.arrived(*alarm(gateway, n, f"m{n}")) for n in (1, 2)])

    assert room.inside == [True] * times
    assert ids_handled(bench, gateway) == ["half-m1", "half-m2"]
    assert bench.dead_letters() == []


def test_one_message_that_waits_for_what_is_made_again_and_again_is_a_failure(
    bench: Bench,
) -> None:
    """Until it is stored: whoever looks at the intake sees that it stands."""
    gateway = ready_gateway(bench)
    writer = bench.writer([Wanting(7)])

    writer.store([bench.arrived(*alarm(gateway, 1, "m1"))])

    assert bench.metric("vigil_ingest_store_failures_total", store="unprepared") == 2
    assert ids_handled(bench, gateway) == ["half-m1"]
    assert writer.failing_since is None


class Moody:
    """The real time series behind a door that can be shut."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.errors: list[Exception] = []

    def write(self, points: list[Point]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.inner.write(points)


def test_a_store_that_is_away_is_tried_until_it_is_back(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    door = Moody(bench.services.timeseries)
    door.errors = [TimeSeriesUnavailable("away")] * 3
    writer = bench.writer(timeseries=door)

    writer.store(
        [
            bench.arrived(
                f"vigil/v1/{gateway}/observation",
                observation(gateway, 1, device=device, time=NOW),
            )
        ]
    )

    series = Series("water", gateway, device, "pH")
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == 1
    assert bench.metric("vigil_ingest_store_failures_total", store="timeseries") == 3
    assert writer.failing_since is None


def test_a_first_commit_that_fails_hides_no_device(bench: Bench) -> None:
    """Given a database that goes away at the commit, the device is known when it is back."""
    gateway, device = new_name(), new_name("sonde")
    failing = [OperationalError("COMMIT", {}, Exception("away"))]

    def sessions() -> Session:
        session = bench.services.sessions()
        commit = session.commit

        def stumble() -> None:
            if failing:
                session.rollback()
                raise failing.pop()
            commit()

        session.commit = stumble  # type: ignore[method-assign]  # breaks once
        return session

    payload = observation(gateway, 1, device=device, time=NOW)
    writer = bench.writer(sessions=sessions)
    writer.store([bench.arrived(f"vigil/v1/{gateway}/observation", payload)])

    assert bench.metric("vigil_ingest_store_failures_total", store="database") == 1
    with bench.services.sessions() as session:
        assert session.get_one(Gateway, gateway).last_seen == NOW
        assert session.get_one(Device, device).last_seen == NOW


def test_a_refusal_that_cannot_be_stored_is_passed_by(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a message at which ingest itself breaks, also when it is only to be refused, the
    others are stored, and its gateway hears that it is not."""
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"
    bad = b"no message that anybody can even refuse"
    good = [observation(gateway, n, device=device, time=NOW) for n in (1, 2)]
    write = Committer.write

    def breaks(self: Committer, session: Session, items: Sequence[Item], now: datetime) -> Outcome:
        if any(item.arrived.payload == bad for item in items):
            raise ZeroDivisionError
        return write(self, session, items, now)

    monkeypatch.setattr(Committer, "write", breaks)
    writer = bench.writer()
    monkeypatch.setattr(writer._stopping, "wait", lambda _s: False)
    writer.store([bench.arrived(topic, payload) for payload in (good[0], bad, good[1])])

    assert bench.recorder.told[-1][:2] == (f"/{gateway}/observation/{EPOCH}", 2)
    assert bench.recorder.acknowledged == 3
    assert bench.dead_letters() == []


def test_the_writer_outlives_whatever_its_sender_throws(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"
    receipt = bench.recorder.receipt
    raised: list[BaseException] = []

    def stumble(*arguments: Any) -> None:
        if not raised:
            raised.append(RuntimeError("the way back is broken"))
            raise raised[0]
        receipt(*arguments)

    monkeypatch.setattr(bench.recorder, "receipt", stumble)
    writer = bench.writer()
    writer.start()
    for n in (1, 2):
        payload = observation(gateway, n, device=device, time=NOW)
        writer._waiting.put([bench.arrived(topic, payload)])
        servers.eventually(lambda n=n: bench.recorder.acknowledged == n, f"{n} dealt with")  # type: ignore[misc]  # mypy sees no type in a default

    assert writer.alive
    writer.stop(timeout_s=60)
    assert raised
    assert bench.recorder.told == [(f"/{gateway}/observation/{EPOCH}", 2, (), 0)]


def test_points_that_no_store_takes_are_dead_letters(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"
    door = Moody(bench.services.timeseries)
    bad = Point(Series("water", gateway, device, "pH"), int(NOW.timestamp()) * 1_000_000, 12.5, 1)
    door.errors = [TimeSeriesRejected("beyond the retention policy", [bad])]

    bench.writer(timeseries=door).store(
        [
            bench.arrived(topic, observation(gateway, 1, device=device, time=NOW)),
            bench.arrived(topic, observation(gateway, 2, device=device, time=NOW + HOUR / 60)),
        ]
    )

    (letter,) = bench.dead_letters()
    assert letter.reason == "timeseries-rejected"
    assert bench.recorder.told == [(f"/{gateway}/observation/{EPOCH}", 2, (), 1)]


def test_a_message_that_breaks_ingest_itself_is_found_and_set_aside(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"

    class Allergic(Moody):
        def write(self, points: list[Point]) -> None:
            if any(point.time_us % 60_000_000 == 7_000_000 for point in points):
                raise RuntimeError("a mistake of ours")
            self.inner.write(points)

    times = [NOW + n * timedelta(minutes=1) for n in range(4)]
    times[2] += timedelta(seconds=7)
    bench.writer(timeseries=Allergic(bench.services.timeseries)).store(
        [
            bench.arrived(topic, observation(gateway, n, device=device, time=time))
            for n, time in enumerate(times, 1)
        ]
    )

    (letter,) = bench.dead_letters()
    assert (letter.reason, letter.detail) == ("internal", "RuntimeError: a mistake of ours")
    series = Series("water", gateway, device, "pH")
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == 3
    assert bench.recorder.told[-1] == (f"/{gateway}/observation/{EPOCH}", 4, (), 1)


def test_stopping_while_a_store_is_away_ends_the_thread(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    door = Moody(bench.services.timeseries)
    door.errors = [TimeSeriesUnavailable("away")] * 100_000
    writer = bench.writer(timeseries=door)
    writer.start()
    payload = observation(gateway, 1, device=device, time=NOW)
    writer._waiting.put([bench.arrived(f"vigil/v1/{gateway}/observation", payload)])
    servers.eventually(lambda: writer.failing_since, "the writer is waiting")

    writer.stop(timeout_s=60)

    assert not writer._thread.is_alive()
    assert bench.recorder.told == []
