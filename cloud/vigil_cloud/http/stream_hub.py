"""One look for all open event streams of this process: what changed, and what each reader may see.

However many streams are open, a change costs the same number of statements: the feed is read
once, what it names is read and rendered once, and the rights of all readers are asked together.
Who is shown what is decided for each reader alone, on rights that were asked after the change
was read and are at most ``FRESH_S`` old when it is sent; a stream that comes later to its turn
asks for itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, listing
from vigil_cloud.alerts.models import FeedEntry
from vigil_cloud.alerts.titles import audit_location_view
from vigil_cloud.alerts.visibility import roles_of
from vigil_cloud.cases.news import changes
from vigil_cloud.cases.port import CaseKinds
from vigil_cloud.database.changes import RIGHTS, number_of
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.descriptor import Change
from vigil_cloud.domain.registry import domains
from vigil_cloud.domain.rights import may
from vigil_cloud.http.alert_presentation import summaries
from vigil_cloud.http.live_devices import DeviceNews, DeviceWatch
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation, Subject
from vigil_cloud.identity.sessions import readers_of_sessions
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.services import Services

POLL_S: Final = 0.25
"""How often other processes' changes are looked for."""
BREATH_S: Final = 0.03
"""Least time between two looks: under load many changes are sent together."""
RIGHTS_EVERY_S: Final = 0.5
"""How often rights are asked where nothing happens: one that ended is noticed as fast."""
FRESH_S: Final = 1.0
"""So old may rights be that something is sent on. Older ones are asked anew, by the stream."""
DEVICES_EVERY_S: Final = 0.25
"""Least time between two looks at devices and readings, and how often other processes' are
looked for: a device that reads ten times a second is shown four times."""
BATCH: Final = 200
INBOX: Final = 256
STREAMS_PER_SESSION: Final = 8
"""A browser has six connections to a server."""
STREAMS_PER_ACCOUNT: Final = 40

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rights:
    """Whose sessions are open, and what each may see, at one moment of the monotonic clock."""

    asked: float = float("-inf")
    readers: Mapping[str, Reader] = field(default_factory=dict)
    """By the digest of the session's token; those that are over are missing."""

    def fresh(self, since: float) -> bool:
        """Whether something may be sent on them, to a stream that is open since then."""
        return self.asked >= since and time.monotonic() - self.asked <= FRESH_S


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: the feed's changes in ``(after, head]``, and devices that changed."""

    rights: Rights
    after: int = 0
    head: int = 0
    changes: tuple[Change, ...] = ()
    devices: tuple[DeviceNews, ...] = ()
    noted: Rights = Rights()
    """By which it was written down who is shown whose whereabouts; ``rights`` may be later."""


