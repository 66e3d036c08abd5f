"""Searches: begun by a guardian's report, followed by hits and by people, ended by being found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.places import place_then
from vigil_cloud.cases import deadlines, sealing, work
from vigil_cloud.cases.models import CaseAlert, CaseRow
from vigil_cloud.cases.opening import Wanted, open_case
from vigil_cloud.cases.port import Happened
from vigil_cloud.cases.reported import WATCH_ENDS
from vigil_cloud.cases.service import Desk, admit, find, hold, told
from vigil_cloud.domain.presence import PersonSeen, Position
from vigil_cloud.identity import consents, disclosures
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.situation import situation_of
from vigil_cloud.search import calls, checkins
from vigil_cloud.search.errors import AlreadySearched, BadEntry, NotASearch, SearchOver
from vigil_cloud.search.models import Search, SearchEntry, SearchHit, SearchLikely
from vigil_cloud.search.said_times import passed

KIND: Final = "search"
WATCHED_FOR: Final = timedelta(days=7)
"""From the report, and again from each further report and each time that the police look."""
FAMILY_KNOWS_FOR: Final = timedelta(days=30)
AFTERWARDS: Final = timedelta(days=1)
"""So long guardians still see the alert that says how it ended."""
ONE_STAY: Final = timedelta(minutes=10)
"""Signs at one station that lie closer together are one hit, told once."""
LATE: Final = timedelta(minutes=10)
CLOTHES, PLACE, ENTRY = "search.clothes", "search.place", "search.entry"
RESOLUTION: Final = "ended"


@dataclass(frozen=True, slots=True)
class Report:
    """What a guardian says. Everything but the person may be unknown."""

    person_key: str
    clothes: str = ""
    place: str = ""
    last_seen: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody brings to a search. ``area``: corners, longitude and latitude."""

    kind: str
    at: datetime
    text: str = ""
    latitude: float | None = None
    longitude: float | None = None
    radius_m: float | None = None
    area: Sequence[Sequence[float]] = ()
    worth: float | None = None


def report(desk: Desk, said: Report) -> CaseRow:
    """Begin to search, or add to the search that is under way. Raises ``NoConsent`` for whoever
    is not the person's guardian, ``BadEntry``."""
    feed.lock(desk.session)
    consents.require_guardian(desk.session, desk.reader, said.person_key)
    if said.last_seen is not None:
        said = replace(said, last_seen=passed(said.last_seen, desk.now))
    if (said.latitude is None) != (said.longitude is None):
        raise BadEntry("A point has a latitude and a longitude.")
    under_way = open_search(desk.session, said.person_key)
    if under_way is not None:
        return _join(desk, under_way, said)
    case = open_case(desk, Wanted(kind=KIND, person_key=said.person_key))
    search = desk.session.get_one(Search, case.id)
    _describe(desk, search, said)
    return case


def _join(desk: Desk, search: Search, said: Report) -> CaseRow:
    """What a second guardian knows is added, and they follow the same case."""
    case = desk.session.get_one(CaseRow, search.case_id, with_for_update=True)
    admit(desk.session, case.id, desk.reader.username, None)
    _disclose(desk.session, search, desk.reader.username, desk.now)
    watch_for(desk.session, case, search, desk.now)
    words = "\n".join(one for one in (said.clothes, said.place) if one)
    told(desk, case, "noted", {}, words or "Reported once more.")
    _describe(desk, search, said)
    return case


def _describe(desk: Desk, search: Search, said: Report) -> None:
    """What is said takes the place of what was; what is left out stays."""
    sealer = sealing.writer(desk.session, desk.cipher, search.person_key, desk.now)
    if said.clothes:
        search.clothes = sealer.seal(CLOTHES, said.clothes)
    if said.place:
        search.place = sealer.seal(PLACE, said.place)
    search.last_seen = said.last_seen or search.last_seen
    if said.latitude is not None:
        search.latitude, search.longitude = said.latitude, said.longitude
    desk.session.flush()


# Made once: asked for every visit, and to make a statement costs more than to run it.
_OPEN: Final = select(Search).where(Search.person_key == bindparam("of"), Search.ended.is_(None))


def open_search(session: Session, person_key: str) -> Search | None:
    """The one that is under way."""
    return session.scalar(_OPEN, {"of": person_key})


def require(desk: Desk, case_id: str) -> tuple[CaseRow, Search]:
    """A search that the reader may see. Raises ``NotASearch`` and what ``find`` raises."""
    case, _ = find(desk, case_id)
    search = desk.session.get(Search, case_id)
    if search is None:
        raise NotASearch("This case is no search, or its person was erased.")
    return case, search


