"""Where the person of an open search probably is: asked for by a job, drawn by a worker.

Nothing of it is done while a message is taken in or a page waits. A map is drawn anew when somebody
was heard, seen or searched for since, and every few minutes anyway: time itself moves people, the
less the longer nothing was heard.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import Guardian
from vigil_cloud.identity.reader import granted_by
from vigil_cloud.identity.whereabouts import Opening, Scope
from vigil_cloud.jobs.models import WorkRow
from vigil_cloud.jobs.port import Job, Turn
from vigil_cloud.jobs.work import ATTEMPTS, SOON, WorkKind, enqueue
from vigil_cloud.search import checkins, service
from vigil_cloud.search.models import CityStreets, Search, SearchEntry, SearchHit, SearchLikely
from vigil_cloud.services import Services
from vigil_schemas.types import isoformat_utc

if TYPE_CHECKING:
    from vigil_cloud.search.clues import Brought
    from vigil_cloud.search.replay_files import Listed, Seen

EVERY: Final = timedelta(seconds=5)
DRAWN_AGAIN: Final = timedelta(minutes=5)
DRAWN_AGAIN_SHARE: Final = 0.05
"""Of the time since the last news: where somebody may be grows with that time, and a search of
yesterday must not keep the worker from one of this hour."""
DRAWN_AGAIN_LATEST: Final = timedelta(hours=1)
HISTORY: Final = timedelta(days=21)
"""Of the person's own check-ins: where they live and go."""
RANGE_M: Final = 80.0
"""Of a beacon at a wall in a street, where nothing else is known."""
WORTH: Final = {"seen": 0.6, "tip": 0.3, "phone": 0.5, "searched": 0.7}
"""Where nobody said it: how reliable a sighting is, and the POD of a search."""
PHONES_SINCE: Final = timedelta(hours=12)
"""Before the report: what citizens' phones heard since then is evidence."""
_REPORT: Final = "report"
_REPORT_M: Final = 150.0
_MOVING: Final = "on-the-move "
_MOST_MOVING: Final = 50
_SIGNS_APART: Final = timedelta(minutes=10)
_WHOLE: Final = Opening(None)
_MOST_CUT: Final = 3
"""Maps for guardians who may see less than the whole: each costs a second of the one worker."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a map is drawn from."""

    stations: Sequence[Listed]
    seen: Sequence[Seen]
    at_s: float
    lines: Sequence[Sequence[tuple[float, float]]] | None
    brought: Sequence[Brought]
    cuts: Mapping[str, Asked] = field(default_factory=dict)
    """For guardians whose footprint begins within the history, by that moment: what a map of it
    alone is drawn from. ``cut_of`` names it."""


def likely_job() -> Job:
    """Asks for the maps that are due."""
    return Job("search-maps", EVERY, _ask, waiting=lambda session, now: bool(due(session, now)))


def _ask(turn: Turn) -> None:
    with writing(turn.services.sessions) as session:
        for case_id in due(session, turn.now):
            enqueue(session, LIKELY, case_id, {"case": case_id}, now=turn.now, priority=SOON)


def due(session: Session, now: datetime) -> list[str]:
    """Open searches whose map is old, or older than what is known, and not asked for yet."""
    query = (
        select(Search.case_id, SearchLikely.at)
        .outerjoin(SearchLikely, SearchLikely.case_id == Search.case_id)
        .where(Search.ended.is_(None))
    )
    found = []
    for case_id, at in session.execute(query):
        news = _news(session, case_id)
        old = at is None or news > at or now - at >= drawn_again_after(now - news)
        old = old or at is None or _heard_since(session, case_id, at)
        if old and not _asked(session, case_id, now):
            found.append(case_id)
    return found


def drawn_again_after(quiet: timedelta) -> timedelta:
    """How old a map may become, by how long nothing was heard."""
    return max(DRAWN_AGAIN, min(DRAWN_AGAIN_SHARE * quiet, DRAWN_AGAIN_LATEST))


def _news(session: Session, case_id: str) -> datetime:
    """When anything was heard or brought last."""
    opened = session.scalar(select(Search.opened).where(Search.case_id == case_id))
    hit = session.scalar(select(func.max(SearchHit.received)).where(SearchHit.case_id == case_id))
    entry = session.scalar(
        select(func.max(SearchEntry.entered)).where(SearchEntry.case_id == case_id)
    )
    return max(one for one in (opened, hit, entry) if one is not None)


def _heard_since(session: Session, case_id: str, at: datetime) -> bool:
    """Whether it came in since that a phone has heard the person."""
    search = session.get_one(Search, case_id)
    return checkins.phone_heard_since(session, search.person_key, at)


