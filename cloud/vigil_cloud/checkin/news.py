"""Visits as open pages are told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import Place, places_of
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.schema import VisitEntry, VisitNews
from vigil_cloud.domain.descriptor import Change, FeedKind
from vigil_cloud.services import Services
from vigil_schemas.checkin import DOMAIN

PRESENT_WITHIN = timedelta(minutes=30)
"""Stations tell every ten minutes of a visit that goes on."""


def visit_entry(visit: Visit, place: Place, now: datetime) -> VisitEntry:
    """One visit as the API shows it."""
    return VisitEntry(
        visit_id=visit.id,
        device=visit.device,
        name=place.name,
        name_zh=place.name_zh,
        latitude=place.latitude,
        longitude=place.longitude,
        arrived=visit.arrived,
        last_seen=visit.last_seen,
        departed=visit.departed,
        silent_since=None if visit.departed else visit.silent_since,
        present=visit.departed is None
        and visit.silent_since is None
        and now - visit.last_seen <= PRESENT_WITHIN,
    )


def _render(services: Services, session: Session, numbers: Mapping[str, int]) -> Iterator[Change]:
    query = select(Visit).where(Visit.id.in_(numbers), Visit.person_key.is_not(None))
    visits = list(session.scalars(query))
    places = places_of(session, {visit.device for visit in visits})
    for visit in visits:
        entry = visit_entry(visit, places[visit.device], services.now())
        news = VisitNews(person_key=visit.person_key or "", **entry.model_dump())
        json = news.model_dump_json()
        yield Change(numbers[visit.id], VISITS.name, visit.id, DOMAIN, visit.person_key, json)


VISITS: Final = FeedKind("visit", _render)
