"""The watch list: tags of people who are looked for, on every station while they are.

What is wanted stands in ``watches``; a job compares it with what each station was told and sends
the whole list as one command, which waits for a gateway that is away. The list carries tags and
until when each counts, nothing of whose they are; a station forgets them by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.checkin.models import Tag, Watch, WatchListHead, WatchStation
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import downlinks
from vigil_cloud.devices.models import Device, Downlink, Gateway
from vigil_cloud.jobs.port import Job, Turn
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.commands import Watched, WatchList
from vigil_schemas.types import isoformat_utc

EVERY: Final = timedelta(seconds=1)
MOST: Final = 1000
"""Tags of one list; the contract's own bound."""
_AT_ONCE: Final = 40
"""Stations of one transaction: an alarm must not wait for two hundred."""
_EMPTY_FOR: Final = timedelta(days=7)
"""So long a gateway that is away is to be told that nobody is looked for any more; what it holds
has ended by itself long before."""
_AGAIN: Final = timedelta(seconds=60)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_log = structlog.get_logger(__name__)


def watch(session: Session, person_key: str, *, case_id: str, until: datetime) -> None:
    """Look for a person until then, or for longer; never for a shorter time. Idempotent."""
    row = session.get(Watch, case_id)
    if row is None:
        session.add(Watch(case_id=case_id, person_key=person_key, until=until))
    else:
        row.until = max(row.until, until)
    session.flush()


def unwatch(session: Session, case_id: str) -> None:
    """This case looks for nobody any more. Idempotent."""
    session.execute(delete(Watch).where(Watch.case_id == case_id))


def forget(session: Session, person_key: str) -> None:
    """Nobody looks for them, and no command that waits names their tags."""
    session.execute(delete(Watch).where(Watch.person_key == person_key))
    for name in session.scalars(select(WatchStation.downlink)).all():
        row = session.get(Downlink, name)
        if row is not None and row.answered is None:
            downlinks.supersede(session, name, row.created)
    session.execute(delete(WatchListHead))


def watch_job() -> Job:
    """Tells stations what has changed; what is over ends here as well."""
    return Job("watch-lists", EVERY, _follow, waiting=_anything)


def _follow(turn: Turn) -> None:
    services = turn.services
    told = False
    while not turn.stopping.is_set():
        with services.sessions() as session:
            if not _anything(session, turn.now):
                break
        with writing(services.sessions) as session:
            if not tell_stations(session, turn.now):
                break
        told = True
    if told:
        services.changed.announce()


def _anything(session: Session, now: datetime) -> bool:
    """Whether there is something to tell or to tidy up, asked each second without a lock."""
    entries = _entries(session, now)
    if not entries and session.scalar(select(WatchStation.device).limit(1)) is None:
        return session.scalar(select(Watch.case_id).limit(1)) is not None
    head = session.get(WatchListHead, 1)
    current = head is not None and head.digest == _digest(entries)
    revision = head.revision if current and head is not None else 0
    if _due(session, entries, now, revision):
        return True
    return not entries and bool(_finished(session, revision))


def tell_stations(session: Session, now: datetime) -> int:
    """Send the list to some of the stations that have another one; how many. Idempotent."""
    session.execute(delete(Watch).where(Watch.until <= now))
    entries = _entries(session, now)
    revision = _revision(session, entries, now)
    if not entries:
        for station in _finished(session, revision):
            session.delete(station)
        session.flush()
    due = _due(session, entries, now, revision)
    wanted = WatchList(revision=revision, entries=list(entries))
    expires = max((entry.until for entry in entries), default=now + _EMPTY_FOR)
    for device, gateway, known in due[:_AT_ONCE]:
        tries = 0
        if known is not None:
            downlinks.supersede(session, known.downlink, now)
            tries = known.tries + 1 if known.revision == revision else 0
        sent = downlinks.ask(
            session, gateway.gateway, device, wanted, by="vigil", expires=expires, now=now
        )
        session.merge(
            WatchStation(
                device=device,
                gateway=gateway.gateway,
                epoch=gateway.epoch,
                revision=revision,
                downlink=sent.id,
                asked=now,
                tries=tries,
            )
        )
    session.flush()
    return len(due[:_AT_ONCE])


