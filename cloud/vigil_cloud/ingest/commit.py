"""One group commit: what handlers write, dead letters and watermarks in one transaction."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from vigil_cloud.alerts import feed
from vigil_cloud.capacity.limits import Quotas
from vigil_cloud.database.engine import database_is_away, lock_for_writing
from vigil_cloud.devices.newest import Pack, newest_of, record_newest
from vigil_cloud.devices.removal import REVOKED
from vigil_cloud.devices.seen import Seen, lock_gateways, record_seen
from vigil_cloud.domain.aside import BESIDE_FAILED
from vigil_cloud.domain.port import Complaint, Handler, Unprepared
from vigil_cloud.ingest import taken, watermarks
from vigil_cloud.ingest.decode import Decoded, Fact, Observation, Refusal, refuse
from vigil_cloud.ingest.group_writer import GroupWriter, received
from vigil_cloud.ingest.letters import DeadLetters, Letter, is_dead_letter, storable_text
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.queue import Arrived
from vigil_cloud.ingest.salvage import concerns_alarm
from vigil_schemas.gateway import CommandResult
from vigil_schemas.senml import microseconds
from vigil_schemas.topics import STATUS

HANDLER_FAILED: Final = "handler-failed"
SHAPE_DOUBTFUL: Final = "shape-doubtful"
"""Reason of the dead letter beside an alert that was raised from a message not understood whole."""
SEEN_EVERY: Final = timedelta(seconds=1)
NOTED: Final = 50_000
ATTEMPTS: Final = 3
"""So often a handler may lose a race with another process before its message is refused."""

_log = structlog.get_logger(__name__)


class Item(NamedTuple):
    """A message of the batch: as it arrived and what it is."""

    arrived: Arrived
    decoded: Decoded


AlarmRefused = Callable[[Session, str, str, str, bool, datetime], None]
"""Told in the same transaction of a gateway whose alarm became a dead letter, with reason, detail
and whether the same was refused before: (session, gateway, reason, detail, again, now)."""
UNTOLD: Final = frozenset({SHAPE_DOUBTFUL, BESIDE_FAILED, REVOKED})
"""Reasons of dead letters that are no refused alarm: its own alert stands beside it, or a thief's
box must not call anybody."""


@dataclass(slots=True)
class Outcome:
    """What a committed batch means for its senders and for the metrics."""

    began: float = field(default_factory=time.monotonic)
    """When the transaction could begin to write (monotonic)."""
    progress: dict[str, Progress] = field(default_factory=dict)
    gateways: dict[str, str] = field(default_factory=dict)
    """Whose source it is."""
    duplicates: int = 0
    deferred: int = 0
    refused: list[Refusal] = field(default_factory=list)
    stored: list[Item] = field(default_factory=list)
    facts: int = 0


def disk_is_full(error: BaseException) -> bool:
    """Whether SQLite found no room for a page or for its journal."""
    return isinstance(error, OperationalError) and any(
        said in str(error) for said in ("disk is full", "disk I/O error", "unable to open")
    )


class Committer:
    """Knows the handlers, and whom it has noted as seen just now. Belongs to one thread."""

    def __init__(
        self,
        handlers: Sequence[Handler],
        alarm_refused: AlarmRefused | None = None,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self._alarm_refused = alarm_refused
        self._dead_letters = dead_letters or DeadLetters(Quotas())
        self._noted: dict[str, datetime] = {}
        self._handlers: dict[str, list[Handler]] = defaultdict(list)
        for handler in handlers:
            for event_type in sorted(handler.types):
                self._handlers[event_type].append(handler)
        self._groups = GroupWriter(self._handlers)

    def write(self, session: Session, items: Sequence[Item], now: datetime) -> Outcome:
        """Everything up to the commit, which is the caller's. Raises SQLAlchemy's errors, and
        ``Unprepared``."""
        lock_for_writing(session)
        outcome = Outcome()
        outcome.gateways = {
            item.decoded.source: item.decoded.gateway
            for item in items
            if item.decoded.source is not None
        }
        outcome.progress = watermarks.lock(session, outcome.gateways, now)
        # Before anything else. Rooms lock their message's gateway and the alerts' feed, and at the
        # end of a batch all its gateways are noted as seen: two batches that did so in the order
        # of their messages would each come to wait for the other, and an alarm for PostgreSQL to
        # notice.
        locked = lock_gateways(session, self._gateways_to_lock(items, now))
        if any(_is_audited(item) for item in items):
            feed.lock(session)  # whoever takes both takes the audit log's end second
        letters: list[tuple[Item, Refusal]] = []
        written = self._groups.take(session, items, outcome.progress, now)
        for place, item in enumerate(items):
            if place in written:
                _count_written(item, outcome)
                continue
            refusal = self._take(session, item, now, outcome)
            if refusal is not None:
                letters.append((item, refusal))
        again = self._dead_letters.write(
            session,
            [
                Letter(
                    refusal.gateway,
                    item.arrived.topic,
                    item.arrived.payload,
                    refusal.reason,
                    refusal.detail,
                    item.arrived.received,
                )
                for item, refusal in letters
            ],
            now,
        )
        outcome.refused = [refusal for _, refusal in letters]
        self._note_seen(session, outcome.stored, now, locked)
        # Takes the feed's lock: after the gateways', before the newest readings'.
        self._tell_of_alarms(session, zip(letters, again, strict=True), now)
        _record_newest(session, outcome.stored)
        watermarks.move(session, outcome.progress, now)
        return outcome

    def _gateways_to_lock(self, items: Sequence[Item], now: datetime) -> set[str]:
        """Those whose events rooms are about to handle; with them those that are noted as seen
        at the end, or the batch would lock twice and not in one order."""
        names = {item.decoded.gateway for item in items if isinstance(item.decoded, Fact)}
        if names:
            heard, _ = _heard_of(items)
            names |= {name for name in heard if self._is_due(name, now)}
        return names

    def _tell_of_alarms(
        self,
        session: Session,
        letters: Iterable[tuple[tuple[Item, Refusal], bool]],
        now: datetime,
    ) -> None:
        """Once per gateway; of what was never refused before where there is such."""
        if self._alarm_refused is None:
            return
        refused: dict[str, tuple[Refusal, bool]] = {}
        for (item, refusal), again in letters:
            if refusal.reason in UNTOLD or not concerns_alarm(
                item.arrived.topic, item.arrived.payload
            ):
                continue
            if not again or refusal.gateway not in refused:
                refused[refusal.gateway] = refusal, again
        for gateway, (refusal, again) in sorted(refused.items()):
            try:
                with session.begin_nested():
                    detail = storable_text(refusal.detail)
                    self._alarm_refused(session, gateway, refusal.reason, detail, again, now)
            except Exception as error:  # it must not cost the batch's other alarms
                if database_is_away(error):
                    raise
                _log.exception("refused-alarm-not-told", gateway=gateway)

    def _note_seen(
        self, session: Session, items: Iterable[Item], now: datetime, locked: Collection[str]
    ) -> None:
        """At most once a second for each: it is shown to people, nothing rests on it."""
        if len(self._noted) > NOTED:
            self._noted.clear()
        gateways, devices = _heard_of(items)
        due = {name for name in gateways if self._is_due(name, now)}
        due_devices = {
            name: seen
            for name, seen in devices.items()
            if seen.units or self._is_due(f"/{name}", now)
        }
        if due or due_devices:
            record_seen(session, due, due_devices, now, locked)
            self._noted.update(dict.fromkeys(due, now))
            self._noted.update({f"/{name}": now for name in due_devices})

    def _is_due(self, name: str, now: datetime) -> bool:
        noted = self._noted.get(name)
        return noted is None or not now - SEEN_EVERY < noted <= now  # the clock may be set back

    def forget_noted(self) -> None:
        """What was written was taken back: whoever was noted is not."""
        self._noted.clear()

    def _take(
        self, session: Session, item: Item, now: datetime, outcome: Outcome
    ) -> Refusal | None:
        decoded = item.decoded
        progress = None
        if decoded.source is not None and decoded.sequence is not None:
            progress = outcome.progress[decoded.source]
            known = decoded.sequence in progress
            if known or not progress.add(decoded.sequence):
                # An event is known by its id as well. Under a number that was used before it may
                # be a new one (an outbox that fell back in time), and where too many gaps are
                # open it is taken now all the same: an alarm waits for nothing.
                fresh = self._is_new(session, item)
                if not fresh:
                    outcome.duplicates += known
                    outcome.deferred += not known
                    return None
        refusal: Refusal | None = None
        if isinstance(decoded, Refusal):
            refusal = decoded
        else:
            if isinstance(decoded, Fact):
                refusal = self._handle(session, item, decoded, now, outcome)
            outcome.stored.append(item)
        if refusal is not None and progress is not None:
            progress.refused += 1
        return refusal

    def replay(self, session: Session, item: Item, now: datetime) -> Refusal | None:
        """One message after all, whatever was made of it before; the commit is the caller's."""
        lock_gateways(session, {item.decoded.gateway})
        if isinstance(item.decoded, Fact):
            if item.decoded.channel != STATUS:
                taken.note(session, item.decoded, now)
            return self._ask(session, item, item.decoded)
        _record_newest(session, (item,))
        return None

    def _handle(
        self, session: Session, item: Item, fact: Fact, now: datetime, outcome: Outcome
    ) -> Refusal | None:
        if fact.channel != STATUS:
            novelty = taken.note(session, fact, now)
            if novelty == "known":
                outcome.duplicates += 1
                return None
            if novelty == "id-used-again":
                fact = fact._replace(marks={**fact.marks, "shape_doubtful": [taken.USED_AGAIN]})
        refusal = self._ask(session, item, fact)
        outcome.facts += refusal is None or refusal.reason != HANDLER_FAILED
        return refusal

    def _ask(self, session: Session, item: Item, fact: Fact) -> Refusal | None:
        """Every room that takes such events; the first complaint, if any."""
        handlers = self._handlers.get(fact.envelope.type, ())
        message = received(item.arrived, fact)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with session.begin_nested():
                    answers = [handler.handle(session, message) for handler in handlers]
            except Unprepared:
                raise
            except Exception as error:
                if database_is_away(error) and not isinstance(error, ProgrammingError):
                    raise
                if isinstance(error, IntegrityError | StaleDataError) and attempt < ATTEMPTS:
                    continue
                _log.exception("handler-failed", type=fact.envelope.type, gateway=fact.gateway)
                detail = f"{type(error).__name__}: {error}"
                return refuse(
                    item.arrived.topic, item.arrived.payload, HANDLER_FAILED, detail[:2000]
                )
            break
        complaints = [complaint for complaint in answers if complaint is not None]
        if doubts := fact.marks.get("shape_doubtful"):
            complaints.append(Complaint(SHAPE_DOUBTFUL, "; ".join(doubts)[:2000]))
        for complaint in complaints:
            return refuse(item.arrived.topic, item.arrived.payload, *complaint)
        return None

    @staticmethod
    def _is_new(session: Session, item: Item) -> bool:
        arrived, decoded = item
        if isinstance(decoded, Fact):
            return taken.is_new(session, decoded)
        # An alarm that cannot be read has no id that counts: it is known by its dead letter.
        return (
            isinstance(decoded, Refusal)
            and concerns_alarm(arrived.topic, arrived.payload)
            and not is_dead_letter(session, arrived.topic, arrived.payload)
        )


