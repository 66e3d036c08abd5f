"""What ingest promises to whoever follows readings, and what it asks of them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cloud_city import City, populated
from gateways import EPOCH, event, smoke
from sql import statements
from vigil_cloud.alerts.platform import standing
from vigil_cloud.app import reading_handlers
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import ReadingState
from vigil_cloud.domain.port import STATE_BYTES, Folded, Readings, Together
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.queue import Arrived
from vigil_cloud.ingest.reading_states import ReadingStates, Told
from vigil_cloud.ingest.subscriber import BrokerAddress
from vigil_cloud.jobs.models import WorkRow
from vigil_cloud.jobs.runner import JobRunner
from vigil_cloud.jobs.worker import Worker
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water.condition import PROBE_HOURS, compute, load
from vigil_schemas.contract import observation_type
from vigil_schemas.envelope import encode
from vigil_schemas.senml import Reading, microseconds, pack
from vigil_schemas.types import QartodFlag

GATEWAY = "gw-east"


class Newest:
    """Keeps the newest value, as a domain should: whatever comes how often in whichever order."""

    name = "newest"
    domains = frozenset({"water"})

    def __init__(self) -> None:
        self.told: list[Readings] = []
        self.fails: Exception | None = None
        self.before: Callable[[], None] = lambda: None
        self.write: Callable[[Session], None] | None = None

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:
        self.told.append(readings)
        self.before()
        if self.fails is not None:
            raise self.fails
        known = dict(state or {"seen": []})
        seen = {tuple(one) for one in known["seen"]}
        seen |= {(point.time_us, point.value) for point in readings.points}
        return Folded({"seen": sorted(map(list, seen))}, self.write)


class Lane:
    """One ingest process over a city's stores, fed with bytes."""

    def __init__(self, city: City, *handlers: Any) -> None:
        self.city = city
        self.ingest = Ingest(city.services, city.handlers, BrokerAddress("127.0.0.1", 1), handlers)
        self.receipts = 0
        for intake in self.ingest._intakes:
            intake.writer._sender = self

    def receipt(self, *_: Any) -> None:
        self.receipts += 1

    def acknowledge(self, _messages: Any) -> None:
        """There is no broker."""

    def store(self, *payloads: bytes, lane: str = "observation") -> None:
        writer = self.ingest._intakes[{"alarm": 0, "observation": 2}[lane]].writer
        topic = f"vigil/v1/{GATEWAY}/{lane}"
        writer.store([Arrived(topic, one, self.city.time, 0.0, None) for one in payloads])


_numbers = itertools.count(1)


def reading(at: datetime, value: float, device: str = "sonde-1") -> bytes:
    return encode(
        id=uuid.uuid4().hex,
        source=f"/{GATEWAY}/observation/{EPOCH}",
        type=observation_type("water"),
        subject=device,
        time=at,
        data=pack(device, [Reading("pH", "pH", at, value, QartodFlag.GOOD)]),
        sequence=next(_numbers),
    )


def state(city: City, handler: str = "newest") -> ReadingState:
    with city.services.sessions() as session:
        return session.get_one(ReadingState, (handler, "sonde-1"))


def values(city: City) -> list[float]:
    found = state(city).state
    assert found is not None
    return [value for _, value in found["seen"]]


@pytest.fixture
def city(tmp_path: Path, migrated_url: str) -> Iterator[City]:
    made = populated(tmp_path / "cloud", migrated_url)
    yield made
    made.close()


def test_readings_are_told_once_stored_and_alarms_never_ask(city: City) -> None:
    handler = Newest()
    lane = Lane(city, handler)

    def is_stored() -> None:
        assert city.services.timeseries.latest("sonde-1")["pH"].value == 7.0

    handler.before = is_stored
    lane.store(reading(city.time, 7.0))
    assert values(city) == [7.0]
    alarm = event(GATEWAY, 1, smoke(city.time), subject="alarm-1", time=city.time, lane="alarm")
    lane.store(alarm, lane="alarm")
    assert len(handler.told) == 1
    assert [intake.writer._readings is None for intake in lane.ingest._intakes] == [
        True,
        True,
        False,
    ]