class Ended(Exception):
    """The stream is to end. The reader may come back, unless there is a reason not to."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason)
        self.reason = reason


class Inbox:
    """One stream's queue of looks. News of a device that waits is replaced by later news of it:
    a slow reader is sent fewer readings, never old ones."""

    def __init__(self, session: str, account_id: int) -> None:
        self.session = session
        self.account_id = account_id
        self.since = time.monotonic()
        self._queue: asyncio.Queue[Look | Ended] = asyncio.Queue(INBOX)
        self._devices: dict[tuple[str, str], DeviceNews] = {}
        """By kind and device, what no look that was taken has brought yet."""
        self._rights = Rights()
        """The latest that were put: asked after everything that waits was read."""

    async def get(self) -> Look:
        """The next look, with everything that waits of devices. Raises ``Ended``."""
        found = await self._queue.get()
        if isinstance(found, Ended):
            raise found
        devices, self._devices = tuple(self._devices.values()), {}
        return replace(found, rights=self._rights, noted=found.rights, devices=devices)

    def put(self, news: Look | Ended) -> None:
        """Where the reader is too slow, what waits is forgotten and the stream ends: the reader
        comes back and catches up."""
        if isinstance(news, Look):
            self._rights = max(self._rights, news.rights, key=lambda one: one.asked)
        if isinstance(news, Look) and news.devices:
            waits = bool(self._devices)
            for one in news.devices:
                self._devices.pop((one.kind, one.device), None)
                self._devices[one.kind, one.device] = one
            if waits:
                return None  # a look is on its way that brings them
            news = replace(news, devices=())
        while True:
            try:
                return self._queue.put_nowait(news)
            except asyncio.QueueFull:
                while not self._queue.empty():
                    self._queue.get_nowait()
                news = Ended(None)


class Hub:
    """Looks for changes once for all readers of this process, while there are any."""

    def __init__(self, services: Services, case_kinds: CaseKinds) -> None:
        self._services = services
        self.case_kinds = case_kinds
        self._inboxes: list[Inbox] = []  # the oldest first
        self._looks = (self._follow_feed, self._follow_devices)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.cipher = Cipher(services.settings.secret)
        self.rights = Rights()
        self._rights_number = 0

    @contextmanager
    def subscribe(self, session: str, account_id: int) -> Iterator[Inbox]:
        """A queue of looks for as long as the reader reads."""
        inbox = Inbox(session, account_id)
        self._inboxes.append(inbox)
        self._make_room(inbox)
        # Each by itself: after the last reader has gone they end at different times.
        for look in self._looks:
            task = self._tasks.get(look.__name__)
            if task is None or task.done():
                self._tasks[look.__name__] = asyncio.create_task(look())
        try:
            yield inbox
        finally:
            if inbox in self._inboxes:
                self._inboxes.remove(inbox)

    def _make_room(self, new: Inbox) -> None:
        """End the oldest streams of the same session and account beyond what they may have. Not
        the new one: what is oldest may be a connection that died without a word."""
        of_session = [one for one in self._inboxes if one.session == new.session]
        of_account = [one for one in self._inboxes if one.account_id == new.account_id]
        for one in {
            *of_session[:-STREAMS_PER_SESSION],
            *of_account[:-STREAMS_PER_ACCOUNT],
        }:
            one.put(Ended("too-many-streams"))
            self._inboxes.remove(one)

    def close(self) -> None:
        """End every stream."""
        for inbox in self._inboxes:
            inbox.put(Ended(None))
        for task in self._tasks.values():
            task.cancel()

    async def _follow_feed(self) -> None:
        position: int | None = None
        with self._services.changed.listen() as ear:
            while self._inboxes:
                try:
                    look = await run_in_threadpool(self._look, position, self._sessions())
                    if look is not None:
                        position = look.head
                        self._tell(look)
                except Exception as error:  # noqa: BLE001 - a store that is away comes back; readers wait
                    _log.warning("feed-not-read", exc_info=error)
                await asyncio.sleep(BREATH_S)
                await ear.wait(POLL_S)

    async def _follow_devices(self) -> None:
        # Apart from the feed: a thousand devices take a while, an alert must not wait for them.
        watch = DeviceWatch(self._services)
        while self._inboxes:
            more = False
            try:
                devices, more = await run_in_threadpool(watch.changed)
                if devices:
                    rights = await run_in_threadpool(self._ask, self._sessions())
                    self._tell(Look(rights, devices=devices))
            except Exception as error:  # noqa: BLE001 - a store that is away comes back; readers wait
                _log.warning("devices-not-read", exc_info=error)
            if not more:
                await asyncio.sleep(DEVICES_EVERY_S)

    def _sessions(self) -> frozenset[str]:
        return frozenset(inbox.session for inbox in self._inboxes)

    def _tell(self, look: Look) -> None:
        for inbox in list(self._inboxes):
            inbox.put(look)

    def _look(self, position: int | None, sessions: frozenset[str]) -> Look | None:
        """What happened since, and who may see it. ``None``: nothing, and all rights as before."""
        with self._services.sessions() as session:
            head = feed.head(session)
            number, self._rights_number = self._rights_number, number_of(session, RIGHTS)
            if position is None:
                return Look(self._ask(sessions), after=head, head=head)
            entries = feed.after(session, position, BATCH) if head != position else []
            if not entries:
                settled = number == self._rights_number
                if settled and time.monotonic() - self.rights.asked < RIGHTS_EVERY_S:
                    return None
                before = self.rights.readers
                rights = self._ask(sessions)
                changed = any(rights.readers.get(one) != before[one] for one in before)
                return Look(rights, after=position, head=position) if changed else None
            changes = changes_of(self._services, self.case_kinds, session, self.cipher, entries)
        # After the changes were read: who lost a right before them must not be told of them.
        rights = self._ask(sessions)
        note_shown(self._services, rights.readers.values(), changes)
        return Look(rights, after=position, head=entries[-1].number, changes=tuple(changes))

    def _ask(self, sessions: frozenset[str]) -> Rights:
        asked = time.monotonic()
        self.rights = Rights(asked, readers_of_sessions(self._services, sessions))
        return self.rights


def changes_of(
    services: Services,
    kinds: CaseKinds,
    session: Session,
    cipher: Cipher,
    entries: Iterable[FeedEntry],
) -> list[Change]:
    """What these entries of the feed speak of, as it now is, for whoever may see it. Several
    changes of one thing are told once, at the last of them."""
    numbers: dict[str, dict[str, int]] = {}
    for entry in entries:
        numbers.setdefault(entry.kind, {})[entry.key] = entry.number
    found = [
        *_alerts(services, session, cipher, numbers.get("alert", {})),
        *_cases(services, kinds, session, numbers.get("case", {})),
    ]
    for domain in domains():
        for kind in domain.feed_kinds:
            if changed := numbers.get(kind.name):
                found += kind.render(services, session, changed)
    return sorted(found, key=lambda change: change.number)


def _alerts(
    services: Services, session: Session, cipher: Cipher, numbers: Mapping[str, int]
) -> Iterator[Change]:
    rows = listing.by_id(session, numbers)
    for row, shown in zip(rows, summaries(session, cipher, rows, services.now()), strict=True):
        json = shown.model_dump_json()
        yield Change(
            numbers[row.id],
            "alert",
            row.id,
            row.domain,
            row.person_key,
            json,
            household=row.household,
            case_id=row.case_id,
            district=row.district,
            only=roles_of(row.only_roles),
            tells=(Scope.LIVE, Scope.ALERTS),
            raised=row.raised,
            active=row.active,
        )


def told_to(reader: Reader, change: Change) -> str | None:
    """What this reader is told of it; ``None``: nothing."""
    if change.json_for is not None:
        return change.json_for(reader)
    return change.json if _may_see(reader, change) else None


def shown_to(reader: Reader, change: Change) -> bool:
    """Whether this reader is told of it."""
    return told_to(reader, change) is not None


def _may_see(reader: Reader, change: Change) -> bool:
    if change.shown_to is not None:
        return change.shown_to(reader)
    subject = Subject(
        change.domain,
        person=change.person_key,
        case=change.case_id,
        household=change.household,
        district=change.district,
        only=change.only,
        tells=change.tells,
        raised=change.raised,
        active=change.active,
    )
    return may(reader, Operation.SEE, subject)


def _cases(
    services: Services, kinds: CaseKinds, session: Session, numbers: Mapping[str, int]
) -> Iterator[Change]:
    for news in changes(session, kinds, numbers, services.now()):
        row = news.row
        yield Change(numbers[row.id], "case", row.id, row.domain, None, news.json, news.shown_to)


def note_shown(services: Services, readers: Iterable[Reader], changes: Iterable[Change]) -> None:
    """Write down for each account whose whereabouts it is shown, before it is."""
    personal = [change for change in changes if change.person_key is not None]
    if not personal:
        return
    accounts = {reader.account_id: reader for reader in readers}
    with writing(services.sessions) as session:
        for reader in accounts.values():
            for kind in sorted({one.kind for one in personal}):
                way = "stream" if kind == "alert" else f"stream {kind}s"
                seen = [one for one in personal if one.kind == kind and shown_to(reader, one)]
                if seen:
                    audit_location_view(session, reader, seen, way, services.now(), automatic=True)
