"""Storing: exactly once whatever arrives how often in which order, and nothing blocks a lane."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import servers
from gateways import EPOCH, birth, death, event, new_name, observation, smoke
from ingest_bench import NOW, Bench
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.seen import enrol
from vigil_cloud.domain.port import Received
from vigil_cloud.ingest.commit import Committer, Item, Outcome
from vigil_cloud.ingest.models import TakenEvent, Watermark
from vigil_cloud.ingest.queue import Arrived
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.timeseries.port import (
    Point,
    Series,
    TimeSeriesRejected,
    TimeSeriesUnavailable,
)
from vigil_schemas.gateway import DeviceHealth, GatewayHealth
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import ClockQuality

HOUR = timedelta(hours=1)


def note(gateway: Gateway, event_id: str) -> None:
    gateway.health = {"ids": [*(gateway.health or {}).get("ids", []), event_id]}


class Alarms:
    """A room that writes down what it was handed, in the database as rooms do."""

    types = frozenset({SmokeAlarm.TYPE})

    def handle(self, session: Session, message: Received) -> None:
        with session.no_autoflush:
            gateway = session.get_one(Gateway, message.gateway)
        note(gateway, message.envelope.id)


def alarm(gateway: str, sequence: int, event_id: str, at: Any = NOW) -> tuple[str, bytes]:
    payload = event(
        gateway, sequence, smoke(at), subject="a-1", time=at, lane="alarm", event_id=event_id
    )
    return f"vigil/v1/{gateway}/alarm", payload


def ids_handled(bench: Bench, gateway: str) -> list[str]:
    with bench.services.sessions() as session:
        return list((session.get_one(Gateway, gateway).health or {}).get("ids", []))


def ready_gateway(bench: Bench) -> str:
    name = new_name()
    with bench.services.sessions() as session:
        enrol(session, name, NOW)
        session.commit()
    return name


def test_readings_are_stored_and_told(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    payload = observation(gateway, 1, device=device, time=NOW, records=70)

    bench.writer().store([bench.arrived(f"vigil/v1/{gateway}/observation", payload)])

    series = Series("water", gateway, device, "pH")
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == 10
    assert bench.recorder.told == [(f"/{gateway}/observation/{EPOCH}", 1, (), 0)]
    assert bench.recorder.acknowledged == 1
    assert bench.metric("vigil_ingest_points_total") == 70
    with bench.services.sessions() as session:
        row = session.get_one(Device, device)
        assert (row.gateway, row.domain, row.last_seen) == (gateway, "water", NOW)
        assert row.units["specific_conductance"] == "S/m"
        assert "turbidity_FNU" not in row.units


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    order=st.lists(st.integers(1, 8), min_size=1, max_size=24),
    cuts=st.lists(st.integers(0, 24), max_size=4),
)
def test_duplicates_and_reorderings_are_harmless(
    bench: Bench, order: list[int], cuts: list[int]
) -> None:
    """Given each message any number of times in any order and grouping, each counts once."""
    gateway, device = ready_gateway(bench), new_name("sonde")
    writer = bench.writer([Alarms()])
    topic = f"vigil/v1/{gateway}/observation"
    arrived = []
    for n in order:
        arrived.append(bench.arrived(*alarm(gateway, n, f"event-{n}")))
        payload = observation(gateway, n, device=device, time=NOW + n * timedelta(minutes=1))
        arrived.append(bench.arrived(topic, payload))

    edges = sorted({0, len(arrived), *(2 * cut for cut in cuts if 2 * cut < len(arrived))})
    for first, last in pairwise(edges):
        writer.store(arrived[first:last])

    taken = set(order)
    assert sorted(ids_handled(bench, gateway)) == sorted(f"event-{n}" for n in taken)
    series = Series("water", gateway, device, "level")
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == len(taken)
    stored = next(n for n in range(10) if n + 1 not in taken)
    last = {source: (mark, beyond) for source, mark, beyond, _ in bench.recorder.told}
    for lane in ("alarm", "observation"):
        mark, beyond = last[f"/{gateway}/{lane}/{EPOCH}"]
        assert mark == stored
        assert {n for a, b in beyond for n in range(a, b + 1)} == {n for n in taken if n > stored}


def test_the_same_fact_under_two_numbers_is_taken_once(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    writer = bench.writer([Alarms()])

    writer.store([bench.arrived(*alarm(gateway, n, "the-same")) for n in (1, 2)])
    writer.store([bench.arrived(*alarm(gateway, 3, "the-same"))])

    assert ids_handled(bench, gateway) == ["the-same"]
    assert bench.recorder.told[-1] == (f"/{gateway}/alarm/{EPOCH}", 3, (), 0)
    assert bench.metric("vigil_ingest_duplicates_total") == 2


def test_two_gateways_may_use_the_same_event_id(bench: Bench) -> None:
    gateways = [ready_gateway(bench), ready_gateway(bench)]

    bench.writer([Alarms()]).store([bench.arrived(*alarm(g, 1, "id-1")) for g in gateways])

    assert [ids_handled(bench, g) for g in gateways] == [["id-1"], ["id-1"]]


def test_a_refused_message_is_kept_counted_and_passed_by(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    topic = f"vigil/v1/{gateway}/alarm"
    wrong = event(
        gateway, 2, DeviceHealth(device="a-1", state="ok", since=NOW), subject="a-1", time=NOW
    )
    wrong = wrong.replace(b"/event/", b"/alarm/").replace(b'"ok"', b'"odd"')
    good = [alarm(gateway, n, f"e-{n}") for n in (1, 3)]
    writer = bench.writer([Alarms()])

    writer.store(
        [
            bench.arrived(*good[0]),
            bench.arrived(topic, wrong),
            bench.arrived(topic, b"{" + b"x" * 100_000),
            bench.arrived(*good[1]),
        ]
    )
    writer.store([bench.arrived(topic, b"{" + b"x" * 100_000)])

    assert ids_handled(bench, gateway) == ["e-1", "e-3"]
    assert bench.recorder.told[0] == (f"/{gateway}/alarm/{EPOCH}", 3, (), 1)
    letters = bench.dead_letters()
    assert [(one.reason, one.count, one.gateway) for one in letters] == [
        ("wrong-schema", 1, gateway),
        ("malformed-json", 2, gateway),
    ]
    assert letters[0].payload == wrong
    assert len(letters[1].payload) == letters[1].size == 100_001, "of an alarm everything is kept"
    assert bench.metric("vigil_ingest_refused_total", reason="malformed-json") == 2


def test_text_that_no_database_takes_is_no_obstacle(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    topic = f"vigil/v1/{gateway}/alarm"
    nul = alarm(gateway, 1, "e")[1].replace(b'"test"', b'"te\\u0000st"')
    surrogate = alarm(gateway, 2, "e2")[1].replace(b'"test"', b'"\\ud800"')

    bench.writer().store([bench.arrived(topic, p) for p in (nul, surrogate, b'"\x00"')])

    assert [one.reason for one in bench.dead_letters()] == [
        "shape-doubtful",
        "shape-doubtful",
        "malformed-json",
    ]


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


def test_a_stranger_is_refused_until_it_is_added(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"
    writer = bench.writer(open_=False)
    series = Series("water", gateway, device, "pH")

    writer.store([bench.arrived(topic, observation(gateway, 1, device=device, time=NOW))])
    assert [one.reason for one in bench.dead_letters()] == ["unknown-gateway"]
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == 0
    with bench.services.sessions() as session:
        assert session.get(Gateway, gateway) is None
        enrol(session, gateway, NOW)
        session.commit()

    writer.store([bench.arrived(topic, observation(gateway, 2, device=device, time=NOW))])
    assert bench.services.timeseries.count(series, NOW, NOW + HOUR) == 1


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


def test_a_clock_that_is_set_back_does_not_silence_a_gateway(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"
    writer = bench.writer()
    for n, moment in enumerate((NOW, NOW - HOUR), 1):
        bench.clock[0] = moment
        writer.store([bench.arrived(topic, observation(gateway, n, device=device, time=moment))])

    with bench.services.sessions() as session:
        assert session.get_one(Gateway, gateway).last_seen == NOW - HOUR


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


def test_the_writer_outlives_whatever_its_sender_throws(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    topic = f"vigil/v1/{gateway}/observation"
    receipt = bench.recorder.receipt
    raised: list[BaseException] = []

    def stumble(*arguments: Any) -> None:
        if not raised:
            raised.append(RuntimeError("the way back is broken"))
            raise raised[0]
        receipt(*arguments)

    bench.recorder.receipt = stumble  # type: ignore[method-assign]  # breaks once
    writer = bench.writer()
    writer.start()
    for n in (1, 2):
        payload = observation(gateway, n, device=device, time=NOW)
        writer._waiting.put([bench.arrived(topic, payload)])
        servers.eventually(lambda n=n: bench.recorder.acknowledged == n, f"{n} dealt with")  # type: ignore[misc]  # mypy sees no type in a default

    assert writer.alive
    writer.stop(timeout_s=20)
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


def test_several_writers_at_once_keep_one_mark(
    bench: Bench, build_bench: Callable[[], Bench]
) -> None:
    """Given two processes that share a subscription, one source's messages spread over both."""
    gateway = ready_gateway(bench)
    benches = [bench, build_bench()]
    problems: list[BaseException] = []

    def work(mine: Bench, numbers: range) -> None:
        try:
            writer = mine.writer([Alarms()])
            for n in numbers:
                writer.store([mine.arrived(*alarm(gateway, n, f"e-{n}"))])
        except BaseException as error:
            problems.append(error)

    # Both have every third message, as after a redelivery.
    threads = [
        threading.Thread(target=work, args=(benches[0], range(1, 41))),
        threading.Thread(target=work, args=(benches[1], range(60, 20, -1))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not problems
    handled = ids_handled(bench, gateway)
    assert sorted(handled) == sorted(f"e-{n}" for n in range(1, 61))
    with bench.services.sessions() as session:
        mark = session.get_one(Watermark, f"/{gateway}/alarm/{EPOCH}")
        assert (mark.stored, mark.beyond) == (60, [])
        assert session.scalar(select(func.count()).select_from(TakenEvent)) == 60


class Meeting:
    """A room whose first message of each batch waits a moment for the other batch's."""

    types = frozenset({GatewayHealth.TYPE})

    def __init__(self) -> None:
        self._both = threading.Barrier(2)

    def handle(self, _session: Session, _message: Received) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            self._both.wait(timeout=1)


def test_two_batches_never_wait_for_each_other(bench: Bench) -> None:
    """Given two lanes that tell of the same gateways in opposite orders, it is no deadlock."""
    one, other = ready_gateway(bench), ready_gateway(bench)
    meeting = Meeting()
    health = GatewayHealth(
        uptime_s=1,
        resident_bytes=1,
        cpu_percent=1,
        disk_free_bytes=1,
        clock_quality=ClockQuality.SYNCHRONISED,
        outbox=[],
        sources=[],
    )

    def batch(lane: str, *gateways: str) -> list[Arrived]:
        return [
            bench.arrived(
                f"vigil/v1/{name}/{lane}",
                event(name, 1, health, subject=name, time=NOW, lane=lane),
            )
            for name in gateways
        ]

    batches = [batch("event", one, other), batch("alarm", other, one)]
    threads = [
        threading.Thread(target=bench.writer([meeting]).store, args=(arrived,))
        for arrived in batches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert bench.dead_letters() == []
    assert bench.metric("vigil_ingest_store_failures_total", store="database") == 0


def test_more_gaps_than_can_be_told_of_wait_their_turn(bench: Bench) -> None:
    gateway = ready_gateway(bench)
    writer = bench.writer([Alarms()])
    numbers = [2 * n for n in range(1, 301)]

    writer.store([bench.arrived(*alarm(gateway, n, f"e-{n}")) for n in numbers])
    assert len(ids_handled(bench, gateway)) == 300, "an alarm waits for no gap"
    assert sum(b - a + 1 for a, b in bench.recorder.told[-1][2]) == 256

    rest = sorted({*numbers, *range(1, 601, 2)})
    writer.store([bench.arrived(*alarm(gateway, n, f"e-{n}")) for n in rest])
    assert len(ids_handled(bench, gateway)) == 600
    assert bench.recorder.told[-1] == (f"/{gateway}/alarm/{EPOCH}", 600, (), 0)


def test_birth_and_death_are_news_once(bench: Bench) -> None:
    gateway = new_name()
    topic = f"vigil/v1/{gateway}/status"
    writer = bench.writer()

    def status(data: Any) -> None:
        payload = event(gateway, None, data, subject=gateway, time=NOW, lane="status")
        writer.store([bench.arrived(topic, payload)])

    def row() -> Gateway:
        with bench.services.sessions() as session:
            return session.get_one(Gateway, gateway)

    status(birth(NOW, session=2))
    assert (row().connected, row().offline, row().session) == (True, False, 2)
    status(death(session=1))  # the last will of a connection that was replaced
    assert row().connected
    status(death(session=2))
    assert (row().connected, row().offline) == (False, True)
    bench.clock[0] += timedelta(minutes=1)
    status(birth(NOW, session=2))  # retained, heard again: it stays dead
    assert not row().connected
    status(birth(NOW, session=3))
    assert (row().connected, row().offline) == (True, False)


@pytest.mark.parametrize("payload", [b"", b"{}"])
def test_status_without_content(bench: Bench, payload: bytes) -> None:
    bench.writer().store([bench.arrived(f"vigil/v1/{new_name()}/status", payload)])

    assert len(bench.dead_letters()) == (1 if payload else 0)


def test_stopping_while_a_store_is_away_ends_the_thread(bench: Bench) -> None:
    gateway, device = new_name(), new_name("sonde")
    door = Moody(bench.services.timeseries)
    door.errors = [TimeSeriesUnavailable("away")] * 100_000
    writer = bench.writer(timeseries=door)
    writer.start()
    payload = observation(gateway, 1, device=device, time=NOW)
    writer._waiting.put([bench.arrived(f"vigil/v1/{gateway}/observation", payload)])
    servers.eventually(lambda: writer.failing_since, "the writer is waiting")

    writer.stop(timeout_s=20)

    assert not writer._thread.is_alive()
    assert bench.recorder.told == []


@pytest.mark.parametrize("enrolment_open", [True, False])
def test_a_revoked_gateway_is_refused_with_its_next_message(
    bench: Bench, enrolment_open: bool
) -> None:
    gateway = ready_gateway(bench)
    device = new_name("sonde")
    writer = bench.writer([Alarms()], open_=enrolment_open)
    writer.store([bench.arrived(*alarm(gateway, 1, "event-1"))])
    with writing(bench.services.sessions) as session:
        removal.revoke(session, gateway, by="operator", now=NOW)
        session.get_one(Gateway, gateway).health = None

    readings = observation(gateway, 1, device=device, time=NOW, records=7)
    writer.store(
        [
            bench.arrived(*alarm(gateway, 2, "event-2")),
            bench.arrived(f"vigil/v1/{gateway}/observation", readings),
            bench.arrived(
                f"vigil/v1/{gateway}/status",
                event(
                    gateway, None, birth(NOW, session=9), subject=gateway, time=NOW, lane="status"
                ),
            ),
        ]
    )

    assert ids_handled(bench, gateway) == []
    assert bench.services.timeseries.series(device) == []
    with bench.services.sessions() as session:
        letters = session.scalars(select(DeadLetter).where(DeadLetter.gateway == gateway))
        assert {letter.reason for letter in letters} == {"revoked-gateway"}
        assert session.get_one(Gateway, gateway).public_key is None


def test_an_unreadable_alarm_under_a_used_number_is_set_aside_and_told(bench: Bench) -> None:
    """An outbox that fell back in time uses its numbers again; no alarm may go with one."""
    gateway = ready_gateway(bench)
    writer = bench.writer([Alarms()])
    topic, payload = alarm(gateway, 1, "event-1")
    writer.store([bench.arrived(topic, payload)])
    unreadable = payload.replace(b"city.vigil.smoke.alarm", b"city.vigil.gateway.birth")

    for _ in range(2):
        writer.store([bench.arrived(topic, unreadable)])

    (letter,) = bench.dead_letters()
    assert (letter.count, letter.alarm) == (1, True)
    with bench.services.sessions() as session:
        refused = select(AlertRow.gateway).where(AlertRow.kind == "alarm-refused")
        assert session.scalars(refused).all() == [gateway]


def test_a_batch_locks_its_gateways_in_one_order(bench: Bench) -> None:
    """Given a report of the last gateway and a reading of the first, which somebody else holds:
    what waits for the first one holds no other, or two lanes would wait for each other."""
    engine = bench.services.engine
    if engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")
    first, last = sorted([ready_gateway(bench), ready_gateway(bench)])
    batch = [
        bench.arrived(
            f"vigil/v1/{last}/observation",
            event(
                last,
                1,
                DeviceHealth(device="d", state="ok", since=NOW),
                subject="d",
                time=NOW,
                lane="observation",
            ),
        ),
        bench.arrived(
            f"vigil/v1/{first}/observation",
            observation(first, 1, device=new_name("sonde"), time=NOW),
        ),
    ]
    lock = select(Gateway.gateway).with_for_update(nowait=True)
    with bench.services.sessions() as session:
        assert session.scalars(lock.where(Gateway.gateway == first)).all() == [first]
        storing = threading.Thread(target=bench.writer().store, args=(batch,))
        storing.start()
        servers.eventually(lambda: _waits(bench), "the batch waits for the first gateway")

        assert session.scalars(lock.where(Gateway.gateway == last)).all() == [last]
    storing.join()


def _waits(bench: Bench) -> bool:
    with bench.services.engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.scalar(waiting))