def test_what_a_gateway_kept_through_an_outage_is_marked(city: City) -> None:
    handler = Newest()
    lane = Lane(city, handler)
    lane.store(reading(city.time - timedelta(hours=2), 6.0), reading(city.time, 7.0))
    lane.store(reading(city.time - timedelta(hours=1), 6.5))
    assert [one.catching_up for one in handler.told] == [False, True]
    assert [[p.value for p in one.points] for one in handler.told] == [[6.0, 7.0], [6.5]]


def test_a_failing_handler_loses_no_reading_is_told_and_learns_what_it_missed(city: City) -> None:
    handler = Newest()
    lane = Lane(city, handler)
    lane.store(reading(city.time, 7.0))
    handler.fails = RuntimeError("a bug")
    first = city.later(seconds=10)
    lane.store(reading(first, 7.1))
    lane.store(reading(city.later(seconds=10), 7.2))

    assert city.services.timeseries.latest("sonde-1")["pH"].value == 7.2
    assert lane.receipts == 3
    assert values(city) == [7.0], "its state stays"
    found = state(city)
    assert (found.failures, found.error) == (2, "RuntimeError: a bug")
    sample = city.services.metrics.registry.get_sample_value
    assert sample("vigil_ingest_reading_failures_total", {"handler": "newest"}) == 2
    JobRunner(city.services, []).supervise()
    with city.services.sessions() as session:
        (alert,) = standing(session, "job-failing")
        assert "newest" in alert.title

    handler.fails = None
    lane.store(reading(city.later(seconds=10), 7.3))
    assert handler.told[-1].missed_since == first
    assert state(city).failures == 0
    lane.store(reading(city.later(seconds=10), 7.4))
    assert [told.missed_since for told in handler.told[-1:]] == [None]
    JobRunner(city.services, []).supervise()
    with city.services.sessions() as session:
        assert standing(session, "job-failing") == []


@pytest.mark.parametrize("kind", ["write", "size"])
def test_what_cannot_be_written_counts_as_a_failure_of_its_handler_alone(
    city: City, kind: str
) -> None:
    handler, other = Newest(), Newest()
    other.name = "other"

    def refused(_session: Session) -> None:
        raise ValueError("nothing to be written")

    if kind == "write":
        handler.write = refused
    else:
        fold = handler.fold
        handler.fold = lambda *told: Folded(  # type: ignore[method-assign]
            {**(fold(*told).state or {}), "much": "x" * STATE_BYTES}  # type: ignore[union-attr]
        )
    lane = Lane(city, handler, other)
    lane.store(reading(city.time, 7.0))
    assert lane.receipts == 1
    assert (state(city).state, state(city).failures) == (None, 1)
    assert state(city, "other").state is not None


class Asking(Newest):
    """Writes something of its own for each device: of all of a batch at once."""

    def __init__(self, breaks: str = "") -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.breaks = breaks

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:
        folded = super().fold(readings, state)
        return folded and folded._replace(together=Together(self.ask, readings.device))

    def ask(self, _session: Session, devices: Sequence[str]) -> None:
        if self.breaks in devices:
            raise ValueError("nothing to be asked")
        self.asked.append(list(devices))


def test_what_one_device_breaks_the_others_of_its_batch_do_not_pay_for(city: City) -> None:
    handler = Asking(breaks="sonde-2")
    lane = Lane(city, handler)
    lane.store(*(reading(city.time, 7.0, f"sonde-{number}") for number in range(1, 4)))
    assert handler.asked == [["sonde-1"], ["sonde-3"]]
    with city.services.sessions() as session:
        rows = session.scalars(select(ReadingState).order_by(ReadingState.device)).all()
        told = [(row.device, row.state is not None, row.failures) for row in rows]
    assert told == [("sonde-1", True, 0), ("sonde-2", False, 1), ("sonde-3", True, 0)]
    handler.breaks = ""
    lane.store(*(reading(city.later(seconds=1), 7.0, f"sonde-{number}") for number in range(1, 4)))
    assert handler.asked[-1] == ["sonde-1", "sonde-2", "sonde-3"]


class Stateless(Asking):
    """Asks for something and keeps nothing."""

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:
        folded = super().fold(readings, state)
        return folded and folded._replace(state=None)