def _asked(session: Session, case_id: str, now: datetime) -> bool:
    """Under way; or given up just now: the same again would fail again."""
    row = session.scalar(
        select(WorkRow).where(WorkRow.kind == LIKELY.name, WorkRow.key == case_id).limit(1)
    )
    if row is None:
        return False
    return row.attempts < ATTEMPTS or now - row.due < DRAWN_AGAIN


def load(services: Services, payload: Mapping[str, Any]) -> Asked | None:
    """What is known now; ``None`` where there is nobody to search for, or nothing is known."""
    now = services.now()
    with services.sessions() as session:
        search = session.get(Search, payload["case"])
        if search is None or search.ended is not None:
            return None
        lines = streets(session)
        asked = _known(session, search, now, _WHOLE, lines)
        if asked is None:
            return None
        parts = {
            since: _known(session, search, now, Opening(since), lines)
            for since in _beginnings(session, search, now)
        }
        cuts = {cut_of(since): part for since, part in parts.items() if part is not None}
        return replace(asked, cuts=cuts)


def cut_of(since: datetime) -> str:
    """By what the map of a footprint that begins then is found among those that were drawn."""
    return isoformat_utc(since)


def _beginnings(session: Session, search: Search, now: datetime) -> list[datetime]:
    """From when on guardians may see the footprint who may not see all that the map rests on: the
    case is theirs, and they are shown what can be said by what is open to them."""
    guards = session.scalars(
        select(Guardian.account_id).where(Guardian.person_key == search.person_key)
    ).all()
    if not guards:
        return []
    held = granted_by(session, [search.person_key], now, guards).get(search.person_key, {})
    openings = [one.of(Scope.FOOTPRINT) for one in held.values()]
    found = {one.since for one in openings if one is not None and one.since is not None}
    return sorted(since for since in found if since > now - HISTORY)[:_MOST_CUT]


def _known(
    session: Session,
    search: Search,
    now: datetime,
    shown: Opening = _WHOLE,
    lines: Sequence[Sequence[tuple[float, float]]] | None = None,
) -> Asked | None:
    """What somebody may know to whom the footprint is open like this; hits and what people brought
    are open to whoever sees the case."""
    from vigil_cloud.search.replay_files import Listed, Seen

    stations = [_listed(one) for one in checkins.stations(session)]
    names = {one.name for one in stations}
    visits = checkins.opened(
        checkins.footprint(session, search.person_key, now - HISTORY, now, now), shown
    )
    signs = [
        (at, one.device)
        for one in visits
        if one.doubt != "replayed"  # whoever replays an id is not who it was
        for at in _signs(one.arrived, one.last_seen)
    ]
    hits = session.scalars(select(SearchHit).where(SearchHit.case_id == search.case_id)).all()
    signs += [
        (at, one.device)
        for one in hits
        if "identity" not in one.doubts  # the same; what else is doubtful of a visit counts above
        for at in _signs(one.first, one.last)
    ]
    if search.latitude is not None and search.longitude is not None:
        at = search.last_seen or search.opened
        signs.append((at, _REPORT))
        names.add(_REPORT)
        stations.append(
            Listed(_REPORT, search.latitude, search.longitude, _REPORT_M, inf, inf, 0.0)
        )
    for number, (at, place, within_m) in enumerate(_on_the_move(visits, hits)):
        name = f"{_MOVING}{number}"
        signs.append((at, name))
        names.add(name)
        reach_m = max(RANGE_M, within_m)
        stations.append(Listed(name, *place, reach_m, inf, inf, 0.0))
    seen = [Seen(at.timestamp(), name) for at, name in sorted(signs) if name in names and at <= now]
    if not seen:
        return None
    return Asked(stations, seen, now.timestamp(), lines, _brought(session, search, now, shown))


def _on_the_move(
    visits: Sequence[checkins.VisitEntry], hits: Sequence[SearchHit]
) -> list[tuple[datetime, tuple[float, float], float]]:
    """What stations that move have heard where they knew where they were: when, where (degrees),
    within how many metres; the newest of it."""
    found = [
        (one.last_seen, (one.latitude, one.longitude), one.position.within_m or 0.0)
        for one in visits
        if one.position is not None and one.doubt != "replayed"
        if one.latitude is not None and one.longitude is not None
    ]
    found += [
        (one.last, (one.latitude, one.longitude), one.within_m or 0.0)
        for one in hits
        if one.latitude is not None and one.longitude is not None and "identity" not in one.doubts
    ]
    return sorted(found)[-_MOST_MOVING:]


def _signs(first: datetime, last: datetime) -> list[datetime]:
    """A stay is heard again every ten minutes; its two ends are what counts."""
    return [first, last] if last - first >= _SIGNS_APART else [last]


