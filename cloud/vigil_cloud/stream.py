"""Live changes as server-sent events, each reader's as far as their rights reach.

Events: ``alert`` (a whole alert), ``visit``, ``device``, ``reading``; ``heartbeat`` at the
beginning and where neither alert nor visit was told for 15 s; and ``resync``: load
everything again, because the feed does not reach back far enough, or because the reader's
rights have changed and the screen may show what it no longer should. Alerts and visits
carry the feed's number as their id: a reader that comes back with ``Last-Event-ID`` is sent
what it missed. Rights are asked anew before anything is sent and at each heartbeat: a
revoked consent or an ended session takes effect at once, one that expires within 15 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow, FeedEntry
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.presentation import note_reading, present
from vigil_cloud.alerts.schema import VisitEntry
from vigil_cloud.alerts.visibility import may_see_device, visible
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.routes import visit_entry
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import looks
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import COOKIE, ServicesDependency, current_session
from vigil_cloud.identity.errors import NotSignedIn
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.sessions import SignedIn, resume
from vigil_cloud.live_devices import DeviceNews, DeviceWatch
from vigil_cloud.services import Services

HEARTBEAT_S: Final = 15.0
POLL_S: Final = 0.25
"""How often other processes' changes are looked for."""
BREATH_S: Final = 0.03
"""Least time between two looks: under load many changes are sent together."""
DEVICES_EVERY_S: Final = 1.0
BATCH: Final = 200
INBOX: Final = 256
TIDY_EVERY_S: Final = 3600.0

router = APIRouter(tags=["stream"])
_log = structlog.get_logger(__name__)


class VisitNews(VisitEntry):
    """A visit, and whose it was."""

    person_key: str


@dataclass(frozen=True, slots=True)
class News:
    """What one look found: how far the feed is, and devices that changed."""

    head: int = 0
    devices: tuple[DeviceNews, ...] = ()


@dataclass(slots=True, eq=False)
class _Inbox:
    """One reader's queue. ``None`` ends the stream; the reader comes back and catches up."""

    queue: asyncio.Queue[News | None] = field(default_factory=lambda: asyncio.Queue(INBOX))

    def put(self, news: News | None) -> None:
        while True:
            try:
                return self.queue.put_nowait(news)
            except asyncio.QueueFull:  # too slow: forget what waits, and end
                while not self.queue.empty():
                    self.queue.get_nowait()
                news = None


class Hub:
    """Looks for changes once for all readers of this process, while there are any."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._inboxes: set[_Inbox] = set()
        self._looks = (self._follow_feed, self._follow_devices)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.cipher = Cipher(services.settings.secret)

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[News | None]]:
        """A queue of news for as long as the reader reads."""
        inbox = _Inbox()
        self._inboxes.add(inbox)
        # Each by itself: after the last reader has gone they end at different times.
        for look in self._looks:
            task = self._tasks.get(look.__name__)
            if task is None or task.done():
                self._tasks[look.__name__] = asyncio.create_task(look())
        try:
            yield inbox.queue
        finally:
            self._inboxes.discard(inbox)

    def close(self) -> None:
        """End every stream."""
        for inbox in self._inboxes:
            inbox.put(None)
        for task in self._tasks.values():
            task.cancel()

    async def _follow_feed(self) -> None:
        head = -1
        with self._services.changed.listen() as ear:
            while self._inboxes:
                try:
                    found = await run_in_threadpool(self._head)
                    if found != head:
                        head = found
                        self._tell(News(head))
                except Exception as error:  # a store that is away comes back; readers wait
                    _log.warning("feed-not-read", exc_info=error)
                await asyncio.sleep(BREATH_S)
                await ear.wait(POLL_S)

    async def _follow_devices(self) -> None:
        # Apart from the feed: the time series may answer slowly, an alert must not wait for it.
        watch = DeviceWatch(self._services)
        while self._inboxes:
            try:
                if devices := await run_in_threadpool(watch.changed):
                    self._tell(News(devices=devices))
            except Exception as error:  # a store that is away comes back; readers wait
                _log.warning("devices-not-read", exc_info=error)
            await asyncio.sleep(DEVICES_EVERY_S)

    def _head(self) -> int:
        with self._services.sessions() as session:
            return feed.head(session)

    def _tell(self, news: News) -> None:
        for inbox in list(self._inboxes):
            inbox.put(news)


async def tidy(services: Services) -> None:
    """Drop feed entries that nobody can resume from, now and then."""
    while True:
        try:
            await run_in_threadpool(_prune, services)
        except Exception as error:  # tried again at the next turn
            _log.warning("feed-not-pruned", exc_info=error)
        await asyncio.sleep(TIDY_EVERY_S)


def _prune(services: Services) -> None:
    with writing(services.sessions) as session:
        feed.prune(session, services.now())


@router.get(
    "/stream",
    operation_id="stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events alert, visit, device, reading, resync; heartbeat every 15 s",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def get_stream(
    request: Request,
    services: ServicesDependency,
    _signed_in: Annotated[SignedIn, Depends(current_session)],
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,18}$")] = None,
) -> StreamingResponse:
    """Changes as they happen. Without ``Last-Event-ID`` from now on."""
    token = request.cookies[COOKIE]
    after = None if last_event_id is None else int(last_event_id)
    return StreamingResponse(
        _events(services, request.app.state.hub, token, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    services: Services, hub: Hub, token: str, after: int | None
) -> AsyncIterator[str]:
    with hub.subscribe() as inbox:
        position, resync = await run_in_threadpool(_start, services, after)
        # The first heartbeat: what happens from here on is told, what was before is not.
        yield "retry: 2000\n: connected\n\n" + _event("heartbeat", "{}")
        if resync:
            yield _event("resync", "{}", position)
        rights: _Rights | None = None
        devices: tuple[DeviceNews, ...] = ()
        clock = asyncio.get_running_loop().time
        due = clock() + HEARTBEAT_S
        while True:
            try:
                batch = await run_in_threadpool(_catch_up, services, hub.cipher, token, position)
            except NotSignedIn:
                return
            except Exception as error:  # a store that is away: the reader comes back
                _log.warning("stream-ended", exc_info=error)
                return
            if rights not in (None, batch.rights):
                yield _event("resync", "{}")
            position, rights = batch.position, batch.rights
            for event in batch.events:
                yield event
            for device in devices:
                if may_see_device(batch.reader, device.domain):
                    yield _event(device.kind, device.json)
            devices = ()
            if batch.more:
                continue
            if batch.events:
                due = clock() + HEARTBEAT_S
            try:
                devices = await _news(inbox, position, due)
            except TimeoutError:
                # An event, not a comment: a page is never told of comments, and could not
                # tell a quiet city from a connection that has died without a word.
                yield _event("heartbeat", "{}")
                due = clock() + HEARTBEAT_S
            except _Ended:
                return


_Rights = tuple[frozenset[Role], frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one reader is sent, and where it stands then."""

    reader: Reader
    position: int
    events: list[str]
    more: bool

    @property
    def rights(self) -> _Rights:
        """Where these differ from before, what is on the screen is no longer what it should be."""
        return self.reader.roles, self.reader.consented