def test_whoever_keeps_no_state_has_no_row_until_something_fails(city: City) -> None:
    handler = Stateless()
    lane = Lane(city, handler)
    lane.store(reading(city.time, 7.0, "sonde-1"), reading(city.time, 7.0, "sonde-2"))
    assert handler.asked == [["sonde-1", "sonde-2"]]
    with city.services.sessions() as session:
        assert session.scalars(select(ReadingState)).all() == []

    handler.breaks = "sonde-1"
    first = city.later(seconds=10)
    lane.store(reading(first, 7.1, "sonde-1"), reading(first, 7.1, "sonde-2"))
    assert handler.asked[-1] == ["sonde-2"]
    found = state(city)
    assert (found.state, found.failures, found.missed_us) == (None, 1, microseconds(first))
    lane.store(reading(city.later(seconds=10), 7.2))
    assert (state(city).failures, state(city).missed_us) == (2, microseconds(first))

    handler.breaks = ""
    lane.store(reading(city.later(seconds=10), 7.3))
    assert handler.told[-1].missed_since == first
    assert handler.asked[-1] == ["sonde-1"]
    found = state(city)
    assert (found.state, found.failures, found.missed_us) == (None, 0, None)


def test_a_backlog_of_many_devices_asks_as_little_as_one_of_few(city: City) -> None:
    """A district's gateway comes back with a night's readings: statements by device would hold up
    the lane of everybody's observations."""
    lane = Lane(city, *reading_handlers(city.services))

    def backlog(devices: int, day: int) -> int:
        at = city.time - timedelta(days=day)
        batch = [
            reading(at + timedelta(minutes=minute), 7.0, f"sonde-{number}")
            for number in range(devices)
            for minute in range(3)
        ]
        with statements(city.services.engine) as asked:
            lane.store(*batch)
        return len(asked)

    for day in (4, 3):  # the devices are new once, and what they ask for is
        backlog(30, day)
    assert backlog(30, 2) == backlog(3, 1)


def test_two_processes_at_once_lose_no_update(city: City) -> None:
    """While one folds, the other stores: the first folds again on what the other left."""
    slow, quick = Newest(), Newest()
    first, second = Lane(city, slow), Lane(city, quick)
    first.store(reading(city.time, 7.0))
    later = [reading(city.later(seconds=1), value) for value in (7.1, 7.2)]

    def meanwhile() -> None:
        slow.before = lambda: None
        second.store(later[1])

    slow.before = meanwhile
    first.store(later[0])
    assert values(city) == [7.0, 7.1, 7.2]
    assert state(city).version == 3
    assert len(slow.told) == 3, "told again"


class Crossings:
    """Counts how often the value crosses 8; within one side nothing follows from a reading."""

    name = "crossings"
    domains = frozenset({"water"})

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.before = before

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:
        before, self.before = self.before, lambda: None
        high = (readings.points[-1].value or 0.0) > 8
        known = dict(state or {"high": False, "count": 0})
        before()
        if high == known["high"]:
            return None
        return Folded({"high": high, "count": known["count"] + 1})


def test_that_nothing_follows_is_said_again_of_a_state_that_has_changed(city: City) -> None:
    # Given two processes, of which one stores a crossing while the other looks at its reading
    first = Lane(city, Crossings())

    def meanwhile() -> None:
        first.store(reading(city.time, 9.0))

    second = Lane(city, Crossings(meanwhile))

    # When nothing follows from the second's reading by the state that it has read
    second.store(reading(city.time + timedelta(seconds=1), 7.0))

    # Then it is asked again of the state that is there by now: the value is low again
    assert state(city, "crossings").state == {"high": False, "count": 2}


