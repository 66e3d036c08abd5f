"""The writer: takes what arrived, stores it in groups, and only then says so.

Order of work: time series, then one database transaction, then receipts, then the
broker's acknowledgements. A store that is away is tried again with the same batch
until it is back; meanwhile nothing more is taken from the broker than fits in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.capacity.disk import NoSpace
from vigil_cloud.capacity.limits import Quotas
from vigil_cloud.database.engine import URGENT, database_is_away
from vigil_cloud.devices.epochs import accepted_types
from vigil_cloud.domain.port import PREPARED_AT_ONCE, Unprepared
from vigil_cloud.ingest.commit import (
    Committer,
    Item,
    Outcome,
    disk_is_full,
)
from vigil_cloud.ingest.decode import Decoder, Fact, Observation, Refusal, refuse
from vigil_cloud.ingest.ownership import refuse_foreign
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.queue import Arrived, Queue
from vigil_cloud.ingest.reading_states import ReadingStates, Told
from vigil_cloud.ingest.reasons import Reasons
from vigil_cloud.ingest.shares import Shares
from vigil_cloud.ingest.strangers import Strangers
from vigil_cloud.metrics import Metrics
from vigil_cloud.timeseries.port import (
    Point,
    TimeSeries,
    TimeSeriesRejected,
    TimeSeriesUnavailable,
)
from vigil_schemas.control import Receipt, RefusalReason
from vigil_schemas.topics import STATUS, parse

BATCH_MESSAGES: Final = 500
_PAUSE_FIRST_S: Final = 0.05
_PAUSE_LONGEST_S: Final = 2.0
_REMEMBERED_SOURCES: Final = 20_000
_UNDERSTOOD_FOR_S: Final = 10.0
"""So long after a birth its gateway may still get receipts of the form it understood before."""

_log = structlog.get_logger(__name__)


class Sender(Protocol):
    """The way back to the gateways and the broker."""

    def receipt(
        self,
        gateway: str,
        source: str,
        progress: Progress,
        reasons: Sequence[RefusalReason] | None = None,
    ) -> None:
        """Tell a gateway what of one source is stored, and why not, where it understands that."""

    def acknowledge(self, messages: Iterable[Arrived]) -> None:
        """Tell the broker that these are done with, in this order."""


class Writer:
    """One thread of one intake. Everything it needs to know of the past is in the database."""

    def __init__(  # noqa: PLR0913 - its parts and limits, by name, given in one place (intakes)
        self,
        name: str,
        *,
        waiting: Queue,
        sender: Sender,
        sessions: sessionmaker[Session],
        timeseries: TimeSeries,
        committer: Committer,
        decoder: Decoder,
        metrics: Metrics,
        now: Callable[[], datetime],
        announce: Callable[[], None],
        enrolment_open: bool,
        linger_s: float = 0.0,
        quotas: Quotas | None = None,
        urgent: bool = False,
        batch_messages: int = BATCH_MESSAGES,
        longest_s: float | None = None,
        readings: ReadingStates | None = None,
        require_room: Callable[[], None] = lambda: None,
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        """``longest_s``: so long the transaction of a group may take at most, where an alarm
        may wait behind it: groups become smaller while the machine is slow. ``urgent``: the
        database is written before everybody else. ``require_room`` raises ``NoSpace`` while the
        disk's last room is kept from this lane; ``make_room`` gives up a reserve for it, where
        there is one."""
        self._waiting = waiting
        self._sender = sender
        self._sessions = sessions
        self._timeseries = timeseries
        self._committer = committer
        self._decoder = decoder
        self._metrics = metrics
        self._now = now
        self._announce = announce
        self._enrolment_open = enrolment_open
        self._linger_s = linger_s
        self._urgent = urgent
        self._most = self._batch_messages = batch_messages
        self._longest_s = longest_s
        self._readings = readings
        self._require_room = require_room
        self._make_room = make_room
        self._strangers = Strangers()
        self._shares = Shares(quotas or Quotas())
        self._reasons = Reasons()
        self._understand: frozenset[str] = frozenset()
        """Gateways that understand receipts of version 2."""
        self._asked_at: dict[str, float] = {}
        self._stored: dict[str, Progress] = {}
        """What was stored at the last look; a mark only moves up, so it is never wrong."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ingest-{name}", daemon=True)
        self.failing_since: float | None = None
        self.failure = ""

    def start(self) -> None:
        """Start the writer's thread."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Take no further batch. The one in hand is finished, unless a store is away."""
        self._stopping.set()
        self._waiting.close()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Ask, and wait so long for the batch in hand; what is not stored comes again."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while arrived := self._waiting.take(self._batch_messages, self._linger_s):
            if self._stopping.is_set():
                return
            try:
                self.store(arrived)
            except _Stopped:
                return
            except Exception:  # noqa: BLE001 - the thread outlives it
                # Without receipt the gateways send again; a thread that ended would lose the lane.
                self._metrics.store_failures.labels("unexpected").inc()
                _log.exception("batch-failed", messages=len(arrived))

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def store(self, arrived: Sequence[Arrived]) -> None:
        """Decode and store a batch, however long it takes, and tell the senders."""
        decode = self._decoder.decode_all
        items = [
            Item(each, one)
            for each in arrived
            if each.payload
            for one in decode(each.topic, each.payload, each.received)
        ]
        try:
            self._persist(items)
        except _Stopped:
            raise
        except BaseException:
            self._sender.acknowledge(arrived)  # or the broker would hold back that much for good
            raise
        self._sender.acknowledge(arrived)
        self._count_lanes(arrived)

    def _persist(self, items: Sequence[Item]) -> None:
        pause_s = _PAUSE_FIRST_S
        failures = unprepared = 0
        while True:
            try:
                outcome = self._store_once(items)
                break
            except NoSpace as error:
                self._complain("disk", error)
            except TimeSeriesUnavailable as error:
                self._complain("timeseries", error)
            except Unprepared as needed:
                made = self._prepare(needed)
                unprepared += made
                if made and unprepared <= PREPARED_AT_ONCE:
                    continue
                if made and self._persist_in_parts(items, needed):
                    return
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told and the batch is tried again
                if disk_is_full(error) and self._make_room():
                    _log.warning("reserve-given-up", messages=len(items))
                    continue
                away = database_is_away(error)
                self._complain("database" if away else "unexpected", error)
                failures += not away
                if failures >= 3:
                    self._persist_apart(items, error)
                    return
            pause_s = self._pause(pause_s)
        self._recovered()
        self._tell(outcome)

    def _pause(self, pause_s: float) -> float:
        """Before the same is tried again; how long the next pause is."""
        if self._stopping.wait(pause_s):
            raise _Stopped
        return min(pause_s * 2, _PAUSE_LONGEST_S)

    def _prepare(self, needed: Unprepared) -> bool:
        """Make what a room asked for, with nothing locked; whether it was made."""
        if self._stopping.is_set():
            raise _Stopped
        try:
            needed.prepare(self._sessions)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and tried again
            self._complain("database" if database_is_away(error) else "unexpected", error)
            return False
        return True

    def _persist_apart(self, items: Sequence[Item], error: Exception) -> None:
        """A batch that fails for no known reason: find the message at fault and refuse it."""
        if len(items) > 1:
            self._persist_halves(items)
            return
        arrived, decoded = items[0]
        if isinstance(decoded, Refusal):  # not even that: its gateway keeps it and sends it again
            _log.error("refusal-failed", topic=arrived.topic, exc_info=error)
            self._recovered()
            return
        detail = f"{type(error).__name__}: {error}"
        self._persist([Item(arrived, refuse(arrived.topic, arrived.payload, "internal", detail))])

    def _persist_in_parts(self, items: Sequence[Item], needed: Unprepared) -> bool:
        """A batch that needs more than is kept ready at once; whether it could be parted."""
        if len(items) == 1:
            self._complain("unprepared", needed)
            return False
        _log.info("batch-in-parts", messages=len(items))
        self._persist_halves(items)
        return True

    def _persist_halves(self, items: Sequence[Item]) -> None:
        middle = len(items) // 2
        self._persist(items[:middle])
        self._persist(items[middle:])

    def _recovered(self) -> None:
        if self.failing_since is not None:
            _log.info("ingest-recovered", seconds=round(time.monotonic() - self.failing_since, 1))
            self.failing_since, self.failure = None, ""

    def _store_once(self, items: Sequence[Item]) -> Outcome:
        self._require_room()
        with self._sessions() as session:  # one for all checks: to open one costs as a query does
            items = self._strangers.refuse(session, items, enrolment_open=self._enrolment_open)
            items = self._shares.hold(session, refuse_foreign(session, items))
            known = self._readings.known(session, self._told(items)) if self._readings else {}
        points: list[Point] = []
        for _, decoded in items:
            if isinstance(decoded, Observation) and not self._is_stored(decoded):
                points.extend(decoded.points)
        if points:
            try:
                self._timeseries.write(points)
            except TimeSeriesRejected as error:
                items = _without(items, error)
        steps = self._readings.prepare(self._told(items), known) if self._readings else ()
        try:
            with self._sessions() as session:
                session.info[URGENT] = self._urgent
                outcome = self._committer.write(session, items, self._now())
                if self._readings:
                    self._readings.write(session, steps, self._now())
                session.commit()
                self._adapt(len(items), time.monotonic() - outcome.began)
        except BaseException:
            self._committer.forget_noted()
            raise
        self._metrics.points.inc(
            sum(
                len(item.decoded.points)
                for item in outcome.stored
                if isinstance(item.decoded, Observation)
            )
        )
        return outcome

    def _adapt(self, messages: int, took_s: float) -> None:
        """The next group's size, from what this one took; it grows slowly and shrinks at once."""
        if self._longest_s is None or not messages:
            return
        fitting = int(messages * self._longest_s / max(took_s, 1e-6))
        self._batch_messages = max(1, min(self._most, fitting, 2 * self._batch_messages))

    def _told(self, items: Sequence[Item]) -> Iterator[Told]:
        """Readings that this process does not know to be stored."""
        for arrived, decoded in items:
            if isinstance(decoded, Observation) and not self._is_stored(decoded):
                yield Told(decoded.points, arrived.received)

    def _is_stored(self, observation: Observation) -> bool:
        progress = self._stored.get(observation.source)
        return progress is not None and observation.sequence in progress

    def _tell(self, outcome: Outcome) -> None:
        if len(self._stored) > _REMEMBERED_SOURCES:
            self._stored.clear()
        self._stored.update(outcome.progress)
        self._reasons.note(outcome.refused)
        self._learn_who_understands(set(outcome.gateways.values()))
        for source, progress in outcome.progress.items():
            gateway = outcome.gateways[source]
            understood = gateway in self._understand
            reasons = self._reasons.of(gateway, source) if understood else None
            self._sender.receipt(gateway, source, progress, reasons)
        for source, refusal in self._strangers.to_be_told():
            reasons = [RefusalReason(reason=refusal.reason, count=1, detail=refusal.detail[:200])]
            self._sender.receipt(refusal.gateway, source, Progress(), reasons)
        metrics = self._metrics
        metrics.receipts.inc(len(outcome.progress))
        metrics.duplicates.inc(outcome.duplicates)
        for refusal in outcome.refused:
            metrics.refused.labels(refusal.reason).inc()
        now = self._now()
        for item in outcome.stored:
            if isinstance(item.decoded, Fact) and item.decoded.channel != STATUS:
                age_s = (now - item.decoded.envelope.time).total_seconds()
                metrics.event_age_seconds.labels(item.decoded.channel).observe(max(0.0, age_s))
        if outcome.stored or outcome.refused:
            self._announce()

    def _learn_who_understands(self, gateways: set[str]) -> None:
        """The form of a receipt matters little: a database that is away changes nothing."""
        now = time.monotonic()
        unsure = {name for name in gateways if self._asked_at.get(name, -1e9) < now}
        if not unsure:
            return
        if len(self._asked_at) > _REMEMBERED_SOURCES:
            self._asked_at.clear()
        try:
            with self._sessions() as session:
                accepted = accepted_types(session, unsure)
        except SQLAlchemyError:
            return
        understand = {name for name, types in accepted.items() if Receipt.TYPE in types}
        self._understand = (self._understand - unsure) | understand
        self._asked_at.update(dict.fromkeys(unsure, now + _UNDERSTOOD_FOR_S))

    def _count_lanes(self, arrived: Sequence[Arrived]) -> None:
        metrics = self._metrics
        metrics.batch_messages.observe(len(arrived))
        metrics.receipt_seconds.observe(time.monotonic() - arrived[0].monotonic)
        lanes: dict[str, int] = {}
        for message in arrived:
            lane = message.topic.rpartition("/")[2]
            lanes[lane] = lanes.get(lane, 0) + 1
        for lane, count in lanes.items():
            topic = parse(f"vigil/v1/any/{lane}")
            metrics.messages.labels(topic.channel if topic else "other").inc(count)

    def _complain(self, store: str, error: Exception) -> None:
        self._metrics.store_failures.labels(store).inc()
        if self.failing_since is None:
            self.failing_since = time.monotonic()
            _log.warning("ingest-store-away", store=store, error=str(error)[:500])
        self.failure = f"{store}: {str(error)[:300]}"


class _Stopped(Exception):
    """The process ends while a store is away."""


def _without(items: Sequence[Item], error: TimeSeriesRejected) -> list[Item]:
    """The batch with those messages refused that brought a point which no store takes."""
    bad = {(point.series, point.time_us) for point in error.points}
    return [
        Item(
            item.arrived,
            refuse(item.arrived.topic, item.arrived.payload, error.code, str(error)),
        )
        if isinstance(item.decoded, Observation)
        and any((point.series, point.time_us) in bad for point in item.decoded.points)
        else item
        for item in items
    ]