def happened(event: Happened) -> None:
    """What follows from an event of a case that is a search."""
    match event.action:
        case "opened":
            _begin(event)
        case "access-given":
            _let_know(event)
        case "closed":
            search = event.session.get(Search, event.case.id)
            if search is not None:
                end(event.session, search, event.case, event.now)


def _begin(event: Happened) -> None:
    session, case, now = event.session, event.case, event.now
    person = case.person_key or ""
    known = open_search(session, person)
    if known is not None:
        raise AlreadySearched
    device = checkins.latest_device(session, person, now)
    district = situation_of(session, device, "", now).district if device else None
    call = calls.call_police(session, case, district, now)
    alert = calls.tell_family(session, case, now)
    case.district = district
    search = Search(
        case_id=case.id,
        person_key=person,
        opened=now,
        watch_until=now + WATCHED_FOR,
        call_id=call.id,
        alert_id=alert.id,
    )
    session.add(search)
    for row in (call, alert):
        added = CaseAlert(alert_id=row.id, case_id=case.id, added=now, added_by=case.opened_by)
        session.add(added)
    session.flush()
    for guardian in consents.guardians_of(session, person):
        _disclose(session, search, guardian, now)
    checkins.watch(session, person, case_id=case.id, until=search.watch_until)


def _let_know(event: Happened) -> None:
    """A police account has said why: it is told of what happens, as long as it may look."""
    search = event.session.get(Search, event.case.id)
    if search is None or event.account is None:
        return
    disclosures.disclose(
        event.session,
        person_key=search.person_key,
        account=event.account,
        role=Role.POLICE,
        case_id=search.case_id,
        until=datetime.fromisoformat(event.detail["until"]),
        now=event.now,
    )
    for guardian in consents.guardians_of(event.session, search.person_key):
        _disclose(event.session, search, guardian, event.now)  # as long as it goes on
    watch_for(event.session, event.case, search, event.now)


def watch_for(session: Session, case: CaseRow, search: Search, now: datetime) -> None:
    """``WATCHED_FOR`` from now on: at every station, and in the deadline that reminds of it."""
    search.watch_until = max(search.watch_until, now + WATCHED_FOR)
    checkins.watch(session, search.person_key, case_id=search.case_id, until=search.watch_until)
    deadlines.prolong(session, case, WATCH_ENDS, search.watch_until, now)


def _disclose(session: Session, search: Search, account: str, now: datetime) -> None:
    disclosures.disclose(
        session,
        person_key=search.person_key,
        account=account,
        role=Role.FAMILY,
        case_id=search.case_id,
        until=now + FAMILY_KNOWS_FOR,
        now=now,
    )


def end(session: Session, search: Search, case: CaseRow, now: datetime) -> None:
    """Nobody is searched for any more: the list is withdrawn, the police know no longer, the
    guardians are told. Idempotent."""
    if search.ended is not None:
        return
    search.ended = now
    session.execute(delete(SearchLikely).where(SearchLikely.case_id == search.case_id))
    checkins.unwatch(session, search.case_id)
    guardians = consents.guardians_of(session, search.person_key)
    disclosures.end(session, search.case_id, now)
    for guardian in guardians:
        disclosures.disclose(
            session,
            person_key=search.person_key,
            account=guardian,
            role=Role.FAMILY,
            case_id=search.case_id,
            until=now + AFTERWARDS,
            now=now,
        )
    calls.tell_found(session, search, case, now)
    session.flush()


