"""Visits as open pages are told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import Place
from vigil_cloud.checkin.doubts import Doubt
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.positions import place_of_visit, position_entry
from vigil_cloud.checkin.schema import VisitEntry, VisitNews
from vigil_cloud.checkin.stays import merged
from vigil_cloud.checkin.visits import visits_between
from vigil_cloud.domain.descriptor import Change, FeedKind
from vigil_cloud.services import Services
from vigil_schemas.checkin import DOMAIN

PRESENT_WITHIN = timedelta(minutes=30)
"""Stations tell every ten minutes of a visit that goes on."""
_AROUND: Final = timedelta(hours=6)
"""A longer pause ends every stay; stays that are longer than this are shown from here on."""
DOUBT: Final[TypeAdapter[Doubt | None]] = TypeAdapter(Doubt | None)


def visit_entry(visit: Visit, place: Place, now: datetime) -> VisitEntry:
    """One visit as the API shows it."""
    return VisitEntry(
        visit_id=visit.id,
        device=visit.device,
        name=place.name,
        name_zh=place.name_zh,
        latitude=place.latitude,
        longitude=place.longitude,
        position=position_entry(visit),
        arrived=visit.arrived,
        last_seen=visit.last_seen,
        departed=visit.departed,
        silent_since=None if visit.departed else visit.silent_since,
        present=visit.departed is None
        and visit.silent_since is None
        and now - visit.last_seen <= PRESENT_WITHIN,
        sightings=visit.sightings,
        late=visit.late,
        doubt=DOUBT.validate_python(visit.doubt),
        clock_quality=visit.clock_quality,
        still_since=visit.still_since,
    )


def stays_between(
    session: Session, person_key: str, start: datetime, stop: datetime, now: datetime
) -> list[VisitEntry]:
    """Stays that touch ``[start, stop)``, oldest first. The caller has asked the right to them."""
    found = visits_between(session, person_key, start, stop)
    return merged(visit_entry(visit, place, now) for visit, place in found)


def _render(services: Services, session: Session, numbers: Mapping[str, int]) -> Iterator[Change]:
    query = select(Visit).where(Visit.id.in_(numbers), Visit.person_key.is_not(None))
    for visit in session.scalars(query).all():
        # The stay that it is part of, as the page has it that asked before.
        stays = stays_between(
            session,
            visit.person_key or "",
            visit.arrived - _AROUND,
            visit.last_seen + _AROUND,
            services.now(),
        )
        own = (stay for stay in stays if visit.id in {stay.visit_id, *stay.merged})
        # Of a flood of visits not all are read: then it stands for itself.
        entry = next(own, None) or visit_entry(
            visit, place_of_visit(session, visit), services.now()
        )
        news = VisitNews(person_key=visit.person_key or "", **entry.model_dump())
        json = news.model_dump_json()
        yield Change(numbers[visit.id], VISITS.name, visit.id, DOMAIN, visit.person_key, json)


VISITS: Final = FeedKind("visit", _render)