def _entries(session: Session, now: datetime) -> Sequence[Watched]:
    until = func.max(Watch.until).label("until")
    query = (
        select(Tag.tag, until)
        .join(Watch, Watch.person_key == Tag.person_key)
        .where(Watch.until > now)
        .group_by(Tag.tag)
        .order_by(until.desc(), Tag.tag)
    )
    rows = session.execute(query.limit(MOST + 1)).all()
    if len(rows) > MOST:
        _log.error("watch-list-full", most=MOST)
    return sorted((Watched(id=tag, until=at) for tag, at in rows[:MOST]), key=lambda one: one.id)


def _digest(entries: Sequence[Watched]) -> str:
    said = json.dumps([[entry.id, isoformat_utc(entry.until)] for entry in entries])
    return hashlib.sha256(said.encode()).hexdigest()


def _revision(session: Session, entries: Sequence[Watched], now: datetime) -> int:
    """The number of this list. It follows the clock, so that a database that was put back does
    not begin below what stations have."""
    head = session.get(WatchListHead, 1, with_for_update=True)
    digest = _digest(entries)
    if head is None:
        head = WatchListHead(id=1, revision=0, digest="")
        session.add(head)
    if head.digest != digest:
        head.revision = max(head.revision + 1, int(now.timestamp() * 1000))
        head.digest = digest
        session.flush()
    return head.revision


def _due(
    session: Session, entries: Sequence[Watched], now: datetime, revision: int
) -> list[tuple[str, Gateway, WatchStation | None]]:
    """Stations that have another list than this, or refused it and are to be asked again."""
    query = (
        select(Device.device, Device.commands, Gateway, WatchStation, Downlink)
        .join(Gateway, Gateway.gateway == Device.gateway)
        .outerjoin(WatchStation, WatchStation.device == Device.device)
        .outerjoin(Downlink, Downlink.id == WatchStation.downlink)
        .where(Device.domain == DOMAIN, Device.described)
        .order_by(Gateway.connected.desc(), Device.device)
    )
    rows: Sequence[tuple[str, list[str], Gateway, WatchStation | None, Downlink | None]] = (
        session.execute(query).all()
    )
    found: list[tuple[str, Gateway, WatchStation | None]] = []
    for device, commands, gateway, known, sent in rows:
        if WatchList.ACTION not in commands:
            continue  # of an earlier release: its visits are looked at when they come
        if known is None:
            if entries:
                found.append((device, gateway, None))
        elif (
            known.revision != revision
            or known.gateway != gateway.gateway
            or known.epoch != gateway.epoch
            or _refused(known, sent, now)
        ):
            found.append((device, gateway, known))
    return found


def _refused(known: WatchStation, sent: Downlink | None, now: datetime) -> bool:
    if sent is None:
        return True
    if sent.answered is None or sent.accepted:
        return False
    pause: timedelta = min(_AGAIN * 2 ** min(known.tries, 10), _LONGEST_PAUSE)
    return now - known.asked >= pause


def _finished(session: Session, revision: int) -> list[WatchStation]:
    """Stations that know that nobody is looked for, or cannot be told; and those that are gone."""
    known = session.execute(
        select(WatchStation, Downlink, Device.described)
        .outerjoin(Downlink, Downlink.id == WatchStation.downlink)
        .outerjoin(Device, Device.device == WatchStation.device)
    )
    return [
        station
        for station, sent, described in known
        if not described or (station.revision == revision and _is_over(sent))
    ]


def _is_over(sent: Downlink | None) -> bool:
    return sent is None or bool(sent.accepted) or sent.code in downlinks.GIVEN_UP


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far the list has come."""

    stations: int
    watching: int
    """Have answered that they hold it as it now is."""
    waiting: int
    """Were told, or are to be told once they are there again."""
    unable: int
    """Of an earlier release: what they tell later of a visit is looked at when it comes."""


def coverage(session: Session) -> Coverage:
    """Of the list as it now is, whoever is on it."""
    head = session.get(WatchListHead, 1)
    revision = head.revision if head is not None else 0
    rows = session.execute(
        select(Device.commands, WatchStation.revision, Downlink.accepted)
        .outerjoin(WatchStation, WatchStation.device == Device.device)
        .outerjoin(Downlink, Downlink.id == WatchStation.downlink)
        .where(Device.domain == DOMAIN, Device.described)
    ).all()
    able = [row for row in rows if WatchList.ACTION in row.commands]
    watching = sum(row.revision == revision and bool(row.accepted) for row in able)
    return Coverage(len(rows), watching, len(able) - watching, len(rows) - len(able))
