"""Everything of a search that has a place, for one reader."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from vigil_cloud.alerts.places import Place, moved, places_of
from vigil_cloud.cases import sealing
from vigil_cloud.cases.models import CaseAccess, CaseRow
from vigil_cloud.cases.service import Desk
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity.consents import guarded_by
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Opening, Scope, opened_to
from vigil_cloud.search import checkins, exports, tips
from vigil_cloud.search.likely import HISTORY, WORTH, by_phones, cut_of
from vigil_cloud.search.models import Search, SearchEntry, SearchHit, SearchLikely
from vigil_cloud.search.rings import URBAN
from vigil_cloud.search.schema import (
    EntryShown,
    HitEntry,
    LastPlace,
    Likely,
    RingEntry,
    SearchMap,
    SearchPlan,
    StationEntry,
    TaskEntry,
    WatchState,
)
from vigil_cloud.search.service import CLOTHES, ENTRY, LATE, PLACE, position_of
from vigil_schemas.types import isoformat_utc

FOOTPRINT: Final = timedelta(days=7)
NEAR_M: Final = 5_000.0
"""Stations around the last place that are shown."""


def shows(desk: Desk, case: CaseRow, search: Search) -> Opening | None:
    """Whether the reader is shown the footprint, and from when on."""
    if search.ended is not None:
        return None
    until = _access_until(desk, case)
    # For a time that was asked for with a reason: a police account may be the guardian's own.
    if desk.reader.has(Role.POLICE) and until is not None and until > desk.now:
        return Opening(None)
    return opened_to(desk.reader, search.person_key, Scope.FOOTPRINT)


def draw(desk: Desk, case: CaseRow, search: Search, address: str) -> SearchMap:
    """``address``: where people reach this city. The caller has asked whether the reader sees the
    case, and writes the look down."""
    until = _access_until(desk, case)
    shown = shows(desk, case, search)
    visits = _visits(desk, search, shown)
    hits = _hits(desk, search)
    newest = visits or _newest(desk, search)
    last = _last_place(search, newest, hits) if search.ended is None else None
    sealer = sealing.reader(desk.session, desk.cipher, case)
    return SearchMap(
        case_id=case.id,
        number=case.number,
        version=case.version,
        opened=search.opened,
        ended=search.ended,
        access_until=until,
        clothes=sealing.opened(sealer, CLOTHES, search.clothes),
        place=sealing.opened(sealer, PLACE, search.place),
        last_seen=search.last_seen,
        last_place=last,
        rings=[RingEntry(share=r.share, radius_m=r.radius_m) for r in URBAN] if last else [],
        likely=likely_of(desk, search, shown),
        footprint=visits,
        footprint_withheld=shown is None,
        footprint_since=None if shown is None else shown.since,
        stations=_stations(desk, last, {hit.device for hit in hits}),
        hits=hits,
        entries=_entries(desk, search, sealer) + _phones(desk, search, shown),
        watch=_watch(desk, search),
        guardian=search.person_key in guarded_by(desk.session, desk.reader.account_id),
        link=_link(desk, search, address),
    )


def _visits(desk: Desk, search: Search, shown: Opening | None) -> list[checkins.VisitEntry]:
    if shown is None:
        return []
    since = desk.now - FOOTPRINT
    found = checkins.footprint(desk.session, search.person_key, since, desk.now, desk.now)
    return checkins.opened(found, shown)


def _newest(desk: Desk, search: Search) -> list[checkins.VisitEntry]:
    """Where they were last, for whom a consent opens that and no footprint."""
    if opened_to(desk.reader, search.person_key, Scope.LAST_PLACE) is None:
        return []
    found = checkins.newest_visit(desk.session, search.person_key, desk.now)
    return [] if found is None else [found]


def likely_of(desk: Desk, search: Search, shown: Opening | None) -> Likely | None:
    """As it was drawn last, with the stations' names. Whoever is shown a part of the footprint is
    shown what was drawn of that part alone: the map of the whole would tell of places that are not
    theirs to see. ``None``: nothing is open, known or drawn yet."""
    row = desk.session.get(SearchLikely, search.case_id)
    if shown is None or row is None or not row.drawn:
        return None
    drawn, since = row.drawn, None
    if shown.since is not None and not shown.reaches(row.at - HISTORY):
        drawn, since = row.drawn.get("cuts", {}).get(cut_of(shown.since)), shown.since
        if drawn is None:
            return None
    named = {one.device: one for one in checkins.stations(desk.session)}
    following = [
        {
            "device": one["device"],
            "name": named[one["device"]].name,
            "name_zh": named[one["device"]].name_zh,
            "latitude": named[one["device"]].latitude,
            "longitude": named[one["device"]].longitude,
            "probability": one["probability"],
        }
        for one in drawn["next_stations"]
        if one["device"] in named
    ]
    return Likely.model_validate(
        {
            "at": row.at,
            "since": datetime.fromtimestamp(drawn["since_s"], UTC),
            "footprint_since": since,
            "contours": drawn["contours"],
            "next_stations": following,
            "segments": drawn["segments"],
            "notes": drawn["notes"],
        }
    )


def _link(desk: Desk, search: Search, address: str) -> str | None:
    path = tips.path_of(desk.cipher, search)
    return None if path is None else address + path


def _access_until(desk: Desk, case: CaseRow) -> datetime | None:
    query = select(CaseAccess.until).where(
        CaseAccess.case_id == case.id, CaseAccess.account == desk.reader.username
    )
    return desk.session.scalar(query)


def _hits(desk: Desk, search: Search) -> list[HitEntry]:
    rows = desk.session.scalars(
        select(SearchHit).where(SearchHit.case_id == search.case_id).order_by(SearchHit.first)
    ).all()
    places = places_of(desk.session, {row.device for row in rows})
    return [_hit(row, moved(places[row.device], position_of(row))) for row in rows]


def _hit(row: SearchHit, place: Place) -> HitEntry:
    return HitEntry.model_validate(
        {
            "id": row.id,
            "device": row.device,
            "name": place.name,
            "name_zh": place.name_zh,
            "latitude": place.latitude,
            "longitude": place.longitude,
            "first": row.first,
            "last": row.last,
            "received": row.received,
            "at_once": row.at_once,
            "late": row.received - row.last > LATE,
            "doubts": row.doubts,
        }
    )


def _last_place(
    search: Search, visits: Sequence[checkins.VisitEntry], hits: Sequence[HitEntry]
) -> LastPlace | None:
    """The newest of what was reported, heard by a station, and hit; what people say they saw is
    on the map beside it."""
    found = [
        _place(source, one.name, one.name_zh, one.latitude, one.longitude, at)
        for source, some in (("visit", visits), ("hit", hits))
        for one in some
        for at in (one.last_seen if hasattr(one, "last_seen") else one.last,)
        if one.latitude is not None
    ]
    if search.latitude is not None and search.last_seen is not None:
        found.append(_place("report", "", "", search.latitude, search.longitude, search.last_seen))
    return max(found, key=lambda one: one.at, default=None)


def _place(
    source: str, name: str, name_zh: str, latitude: Any, longitude: Any, at: datetime
) -> LastPlace:
    return LastPlace.model_validate(
        {
            "name": name,
            "name_zh": name_zh,
            "latitude": latitude,
            "longitude": longitude,
            "at": at,
            "source": source,
        }
    )


def _stations(desk: Desk, last: LastPlace | None, heard: set[str]) -> list[StationEntry]:
    found = []
    for one in checkins.stations(desk.session):
        away = None
        if last is not None:
            away = distance_m((last.latitude, last.longitude), (one.latitude, one.longitude))
        if one.device in heard or (away is not None and away <= NEAR_M):
            found.append(
                StationEntry(
                    device=one.device,
                    name=one.name,
                    name_zh=one.name_zh,
                    latitude=one.latitude,
                    longitude=one.longitude,
                    online=one.online,
                    distance_m=away,
                )
            )
    return sorted(found, key=lambda one: one.distance_m or 0.0)


def _entries(desk: Desk, search: Search, sealer: sealing.Sealer) -> list[EntryShown]:
    rows = desk.session.scalars(
        select(SearchEntry).where(SearchEntry.case_id == search.case_id).order_by(SearchEntry.at)
    )
    return [
        EntryShown.model_validate(
            {
                "id": row.id,
                "kind": row.kind,
                "at": row.at,
                "entered": row.entered,
                "account": row.account,
                "text": sealing.opened(sealer, ENTRY, row.text),
                "contact": sealing.opened(sealer, tips.CONTACT, row.contact),
                "latitude": row.latitude,
                "longitude": row.longitude,
                "radius_m": row.radius_m,
                "area": row.area or [],
                "worth": WORTH[row.kind] if row.worth is None else row.worth,
            }
        )
        for row in rows
    ]


def _phones(desk: Desk, search: Search, shown: Opening | None) -> list[EntryShown]:
    """What citizens' phones heard, for whoever is shown the footprint."""
    if shown is None:
        return []
    return [
        EntryShown(
            id=-one.id,  # beside the entries, whose numbers are positive
            kind="phone",
            at=one.at,
            entered=one.at,
            account=None,
            text="",
            contact="",
            latitude=one.latitude,
            longitude=one.longitude,
            radius_m=one.within_m,
            area=[],
            worth=WORTH["phone"],
        )
        for one in by_phones(desk.session, search, desk.now)
        if shown.reaches(one.at)
    ]


