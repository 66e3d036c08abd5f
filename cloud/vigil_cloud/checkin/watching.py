"""The watch list: tags of people and of stolen things, on every station while they are looked for.

What is wanted stands in ``watches``; a job compares it with what each station was told and sends
the whole list as one command, which waits for a gateway that is away. The list carries tags and
until when each counts, nothing of whose they are; a station forgets them by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, and_, delete, func, not_, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.checkin import rotating
from vigil_cloud.checkin.models import Tag, Watch, WatchListHead, WatchStation
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert
from vigil_cloud.devices import downlinks
from vigil_cloud.devices.models import Device, Downlink, Gateway
from vigil_cloud.devices.seen import lock_gateways
from vigil_cloud.jobs.port import Job, Turn
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.commands import Watched, WatchList
from vigil_schemas.types import isoformat_utc

EVERY: Final = timedelta(seconds=1)
MOST: Final = 1000
"""Tags of one list; the contract's own bound."""
KEPT: Final = timedelta(days=7)
"""After its end: it comes back where the clock is set back."""
_AT_ONCE: Final = 40
"""Stations of one transaction: an alarm must not wait for two hundred."""
_EMPTY_FOR: Final = timedelta(days=7)
"""So long a gateway that is away is to be told that nobody is looked for any more; what it holds
has ended by itself long before."""
_AGAIN: Final = timedelta(seconds=60)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_UNTOLD: Final = ""
"""In place of a digest: whatever the list is, stations are told anew."""
_NOT_THERE: Final = frozenset({"unknown-device", "unsupported"})
"""What gateways answer that do not have the station any more."""
_log = structlog.get_logger(__name__)
_Telling = tuple[str, Gateway, WatchStation | None, WatchList]


def watch(
    session: Session, person_key: str, *, case_id: str, until: datetime, tag: str | None = None
) -> None:
    """Look for a person until then, or for longer; never for a shorter time. Idempotent. ``tag``:
    for this thing of theirs alone."""
    row = session.get(Watch, case_id)
    if row is None:
        session.add(Watch(case_id=case_id, person_key=person_key, until=until, tag=tag))
    else:
        row.until = max(row.until, until)
    session.flush()


def unwatch(session: Session, case_id: str) -> None:
    """This case looks for nobody and nothing any more. Idempotent."""
    session.execute(delete(Watch).where(Watch.case_id == case_id))


def over(before: datetime) -> ColumnElement[bool]:
    """What ended before; retention removes it. Not as it ends: a clock that is ahead and is set
    right would have ended the search for somebody who is still missing."""
    return Watch.until < before


def forget(session: Session, person_key: str, now: datetime) -> None:
    """Nobody looks for them, and no command that waits names their tags. After ``lock``."""
    head = _locked_head(session)
    session.execute(delete(Watch).where(Watch.person_key == person_key))
    for name in session.scalars(select(WatchStation.downlink)).all():
        downlinks.supersede(session, name, now)
    head.digest = _UNTOLD


def lock(session: Session) -> None:
    """What ``forget`` changes, before anything else is written: whoever is just telling stations
    has read the tags before, and their commands are seen here, or waits."""
    _locked_head(session)
    downlinks.lock_all(session, session.scalars(select(WatchStation.downlink)).all())


_ANY_STATION: Final = select(WatchStation.device).limit(1)


def watch_job() -> Job:
    """Tells stations what has changed, and what is over."""
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
    anybody = session.scalar(select(Watch.case_id).where(Watch.until > now).limit(1)) is not None
    told = session.scalar(_ANY_STATION) is not None
    if not anybody and not told:
        return False  # nearly always: nobody is missing
    entries, _ = _entries(session, now)
    if not entries and not told:
        return False
    revision = _current_revision(session, entries)
    if _due(session, entries, now, revision) or _left(session, now):
        return True
    return bool(_finished(session, revision, empty=not entries))


def tell_stations(session: Session, now: datetime) -> int:
    """Send the list to some of the stations that have another one; how many. Idempotent.

    Locks, in the order of everybody who takes several of them: gateways, the list's head, commands,
    the end of the audit log. With that end in hand it waits for nothing: ingest holds a gateway
    while it waits for that end, and an alarm would wait for both.
    """
    locked = lock_gateways(session, _gateways_to_tell(session, now))
    head = _locked_head(session)  # before anything is read: somebody may just be erased
    entries, left_out = _entries(session, now)
    returned = _returned(session, head.revision) if entries else None
    if returned is not None:  # it takes no list that is not newer than what it was told to forget
        head.revision, head.digest = returned, _UNTOLD
    revision = _revision(head, entries, left_out, now)
    for station in _finished(session, revision, empty=not entries):
        session.delete(station)
    session.flush()
    newest = WatchList(revision=revision, entries=list(entries))
    due: list[_Telling] = [(*one, newest) for one in _due(session, entries, now, revision)]
    for device, gateway, known in _left(session, now):
        above = max(known.revision + 1, int(now.timestamp() * 1000))
        due.append((device, gateway, known, WatchList(revision=above, entries=[])))
    # One that has just come to be due is told a second later.
    due = [one for one in due if one[1].gateway in locked][:_AT_ONCE]
    downlinks.lock_all(session, [known.downlink for _, _, known, _ in due if known is not None])
    for device, gateway, known_before, wanted in due:
        _tell(session, device, gateway, known_before, wanted, now)
    session.flush()
    return len(due)


