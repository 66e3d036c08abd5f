"""Where a station that moves was at its signs: as it told, as it is kept with a visit, as shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import Place, moved, places_of
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.schema import PositionEntry
from vigil_cloud.domain.presence import Position
from vigil_schemas.checkin import PositionState, StationPosition

_STATE: Final[TypeAdapter[PositionState]] = TypeAdapter(PositionState)


def position_of(said: StationPosition | None) -> Position | None:
    """As a message tells it; ``None``: the station stands where its description says."""
    if said is None:
        return None
    return Position(said.state, said.latitude, said.longitude, said.within_m, said.at)


def position_of_visit(visit: Visit) -> Position | None:
    """As it is kept: at the visit's strongest sign."""
    if visit.position_state is None:
        return None
    return Position(
        visit.position_state, visit.latitude, visit.longitude, visit.within_m, visit.position_at
    )


def keep(visit: Visit, position: Position | None) -> None:
    """What the station says now, in place of what it said of a weaker sign. A place that is known
    gives way to no sign without one."""
    if position is None or (position.state != "fixed" and visit.position_state == "fixed"):
        return
    visit.position_state = position.state
    visit.latitude, visit.longitude = position.latitude, position.longitude
    visit.within_m, visit.position_at = position.within_m, position.at


def place_of_visit(session: Session, visit: Visit) -> Place:
    """Where it was."""
    return places_of_visits(session, (visit,))[visit.id]


def places_of_visits(session: Session, visits: Iterable[Visit]) -> Mapping[str, Place]:
    """By visit: where each was; with one statement."""
    found = list(visits)
    places = places_of(session, {visit.device for visit in found})
    return {visit.id: moved(places[visit.device], position_of_visit(visit)) for visit in found}


def position_entry(visit: Visit) -> PositionEntry | None:
    """As the API shows it."""
    if visit.position_state is None:
        return None
    return PositionEntry(
        state=_STATE.validate_python(visit.position_state),
        within_m=visit.within_m,
        at=visit.position_at,
    )