def _watch(desk: Desk, search: Search) -> WatchState | None:
    if search.ended is not None:
        return None
    now = checkins.coverage(desk.session, search.person_key, desk.now)
    return WatchState(
        until=search.watch_until,
        stations=now.stations,
        watching=now.watching,
        waiting=now.waiting,
        unable=now.unable,
        left_out=now.left_out,
    )


def planned(likely: Likely, team_hours: float) -> SearchPlan:
    """``team_hours`` shared out over the map's segments."""
    from vigil_cloud.search import planning  # not loaded by whoever asks for the map alone

    found = [
        planning.Segment(one.name, one.corners, one.probability, one.way_m, one.covered)
        for one in likely.segments
    ]
    tasks = planning.plan(found, team_hours)
    corners = {one.name: one.corners for one in found}
    return SearchPlan(
        at=likely.at,
        team_hours=team_hours,
        found=sum(task.gain for task in tasks),
        tasks=[TaskEntry(corners=corners[task.name], **task._asdict()) for task in tasks],
    )


def sheet_of(shown: SearchMap, likely: Likely) -> exports.Sheet:
    """What is exported: everything that has a place, and names nobody."""
    shapes = [
        exports.region(one.probability, one.area_km2, one.polygons) for one in likely.contours
    ]
    shapes += [exports.segment(one.name, one.probability, one.corners) for one in likely.segments]
    shapes += [
        exports.area(
            f"Searched (POD {one.worth:.0%})"
            if one.kind == "searched"
            else f"{one.kind} ({one.worth:.0%})",
            isoformat_utc(one.at),
            one.area,
        )
        for one in shown.entries
        if one.area
    ]
    points = [
        exports.Point(f"Next: {one.name}", f"{one.probability:.0%}", one.longitude, one.latitude)
        for one in likely.next_stations
    ]
    last = shown.last_place
    if last is not None:
        at = isoformat_utc(last.at)
        points.insert(
            0,
            exports.Point(
                f"Last place {last.name}", last.source, last.longitude, last.latitude, at
            ),
        )
    for one in shown.entries:
        if one.latitude is not None and one.longitude is not None:
            at = isoformat_utc(one.at)
            points.append(
                exports.Point(f"{one.kind} ({one.worth:.0%})", "", one.longitude, one.latitude, at)
            )
    return exports.Sheet(f"Search {shown.number}", isoformat_utc(likely.at), shapes, points)
