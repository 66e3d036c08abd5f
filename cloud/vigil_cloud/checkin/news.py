"""Visits as open pages are told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from vigil_cloud.checkin.stays import merged, opened
from vigil_cloud.checkin.visits import visits_between
from vigil_cloud.domain.descriptor import Change, FeedKind
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.whereabouts import Opening, Scope, opened_to
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
    session: Session,
    person_key: str,
    start: datetime,
    stop: datetime,
    now: datetime,
    opening: Opening,
) -> list[VisitEntry]:
    """Stays that touch ``[start, stop)``, oldest first, as far as they are open. The caller has
    asked the right to them."""
    found = visits_between(session, person_key, start, stop)
    return merged(opened((visit_entry(visit, place, now) for visit, place in found), opening))


def _render(services: Services, session: Session, numbers: Mapping[str, int]) -> Iterator[Change]:
    query = select(Visit).where(Visit.id.in_(numbers), Visit.person_key.is_not(None))
    for visit in session.scalars(query).all():
        now, person = services.now(), visit.person_key or ""
        around = visits_between(session, person, visit.arrived - _AROUND, visit.last_seen + _AROUND)
        own = visit_entry(visit, place_of_visit(session, visit), now)
        news = _News(
            person,
            own,
            [visit_entry(one, place, now) for one, place in around],
            newest=not _seen_since(session, visit),
        )
        number = numbers[visit.id]
        yield Change(
            number, VISITS.name, visit.id, DOMAIN, visit.person_key, "", json_for=news.json_for
        )


def _seen_since(session: Session, visit: Visit) -> bool:
    """Whether there is a newer sign of the person."""
    newer = select(Visit.id).where(
        Visit.person_key == visit.person_key, Visit.last_seen > visit.last_seen
    )
    return session.scalar(newer.limit(1)) is not None


@dataclass(frozen=True, slots=True)
class _News:
    """A visit for whoever may be told of it, each as far as their consent reaches."""

    person: str
    own: VisitEntry
    around: Sequence[VisitEntry]
    """Visits near in time, the visit itself among them but for a flood of them."""
    newest: bool
    """It is where the person was seen last."""
    _said: dict[Opening, str | None] = field(default_factory=dict)

    def json_for(self, reader: Reader) -> str | None:
        """Told live: of the footprint as far as that is open, and where they are now."""
        if opened_to(reader, self.person, Scope.LIVE) is None:
            return None
        footprint = opened_to(reader, self.person, Scope.FOOTPRINT)
        if footprint is not None and footprint not in self._said:
            self._said[footprint] = self._stay(footprint)
        said = None if footprint is None else self._said[footprint]
        return self._written(self.own) if said is None and self.newest else said

    def _stay(self, footprint: Opening) -> str | None:
        """The stay that it is part of, as the page has it that asked before."""
        wanted = self.own.visit_id
        stays = merged(opened(self.around, footprint))
        found = next((stay for stay in stays if wanted in {stay.visit_id, *stay.merged}), None)
        if found is None:  # of a flood of visits not all are read: then it stands for itself
            found = next(iter(opened([self.own], footprint)), None)
        return None if found is None else self._written(found)

    def _written(self, entry: VisitEntry) -> str:
        return VisitNews(person_key=self.person, **entry.model_dump()).model_dump_json()


VISITS: Final = FeedKind("visit", _render)