def test_a_commit_that_failed_is_told_again_and_changes_nothing_twice(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Newest()
    lane = Lane(city, handler)
    commit, failures = Session.commit, [OperationalError("COMMIT", {}, Exception("away"))]

    def once_away(session: Session) -> None:
        if failures:
            raise failures.pop()
        commit(session)

    monkeypatch.setattr(Session, "commit", once_away)
    lane.store(reading(city.time, 7.0))
    assert len(handler.told) == 2
    assert values(city) == [7.0]


# --- what is asked of every handler --------------------------------------------------------

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERIES = Series("water", GATEWAY, "sonde-1", "pH")


def told(minutes: Sequence[int]) -> list[Readings]:
    """Each minute's reading as a message of its own."""
    return [
        Readings(
            "sonde-1",
            "water",
            (Point(SERIES, microseconds(NOON) + minute * 60_000_000, 7.0, 1),),
            NOON + timedelta(days=2),
            catching_up=True,
        )
        for minute in minutes
    ]


@given(
    minutes=st.lists(st.integers(0, 600), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_every_handler_comes_to_the_same_state_in_any_order(minutes: list[int], order: Any) -> None:
    class Services:
        @staticmethod
        def now() -> datetime:
            return NOON

    for handler in reading_handlers(Services()):  # type: ignore[arg-type]  # only its clock
        shuffled = [*minutes, *minutes[:3]]
        order.shuffle(shuffled)
        ends = []
        for run in (sorted(minutes), shuffled):
            known: Mapping[str, Any] | None = None
            for readings in told(run):
                folded = handler.fold(readings, known)
                known = known if folded is None else folded.state
            ends.append(known)
        assert ends[0] == ends[1], handler.name


# --- water's use ---------------------------------------------------------------------------


def test_a_probes_hours_are_computed_when_they_are_over_and_when_they_are_completed(
    city: City,
) -> None:
    lane = Lane(city, *reading_handlers(city.services))
    begin = city.time.replace(minute=0)
    for minute in range(0, 60, 10):
        city.time = begin + timedelta(minutes=minute)
        lane.store(reading(city.time, 7.0))
    worker = Worker(city.services, [PROBE_HOURS], "worker")
    assert not worker.do_one(), "the hour is not over"

    city.time = begin + timedelta(hours=1, seconds=5)
    lane.store(reading(city.time, 7.0))
    assert not worker.do_one(), "what comes late of that hour is waited for"
    city.time += PROBE_HOURS.settle
    assert worker.do_one()
    (hour,) = hours(city)
    assert (hour["readings"], hour["good"], hour["longest_gap_s"]) == (6, 6, 600)

    lane.store(*(reading(begin + timedelta(minutes=minute), 7.0) for minute in range(5, 60, 10)))
    city.time += PROBE_HOURS.settle
    assert worker.do_one(), "an outage's readings came"
    (hour,) = hours(city)
    assert (hour["readings"], hour["longest_gap_s"]) == (12, 300)
    worker.stop()
    with city.services.sessions() as session:
        left = {row.kind for row in session.query(WorkRow)}
    assert PROBE_HOURS.name not in left  # the detector's look at what came late is its own


def hours(city: City) -> list[dict[str, Any]]:
    answer = city.client("inspector").get("/api/v1/water/probes/sonde-1/hours")
    found: list[dict[str, Any]] = answer.raise_for_status().json()["hours"]
    return found


def test_a_stuck_sensor_and_an_empty_hour_are_seen(city: City) -> None:
    begin = NOON
    points = [
        Point(SERIES._replace(parameter=name), microseconds(begin) + n * 60_000_000, value, 1)
        for n in range(60)
        for name, value in (("pH", 7.0), ("temperature", 20 + n / 100))
    ]
    city.services.timeseries.write(points)
    payload = {
        "device": "sonde-1",
        "from_us": microseconds(begin),
        "to_us": microseconds(begin + timedelta(hours=2)),
    }
    first, second = compute(load(city.services, payload))
    assert (first.flat, first.readings) == (["pH"], 120)
    assert (second.readings, second.longest_gap_s, second.flat) == (0, 3600, [])


def test_no_handler_costs_no_statement(city: City) -> None:
    point = Point(SERIES, microseconds(NOON), 7.0, 1)
    told = [Told([point], NOON)]
    with statements(city.services.engine) as found, city.services.sessions() as session:
        assert ReadingStates([]).prepare(told, ReadingStates([]).known(session, told)) == []
    assert found == []


def test_a_batch_costs_the_same_statements_however_many_devices_it_is_of(city: City) -> None:
    """One that reads the states, one that locks them, one that writes them."""
    handler = Newest()
    states = ReadingStates([handler])

    def asked(devices: int) -> int:
        told = [
            Told(
                [Point(Series("water", GATEWAY, f"sonde-{one}", "pH"), 1_000_000, 7.0, 1)],
                city.time,
            )
            for one in range(devices)
        ]
        for _ in range(2):  # the first makes the rows
            with statements(city.services.engine) as found:
                with city.services.sessions() as session:
                    known = states.known(session, told)
                steps = states.prepare(told, known)
                with writing(city.services.sessions) as session:
                    states.write(session, steps, city.time)
        return sum("reading_states" in text for text, _ in found)

    assert asked(1) == asked(50) == 3