def _count_written(item: Item, outcome: Outcome) -> None:
    """One that was taken with others at once."""
    decoded = item.decoded
    if decoded.source is not None and decoded.sequence is not None:
        outcome.progress[decoded.source].add(decoded.sequence)
    outcome.stored.append(item)
    outcome.facts += 1


def _is_audited(item: Item) -> bool:
    """Whether what it says becomes a line of the audit log: what a gateway answered."""
    decoded = item.decoded
    return isinstance(decoded, Fact) and decoded.envelope.type == CommandResult.TYPE


def _record_newest(session: Session, items: Iterable[Item]) -> None:
    packs: dict[str, list[Pack]] = defaultdict(list)
    for item in items:
        if isinstance(item.decoded, Observation):
            received_us = microseconds(item.arrived.received)
            packs[item.decoded.device].append(Pack(item.decoded.points, received_us))
    found, came = {}, {}
    for device, theirs in packs.items():
        found[device], came[device] = newest_of(theirs)
    record_newest(session, found, came)


def _heard_of(items: Iterable[Item]) -> tuple[set[str], dict[str, Seen]]:
    gateways: set[str] = set()
    devices: dict[str, Seen] = {}
    for item in items:
        decoded = item.decoded
        if isinstance(decoded, Observation):
            gateways.add(decoded.gateway)
            known = devices.get(decoded.device)
            units = {n: u for n, u in decoded.units.items() if u is not None}
            if known is None or units:
                merged = {**(known.units if known else {}), **units}
                domain = decoded.points[0].series.domain
                devices[decoded.device] = Seen(decoded.gateway, domain, merged)
        elif isinstance(decoded, Fact) and decoded.channel != STATUS:
            gateways.add(decoded.gateway)
    return gateways, devices
