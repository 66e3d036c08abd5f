"""Live changes as server-sent events, each reader's as far as their rights reach.

Events: ``alert`` (as a list shows it), ``visit``, ``case`` (only that it changed), ``device``,
``reading``; ``heartbeat`` at the beginning and where none of the first three was told for 15 s;
``resync``: load everything again, because the feed does not reach back far enough, or, where
``rights`` is named in it, because the reader's rights are others now: whatever the screen shows
it has to forget first;
and ``ended``: the session has too many streams open, and this was the oldest. ``rights`` is a
digest of what the reader may see; every heartbeat holds it and the server's ``time``, so that
who was away learns that rights changed meanwhile. Alerts and visits carry the feed's number as
their id: a reader that comes back with ``Last-Event-ID`` is sent what it missed. Rights are
asked anew before anything is sent and twice a second: what was revoked, ended or expired takes
effect within a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from vigil_cloud.alerts import feed
from vigil_cloud.domain.descriptor import Change
from vigil_cloud.http.stream_hub import (
    BATCH,
    Ended,
    Hub,
    Inbox,
    Rights,
    changes_of,
    note_shown,
    told_to,
)
from vigil_cloud.identity.dependencies import ServicesDependency, current_session
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.sessions import SignedIn, readers_of_sessions
from vigil_cloud.services import Services
from vigil_schemas.types import isoformat_utc

HEARTBEAT_S: Final = 15.0

router = APIRouter(tags=["stream"])
_log = structlog.get_logger(__name__)


@router.get(
    "/stream",
    operation_id="stream",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events alert, visit, device, reading, resync, ended;"
            " heartbeat every 15 s",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def get_stream(
    request: Request,
    services: ServicesDependency,
    signed_in: Annotated[SignedIn, Depends(current_session)],
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,18}$")] = None,
) -> StreamingResponse:
    """Changes as they happen. Without ``Last-Event-ID`` from now on. A session has eight
    streams, an account forty: beyond that the oldest ends."""
    after = None if last_event_id is None else int(last_event_id)
    reading = _Reading(services, request.app.state.hub, signed_in)
    return StreamingResponse(
        reading.events(after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


class _SessionOver(Exception):
    """Signed out, expired, or the account was closed."""


@dataclass(slots=True)
class _Reading:
    """One open stream: where it stands, and what its reader was last known to be allowed."""

    services: Services
    hub: Hub
    signed_in: SignedIn
    position: int = 0
    reader: Reader | None = None

    async def events(self, after: int | None) -> AsyncIterator[str]:
        """Until the session, the server or the reader ends it."""
        account = self.signed_in.reader.account_id
        with self.hub.subscribe(self.signed_in.token_sha256, account) as inbox:
            try:
                async for event in self._events(inbox, after):
                    yield event
            except Ended as end:
                if end.reason is not None:
                    yield _event("ended", json.dumps({"reason": end.reason}))
            except _SessionOver:
                pass
            except Exception as error:  # noqa: BLE001 - a store that is away: the reader comes back
                _log.warning("stream-ended", exc_info=error)

    async def _events(self, inbox: Inbox, after: int | None) -> AsyncIterator[str]:
        self.position, resync = await run_in_threadpool(_start, self.services, after)
        self.reader = await run_in_threadpool(self._ask)
        # The first heartbeat: what happens from here on is told, what was before is not.
        yield "retry: 2000\n: connected\n\n" + self._heartbeat()
        if resync:
            yield _event("resync", "{}", self.position)
        async for event in self._catch_up():
            yield event
        clock = asyncio.get_running_loop().time
        due = clock() + HEARTBEAT_S
        while True:
            told = False
            async for event in self._next(inbox, due):
                told = told or event.startswith("id: ")
                yield event
            if told or clock() >= due:
                if not told:
                    # An event, not a comment: a page is never told of comments, and could not
                    # tell a quiet city from a connection that has died without a word.
                    yield self._heartbeat()
                due = clock() + HEARTBEAT_S

    async def _next(self, inbox: Inbox, due: float) -> AsyncIterator[str]:
        """What the next look found for this reader; at a heartbeat's time only new rights.

        What other readers are told does not put the heartbeat off: who may see none of it
        must hear that we live.
        """
        look = None
        try:
            async with asyncio.timeout_at(due):
                look = await inbox.get()
        except TimeoutError:
            pass
        rights = look.rights if look is not None else self.hub.rights
        reader = self._of(rights)
        behind = look is not None and (
            look.after > self.position
            or (bool(look.changes) and self._of(look.noted) != reader)  # not written down as seen
        )
        if reader is None or behind or not rights.fresh(inbox.since):
            # Late to its turn, or behind what the hub looked at: ask and read for itself. So does
            # who is not among those asked about: it may have come while they were.
            async for event in self._catch_up():
                yield event
        else:
            for event in self._changed(reader):
                yield event
            if look is not None:
                for event in self._shown(look.changes):
                    yield event
                self.position = max(self.position, look.head)
        for device in look.devices if look is not None else ():
            if device.shown_to(self._known()):
                yield _event(device.kind, device.json)

    def _of(self, rights: Rights) -> Reader | None:
        return rights.readers.get(self.signed_in.token_sha256)

    async def _catch_up(self) -> AsyncIterator[str]:
        """From where the reader stands to the feed's end, on rights asked for it alone."""
        while True:
            changes, head, more = await run_in_threadpool(self._read)
            reader = await run_in_threadpool(self._ask)
            for event in self._changed(reader):
                yield event
            await run_in_threadpool(note_shown, self.services, [reader], changes)
            for event in self._shown(changes):
                yield event
            self.position = head
            if not more:
                return

    def _read(self) -> tuple[list[Change], int, bool]:
        with self.services.sessions() as session:
            entries = feed.after(session, self.position, BATCH)
            changes = changes_of(
                self.services, self.hub.case_kinds, session, self.hub.cipher, entries
            )
        return changes, entries[-1].number if entries else self.position, len(entries) == BATCH

    def _ask(self) -> Reader:
        key = self.signed_in.token_sha256
        reader = readers_of_sessions(self.services, {key}).get(key)
        if reader is None:
            raise _SessionOver
        return reader

    def _changed(self, reader: Reader) -> list[str]:
        """Where rights differ from before, what is on the screen is not what it should be."""
        before, self.reader = self.reader, reader
        if before is None or _digest(before) == _digest(reader):
            return []
        return [_event("resync", json.dumps({"rights": _digest(reader)}))]

    def _known(self) -> Reader:
        assert self.reader is not None  # noqa: S101 - asked before anything is sent
        return self.reader

    def _shown(self, changes: tuple[Change, ...] | list[Change]) -> list[str]:
        new = [change for change in changes if change.number > self.position]
        told = [(change, told_to(self._known(), change)) for change in new]
        return [
            _event(change.kind, json, change.number) for change, json in told if json is not None
        ]

    def _heartbeat(self) -> str:
        now = isoformat_utc(self.services.now())
        return _event("heartbeat", json.dumps({"rights": _digest(self._known()), "time": now}))


def _digest(reader: Reader) -> str:
    """Differs where what the reader may see differs."""
    names = (
        str(reader.account_id),
        *sorted(reader.roles),
        "/",
        *sorted(map(str, reader.consented)),
        "/",
        *sorted(reader.disclosed),
        "/",
        *sorted(f"{one.household} {one.relation} {sorted(one.devices)}" for one in reader.homes),
        "/",
        *sorted(reader.districts),
        str(reader.places),
    )
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _start(services: Services, after: int | None) -> tuple[int, bool]:
    """Where to begin, and whether something was missed that is no longer kept."""
    with services.sessions() as session:
        head = feed.head(session)
        if after is None:
            return head, False
        oldest = feed.oldest(session)
        lost = after > head or (after < head and (oldest is None or after + 1 < oldest))
        return (head, True) if lost else (after, False)


def _event(kind: str, data: str, number: int | None = None) -> str:
    line = f"id: {number}\n" if number is not None else ""
    return f"{line}event: {kind}\ndata: {data}\n\n"