class _Ended(Exception):
    """The hub has closed this stream."""


async def _news(
    inbox: asyncio.Queue[News | None], position: int, due: float
) -> tuple[DeviceNews, ...]:
    """Devices' news, none where the feed has moved. ``TimeoutError`` when a heartbeat is due.

    What other readers are told does not put that off: who may see none of the news must
    hear that we live. Raises ``_Ended``.
    """
    while True:
        async with asyncio.timeout_at(due):
            news = await inbox.get()
        if news is None:
            raise _Ended
        if news.devices or news.head > position:
            return news.devices


def _start(services: Services, after: int | None) -> tuple[int, bool]:
    """Where to begin, and whether something was missed that is no longer kept."""
    with services.sessions() as session:
        head = feed.head(session)
        if after is None:
            return head, False
        oldest = feed.oldest(session)
        lost = after > head or (after < head and (oldest is None or after + 1 < oldest))
        return (head, True) if lost else (after, False)


def _catch_up(services: Services, cipher: Cipher, token: str, position: int) -> _Batch:
    """The next batch of what this session may see. Raises ``NotSignedIn``."""
    reader = resume(services, token).reader
    with services.sessions() as session:
        entries = feed.after(session, position, BATCH)
        if not entries:
            return _Batch(reader, position, [], more=False)
        alerts = _alerts(session, services, cipher, reader, entries)
        visits = _visits(session, services, reader, entries)
    events: list[str] = []
    for entry in entries:
        found = {"alert": alerts, "visit": visits}.get(entry.kind, {})
        # Several changes of one thing in a batch are told once, at the last of them.
        shown = found.get(entry.key)
        if shown is not None and shown[0] == entry.number:
            events.append(_event(entry.kind, shown[1].model_dump_json(), entry.number))
    return _Batch(reader, entries[-1].number, events, more=len(entries) == BATCH)


def _last_numbers(entries: list[FeedEntry], kind: str) -> dict[str, int]:
    return {entry.key: entry.number for entry in entries if entry.kind == kind}


def _alerts(
    session: Session,
    services: Services,
    cipher: Cipher,
    reader: Reader,
    entries: list[FeedEntry],
) -> dict[str, tuple[int, BaseModel]]:
    numbers = _last_numbers(entries, "alert")
    rows = list(
        session.scalars(select(AlertRow).where(AlertRow.id.in_(list(numbers)), visible(reader)))
    )
    shown = present(session, cipher, reader, rows, services.now())
    if any(row.person_key is not None for row in rows):
        with writing(services.sessions) as audited:
            note_reading(audited, reader, rows, "stream", services.now(), automatic=True)
    return {alert.id: (numbers[alert.id], alert) for alert in shown}


def _visits(
    session: Session, services: Services, reader: Reader, entries: list[FeedEntry]
) -> dict[str, tuple[int, BaseModel]]:
    numbers = _last_numbers(entries, "visit")
    if not numbers or not reader.consented:
        return {}
    rows = list(
        session.scalars(
            select(Visit).where(
                Visit.id.in_(list(numbers)), Visit.person_key.in_(sorted(reader.consented))
            )
        )
    )
    shown: dict[str, tuple[int, BaseModel]] = {}
    for visit in rows:
        entry = visit_entry(visit, place_of(session, visit.device), services.now())
        news = VisitNews(person_key=visit.person_key or "", **entry.model_dump())
        shown[visit.id] = (numbers[visit.id], news)
    if rows:
        with writing(services.sessions) as audited:
            for person_key in sorted({visit.person_key for visit in rows if visit.person_key}):
                looks.note(
                    audited,
                    account=reader.username,
                    action="location.read",
                    subject="stream visits",
                    person_key=person_key,
                    now=services.now(),
                    automatic=True,
                )
    return shown


def _event(kind: str, json: str, number: int | None = None) -> str:
    line = f"id: {number}\n" if number is not None else ""
    return f"{line}event: {kind}\ndata: {json}\n\n"