def person_seen(session: Session, seen: PersonSeen) -> None:
    """A hit where the person is searched for; else nothing, and nothing is kept."""
    search = open_search(session, seen.person_key)
    if search is None:
        return
    if seen.last < (search.last_seen or search.opened):
        if not seen.at_once:
            return  # of before they were missed: the footprint has it
        # No station was asked to tell of them before: its clock is behind.
        seen = replace(
            seen,
            first=seen.received,
            last=seen.received,
            marks={**seen.marks, "time_quality": "behind"},
        )
    near = select(SearchHit).where(
        SearchHit.case_id == search.case_id,
        SearchHit.device == seen.device,
        SearchHit.first <= seen.last + ONE_STAY,
        SearchHit.last >= seen.first - ONE_STAY,
    )
    known = session.scalar(near.order_by(SearchHit.first).limit(1))
    if known is not None:
        before = (known.first, known.last)
        known.first, known.last = min(known.first, seen.first), max(known.last, seen.last)
        _keep_position(known, seen)
        if (known.first, known.last) != before:
            show(session, search, seen.received)
        return
    hit = SearchHit(
        case_id=search.case_id,
        gateway=seen.gateway,
        device=seen.device,
        first=seen.first,
        last=seen.last,
        received=seen.received,
        at_once=seen.at_once,
        doubts=_doubts(seen),
    )
    _keep_position(hit, seen)
    newest = session.scalar(
        select(SearchHit.id).where(SearchHit.case_id == search.case_id, SearchHit.last > seen.last)
    )
    session.add(hit)
    session.flush()
    if newest is None:  # what is told late of before another hit stands on the map alone
        case = session.get_one(CaseRow, search.case_id)
        late = seen.received - seen.last > LATE
        place = place_then(session, seen.device, seen.position)
        calls.tell_hit(session, case, hit, place, late=late, now=seen.received)
    show(session, search, seen.received)


def _keep_position(hit: SearchHit, seen: PersonSeen) -> None:
    """Of a station that moves. A place that is known gives way to no sign without one."""
    position = seen.position
    if position is None or (position.state != "fixed" and hit.position_state == "fixed"):
        return
    hit.position_state, hit.within_m = position.state, position.within_m
    hit.latitude, hit.longitude = position.latitude, position.longitude


def position_of(hit: SearchHit) -> Position | None:
    """Where the station was, if it is one that moves."""
    if hit.position_state is None:
        return None
    return Position(hit.position_state, hit.latitude, hit.longitude, hit.within_m)


def show(session: Session, search: Search, now: datetime) -> None:
    """Open pages ask again: they go by the version. It is no step, so nobody's is refused."""
    feed.lock(session)
    session.flush()
    # As it is now: two that count from the same version would look like one change.
    case = session.get_one(CaseRow, search.case_id, with_for_update=True)
    case.version += 1
    session.flush()
    feed.append(session, "case", case.id, now)


def _doubts(seen: PersonSeen) -> list[str]:
    words = {"time_quality": "time", "owner_doubtful": "owner", "identity_doubtful": "identity"}
    return [word for mark, word in words.items() if mark in seen.marks]


def add_entry(desk: Desk, case_id: str, entry: Entry) -> CaseRow:
    """Raises ``BadEntry``, ``SearchOver`` and what ``hold`` raises."""
    held = hold(desk, case_id, "note", None)
    search = desk.session.get(Search, case_id)
    if search is None:
        raise NotASearch("This case is no search, or its person was erased.")
    if search.ended is not None:
        raise SearchOver("This search has ended; a note can still be added to its case.")
    _check(entry, desk.now)
    sealer = sealing.writer(desk.session, desk.cipher, search.person_key, desk.now)
    desk.session.add(
        SearchEntry(
            case_id=case_id,
            kind=entry.kind,
            at=passed(entry.at, desk.now),
            entered=desk.now,
            account=desk.reader.username,
            text=sealer.seal(ENTRY, entry.text) if entry.text else None,
            latitude=entry.latitude,
            longitude=entry.longitude,
            radius_m=entry.radius_m,
            area=[list(corner) for corner in entry.area] or None,
            worth=entry.worth,
        )
    )
    words = {"seen": "Seen by somebody", "searched": "Searched"}[entry.kind]
    told(desk, held.row, "noted", {"entry": entry.kind}, f"{words}: {entry.text}".rstrip(": "))
    return held.row


def _check(entry: Entry, now: datetime) -> None:
    point = entry.latitude is not None and entry.longitude is not None
    if point == bool(entry.area) or (entry.latitude is None) != (entry.longitude is None):
        raise BadEntry("Give either a point or an area.")
    if entry.kind == "searched" and point and entry.radius_m is None:
        raise BadEntry("A place that was searched has a radius, or an area.")
    inside = all(abs(corner[0]) <= 180 and abs(corner[1]) <= 90 for corner in entry.area)
    if entry.area and (len(entry.area) < 3 or not inside):
        raise BadEntry("An area has three corners or more, each a longitude and a latitude.")
    passed(entry.at, now)


def found(desk: Desk, case_id: str, version: int, outcome: str, text: str) -> CaseRow:
    """Decide how it ended and close the case, in one step. Raises what the two raise."""
    row = work.decide(desk, case_id, version, work.Decided(outcome, None, text))
    return work.close(desk, case_id, row.version, RESOLUTION, "")