def _gateways_to_tell(session: Session, now: datetime) -> set[str]:
    """Those of the stations that are due first, looked for without a lock."""
    entries, _ = _entries(session, now)
    due = _due(session, entries, now, _current_revision(session, entries))
    gateways = [one[1].gateway for one in (*due, *_left(session, now))]
    session.expire_all()  # what is read under the locks is read anew
    return set(gateways[:_AT_ONCE])


def _current_revision(session: Session, entries: Sequence[Watched]) -> int:
    """Of the list as it stands; 0: it is not the one that stations were told last."""
    head = session.get(WatchListHead, 1)
    current = head is not None and head.digest == _digest(entries)
    return head.revision if current and head is not None else 0


def _tell(
    session: Session,
    device: str,
    gateway: Gateway,
    known: WatchStation | None,
    wanted: WatchList,
    now: datetime,
) -> None:
    tries = 0
    if known is not None:
        downlinks.supersede(session, known.downlink, now)
        same = known.revision == wanted.revision or (known.withdrawn and not wanted.entries)
        tries = known.tries + 1 if same else 0
    expires = max((entry.until for entry in wanted.entries), default=now + _EMPTY_FOR)
    name = gateway.gateway
    sent = downlinks.ask(session, name, device, wanted, by="vigil", expires=expires, now=now)
    session.merge(
        WatchStation(
            device=device,
            gateway=name,
            epoch=gateway.epoch,
            revision=wanted.revision,
            downlink=sent.id,
            asked=now,
            tries=tries,
            withdrawn=not wanted.entries,
        )
    )


def _entries(session: Session, now: datetime) -> tuple[Sequence[Watched], int]:
    """The list as it is to be, and how many ids found no room on it: those whose search has been
    prolonged least."""
    wanted = _wanted(session, now)
    listed = sorted((entry for _, entry in wanted[:MOST]), key=lambda one: one.id)
    return listed, max(0, len(wanted) - MOST)


def _wanted(session: Session, now: datetime) -> list[tuple[str, Watched]]:
    """Each tag that is looked for with what it sends: of a rotating one what it sends now and
    next. Things come after people, and those whose search has been prolonged least last."""
    until = func.max(Watch.until).label("until")
    of_people = (
        select(Tag.tag, until)
        .join(Watch, Watch.person_key == Tag.person_key)
        .where(Watch.until > now, Watch.tag.is_(None))
        .group_by(Tag.tag)
        .order_by(until.desc(), Tag.tag)
    )
    of_things = (
        select(Watch.tag, until)
        .where(Watch.until > now, Watch.tag.is_not(None))
        .group_by(Watch.tag)
        .order_by(until.desc(), Watch.tag)
    )
    # Where the list is full it is people who must be on it.
    rows = [
        (str(tag), at) for query in (of_people, of_things) for tag, at in session.execute(query)
    ]
    names = [tag for tag, _ in rows if tag.startswith(rotating.OWN)]
    sent = rotating.sent_soon(session, names, now) if names else {}
    found: list[tuple[str, Watched]] = []
    for tag, at in rows:
        if tag in names:
            ahead = sent.get(tag, ())
            found += [(tag, Watched(id=one, until=min(at, end))) for one, end in ahead if end > now]
        else:
            found.append((tag, Watched(id=tag, until=at)))
    return found


def _digest(entries: Sequence[Watched]) -> str:
    said = json.dumps([[entry.id, isoformat_utc(entry.until)] for entry in entries])
    return hashlib.sha256(said.encode()).hexdigest()


def _locked_head(session: Session) -> WatchListHead:
    """Held by whoever tells stations and by whoever erases a person, one after the other."""
    head = insert(session, WatchListHead).values(id=1, revision=0, digest=_UNTOLD)
    session.execute(head.on_conflict_do_nothing())
    return session.get_one(WatchListHead, 1, with_for_update=True, populate_existing=True)