def _listed(one: checkins.Station) -> Listed:
    from vigil_cloud.search.reach import DETECTIONS_A_MINUTE
    from vigil_cloud.search.replay_files import Listed

    since = -inf if one.back_since is None else one.back_since.timestamp()
    until = inf if one.online else -inf
    if one.silent_since is not None:
        until = one.silent_since.timestamp()
    before = -inf if one.worked_until is None else one.worked_until.timestamp()
    return Listed(
        *(one.device, one.latitude, one.longitude, RANGE_M),
        *(since, until, DETECTIONS_A_MINUTE, before),
    )


def by_phones(session: Session, search: Search, now: datetime) -> Sequence[checkins.PhoneSighting]:
    """What citizens' phones heard of the person since shortly before the report."""
    since = search.opened - PHONES_SINCE
    return checkins.phone_sightings(session, search.person_key, since, now)


def _brought(session: Session, search: Search, now: datetime, shown: Opening) -> list[Brought]:
    from vigil_cloud.search.clues import Brought

    rows = session.scalars(select(SearchEntry).where(SearchEntry.case_id == search.case_id))
    heard = [
        Brought(
            "seen", one.at.timestamp(), WORTH["phone"], one.latitude, one.longitude, one.within_m
        )
        for one in by_phones(session, search, now)
        if shown.reaches(one.at)
    ]
    return heard + [
        Brought(
            "searched" if row.kind == "searched" else "seen",
            row.at.timestamp(),
            WORTH[row.kind] if row.worth is None else row.worth,
            row.latitude,
            row.longitude,
            row.radius_m,
            row.area or [],
        )
        for row in rows
    ]


def compute(asked: Asked | None) -> dict[str, Any] | None:
    """``Drawn``, as JSON, and under ``cuts`` those of a part: in a process of its own."""
    if asked is None:
        return None
    return {**_drawn(asked), "cuts": {since: _drawn(one) for since, one in asked.cuts.items()}}


def _drawn(asked: Asked) -> dict[str, Any]:
    from vigil_cloud.search import planning, probability_map
    from vigil_cloud.search.clues import Searched
    from vigil_cloud.search.ground import BadStreets

    codes = [] if asked.lines else ["no-streets"]
    try:
        drawn = probability_map.draw(
            asked.stations, asked.seen, asked.at_s, asked.lines, brought=asked.brought
        )
    except BadStreets:  # they were looked at when they came in; a map without them is one
        codes.append("no-streets")
        drawn = probability_map.draw(
            asked.stations, asked.seen, asked.at_s, None, brought=asked.brought
        )
    clues = [one.placed(drawn.centre) for one in asked.brought]
    searched = [one for one in clues if isinstance(one, Searched)]
    return {
        "at_s": asked.at_s,
        "since_s": asked.seen[-1].at_s,
        "contours": [
            {**one, "polygons": drawn.polygons(one["probability"])} for one in drawn.contours()
        ],
        "next_stations": [
            {"device": name, "probability": round(p, 4)} for name, p in drawn.next_stations
        ],
        "segments": [one._asdict() for one in planning.segments(drawn, searched)],
        "notes": [*codes, *(note.code for note in drawn.notes)],
    }


def store(
    session: Session, payload: Mapping[str, Any], result: dict[str, Any] | None, now: datetime
) -> None:
    """In place of the one before, while the search goes on; open pages ask again."""
    search = session.get(Search, payload["case"])
    if search is None or search.ended is not None:
        return
    row = session.get(SearchLikely, search.case_id)
    if row is None:
        row = SearchLikely(case_id=search.case_id, at=now, drawn={})
        session.add(row)
    at = now if result is None else datetime.fromtimestamp(result["at_s"], now.tzinfo)
    row.at, row.drawn = at, result or {}
    service.show(session, search, now)


def streets(session: Session) -> list[list[tuple[float, float]]] | None:
    """The city's, longitude and latitude; ``None``: none were imported."""
    row = session.get(CityStreets, 1)
    if row is None:
        return None
    found: list[list[tuple[float, float]]] = json.loads(zlib.decompress(row.lines))
    return found


def put_streets(
    session: Session, lines: Sequence[Sequence[tuple[float, float]]], now: datetime
) -> None:
    """In place of those before. The caller has drawn a ground of them."""
    session.execute(delete(CityStreets))
    packed = zlib.compress(json.dumps([[list(point) for point in line] for line in lines]).encode())
    session.add(CityStreets(id=1, imported=now, lines=packed))
    session.flush()


LIKELY: Final = WorkKind("search-map", load, compute, store, most_waiting=200)