def _revision(head: WatchListHead, entries: Sequence[Watched], left_out: int, now: datetime) -> int:
    """The number of this list. It follows the clock, so that a database that was put back does
    not begin below what stations have."""
    digest = _digest(entries)
    if head.digest != digest:
        head.revision = max(head.revision + 1, int(now.timestamp() * 1000))
        head.digest = digest
        if left_out:  # once for each list; the map of each search says how many of its own
            _log.error("watch-list-full", most=MOST, left_out=left_out)
    return head.revision


def _due(
    session: Session, entries: Sequence[Watched], now: datetime, revision: int
) -> list[tuple[str, Gateway, WatchStation | None]]:
    """Stations that have another list than this, or refused it and are to be asked again."""
    query = (
        select(Device.device, Device.commands, Gateway, WatchStation, Downlink)
        .join(Gateway, Gateway.gateway == Device.gateway)
        .outerjoin(WatchStation, _here())
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
            or (known.withdrawn and bool(entries))
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


def _here() -> ColumnElement[bool]:
    """What a station was told through the gateway that it is at now."""
    return and_(WatchStation.device == Device.device, WatchStation.gateway == Device.gateway)


def _elsewhere() -> ColumnElement[bool]:
    """What was told through a gateway that the station has left, or that no longer has it."""
    return or_(
        Device.device.is_(None), Device.gateway != WatchStation.gateway, not_(Device.described)
    )


def _returned(session: Session, revision: int) -> int | None:
    """Of stations that are back at a gateway which was told meanwhile to forget their list: with
    which number, where it is not below this one."""
    query = (
        select(func.max(WatchStation.revision))
        .join(Device, _here())
        .where(Device.described, WatchStation.withdrawn, WatchStation.revision >= revision)
    )
    return session.scalar(query)


def _left(session: Session, now: datetime) -> list[tuple[str, Gateway, WatchStation]]:
    """Stations that were moved or removed, and whose gateway may still have the list: it is told
    to forget it, and again where it has started anew or refuses for now."""
    query = (
        select(WatchStation, Gateway, Downlink)
        .join(Gateway, Gateway.gateway == WatchStation.gateway)
        .outerjoin(Downlink, Downlink.id == WatchStation.downlink)
        .outerjoin(Device, Device.device == WatchStation.device)
        .where(_elsewhere())
        .order_by(WatchStation.device, WatchStation.gateway)
    )
    return [
        (known.device, gateway, known)
        for known, gateway, sent in session.execute(query)
        if not known.withdrawn or (not _is_over(sent) and _refused(known, sent, now))
    ]


def _finished(session: Session, revision: int, *, empty: bool) -> list[WatchStation]:
    """Stations that know that nobody is looked for, or cannot be told; those that have left a
    gateway which was told to forget, and what gateways had that are gone."""
    known = session.execute(
        select(WatchStation, Downlink, Gateway.gateway, _elsewhere())
        .outerjoin(Downlink, Downlink.id == WatchStation.downlink)
        .outerjoin(Device, Device.device == WatchStation.device)
        .outerjoin(Gateway, Gateway.gateway == WatchStation.gateway)
    )
    return [
        station
        for station, sent, gateway, elsewhere in known
        if gateway is None
        or (elsewhere and station.withdrawn and _is_over(sent))
        or (not elsewhere and empty and station.revision == revision and _is_over(sent))
    ]


def _is_over(sent: Downlink | None) -> bool:
    """It was done, or there is nothing to do it: a gateway that does not have the station has
    forgotten its list with it."""
    return (
        sent is None
        or bool(sent.accepted)
        or sent.code in downlinks.GIVEN_UP
        or sent.code in _NOT_THERE
    )


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
    left_out: int
    """Tags of the person, or of the thing, that found no room on the list."""


def coverage(session: Session, person_key: str, now: datetime) -> Coverage:
    """Of the list as it now is, for one person on it."""
    own = set(session.scalars(select(Tag.tag).where(Tag.person_key == person_key)))
    return coverage_of(session, own, now)


def coverage_of(session: Session, own: Set[str], now: datetime) -> Coverage:
    """The same, for these tags."""
    head = session.get(WatchListHead, 1)
    revision = head.revision if head is not None else 0
    listed = {tag for tag, _ in _wanted(session, now)[:MOST]}
    rows = session.execute(
        select(Device.commands, WatchStation.revision, Downlink.accepted)
        .outerjoin(WatchStation, _here())
        .outerjoin(Downlink, Downlink.id == WatchStation.downlink)
        .where(Device.domain == DOMAIN, Device.described)
    ).all()
    able = [row for row in rows if WatchList.ACTION in row.commands]
    watching = sum(row.revision == revision and bool(row.accepted) for row in able)
    unable = len(rows) - len(able)
    return Coverage(len(rows), watching, len(able) - watching, unable, len(own - listed))
