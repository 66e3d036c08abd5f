"""An incident as it is shown: its excursions, probes, registered outfalls upstream, gates below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.acts import find as find_alert
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import places_of
from vigil_cloud.api_errors import NotFound
from vigil_cloud.cases.models import CaseAlert
from vigil_cloud.devices.models import Device
from vigil_cloud.domain.rights import may_see_device
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.situation import situation_of
from vigil_cloud.water import gates, register
from vigil_cloud.water.incidents import excursions_of
from vigil_cloud.water.models import Excursion, Incident, IrrigationArea, Reach, WaterPoint
from vigil_cloud.water.network import Network, Way
from vigil_cloud.water.schema import (
    AreaEntry,
    ExcursionEntry,
    GateEntry,
    IncidentEntry,
    IncidentProbe,
    PointEntry,
    ReachEntry,
    Suspect,
)
from vigil_cloud.water.source_view import result_of, source_of
from vigil_schemas.water import DOMAIN

INSPECTS: Final = frozenset({Role.INSPECTOR, Role.ADMINISTRATOR})
"""Who reads the name of a person that owns an outfall, and who calls associations."""
FARTHEST_M: Final = 20_000.0
"""Outfalls and gates further along the water are not listed."""
MOST: Final = 50


class IncidentUnknown(NotFound):
    """No such incident, or none for this reader."""

    code: ClassVar[str] = "incident-unknown"
    remedy: ClassVar[str] = (
        "Follow the link again while signed in with the role that the alert is for."
    )


@dataclass(frozen=True, slots=True)
class Sight:
    """Who looks."""

    session: Session
    reader: Reader

    @property
    def inspects(self) -> bool:
        """Whether personal owners are shown."""
        return self.reader.has(*INSPECTS)


def find(sight: Sight, incident_id: str) -> tuple[Incident, AlertRow]:
    """Whoever sees its alert sees the incident. Raises ``IncidentUnknown``, ``AlertUnknown``."""
    incident = sight.session.get(Incident, incident_id)
    if incident is None:
        raise IncidentUnknown("There is no such incident for you.")
    return incident, find_alert(sight.session, sight.reader, incident.alert_id)


def show(sight: Sight, incident: Incident, alert: AlertRow) -> IncidentEntry:
    """The whole of it that the reader may see."""
    session = sight.session
    rows = excursions_of(session, incident.id)
    seen = [row for row in rows if _may_see(sight, row)]
    network = register.load(session)
    points = {point.id: point for point in session.scalars(select(WaterPoint))}
    stations = {point.device: point for point in points.values() if point.device is not None}
    hit = [stations[row.device] for row in rows if row.device in stations]
    suspects = list(_suspects(sight, network, points, hit))
    below = list(_gates(session, incident, network, points, hit))
    case = session.scalar(select(CaseAlert.case_id).where(CaseAlert.alert_id == alert.id))
    named = {one.id for one in suspects} | {one.id for one in below}
    drawn = {one.reach for one in hit} | {points[one].reach for one in named}
    source = source_of(session, incident.id)
    if source is not None:
        drawn |= set(source.frames.reaches)
    return IncidentEntry(
        id=incident.id,
        alert_id=alert.id,
        case_id=case,
        title=alert.title,
        title_zh=alert.title_zh,
        started=incident.started,
        ended=incident.ended,
        excursions=[ExcursionEntry.model_validate(row) for row in seen],
        withheld=len(rows) - len(seen),
        probes=_probes(session, seen, stations),
        suspects=suspects,
        gates=below,
        reaches=list(_reaches(session, drawn)),
        source=source,
    )


def probes_of(sight: Sight, incident: str) -> list[str]:
    """Devices of an incident that the reader may see, in the order of their onsets."""
    rows = excursions_of(sight.session, incident)
    return list(dict.fromkeys(row.device for row in rows if _may_see(sight, row)))


def _may_see(sight: Sight, row: Excursion) -> bool:
    district = situation_of(sight.session, row.device, row.gateway, row.started).district
    return may_see_device(sight.reader, DOMAIN, row.device, district)


def _probes(
    session: Session, rows: Sequence[Excursion], stations: dict[str, WaterPoint]
) -> list[IncidentProbe]:
    names = list(dict.fromkeys(row.device for row in rows))
    places = places_of(session, names)
    kept = session.scalars(select(Device).where(Device.device.in_(names)))
    parameters = {one.device: sorted(one.parameters) for one in kept}
    out = {name: {row.parameter for row in rows if row.device == name} for name in names}
    return [
        IncidentProbe(
            device=name,
            name=places[name].name,
            name_zh=places[name].name_zh,
            latitude=places[name].latitude,
            longitude=places[name].longitude,
            station=stations[name].id if name in stations else None,
            # What left its bounds comes first.
            parameters=[
                *sorted(out[name]),
                *(one for one in parameters.get(name, ()) if one not in out[name]),
            ],
        )
        for name in names
    ]


def _suspects(
    sight: Sight, network: Network, points: dict[str, WaterPoint], hit: Sequence[WaterPoint]
) -> Iterator[Suspect]:
    """Registered outfalls whose water comes by every probe that was hit; where there is none, by
    any of them. Distances are from the nearest of these probes."""
    found: dict[str, tuple[Way, int]] = {}
    for station in {one.id: one for one in hit}.values():
        for way in network.upstream(station.id, FARTHEST_M):
            if points[way.spot].kind == "outfall":
                known = found.get(way.spot)
                nearest = way if known is None or way.distance_m < known[0].distance_m else known[0]
                found[way.spot] = (nearest, (known[1] if known else 0) + 1)
    all_of_them = len({one.id for one in hit})
    common = [way for way, count in found.values() if count == all_of_them]
    ways = common or [way for way, _ in found.values()]
    for way in sorted(ways, key=lambda one: (one.distance_m, one.spot))[:MOST]:
        point = points[way.spot]
        yield Suspect(
            **_point(sight, point).model_dump(),
            distance_m=way.distance_m,
            travel_s=way.travel_s,
        )


def _gates(
    session: Session,
    incident: Incident,
    network: Network,
    points: dict[str, WaterPoint],
    hit: Sequence[WaterPoint],
) -> Iterator[GateEntry]:
    """Gates that the water comes by after the probes, nearest first, and what was asked of them."""
    ways: dict[str, Way] = {}
    for station in {one.id: one for one in hit}.values():
        for way in network.downstream(station.id, FARTHEST_M):
            if points[way.spot].kind == "gate" and (
                way.spot not in ways or way.distance_m < ways[way.spot].distance_m
            ):
                ways[way.spot] = way
    orders = {one.gate: one for one in reversed(gates.orders_of(session, incident.id))}
    areas = {area.id: area for area in session.scalars(select(IrrigationArea))}
    result = result_of(session, incident.id)
    calculated = {one.place: one for one in result.arrivals} if result is not None else {}
    for way in sorted(ways.values(), key=lambda one: (one.distance_m, one.spot))[:MOST]:
        point, order = points[way.spot], orders.get(way.spot)
        area = areas.get(point.area or "")
        found = calculated.get(way.spot)
        usual = incident.started + timedelta(seconds=way.travel_s)
        yield GateEntry(
            id=point.id,
            name=point.name,
            name_zh=point.name_zh,
            latitude=point.latitude,
            longitude=point.longitude,
            area=area.name if area else "",
            area_zh=area.name_zh if area else "",
            distance_m=way.distance_m,
            arrival=usual if found is None else found.arrives_from,
            arrival_until=None if found is None else found.arrives_until,
            confidence=None if found is None else found.confidence,
            asked=order.asked if order else None,
            closed=order.closed if order else None,
            closed_by=order.closed_by if order else None,
            may_open=order.may_open if order else None,
        )


def _reaches(session: Session, wanted: set[str]) -> Iterator[ReachEntry]:
    rows = session.scalars(select(Reach).where(Reach.id.in_(sorted(wanted))).order_by(Reach.id))
    for row in rows if wanted else ():
        yield reach_entry(row)


def reach_entry(row: Reach) -> ReachEntry:
    """One reach as it is shown."""
    return ReachEntry.model_validate(row)


def area_entry(row: IrrigationArea) -> AreaEntry:
    """One irrigation area as it is shown."""
    return AreaEntry.model_validate(row)


def _point(sight: Sight, row: WaterPoint) -> PointEntry:
    owner = register.owner_of(sight.session, row, personal=sight.inspects)
    return PointEntry(
        id=row.id,
        kind=row.kind,
        reach=row.reach,
        offset_m=row.offset_m,
        latitude=row.latitude,
        longitude=row.longitude,
        name=row.name,
        name_zh=row.name_zh,
        device=row.device,
        permit=row.permit,
        owner=owner,
        area=row.area,
    )


def points(sight: Sight) -> list[PointEntry]:
    """All of them, by their ids."""
    rows = sight.session.scalars(select(WaterPoint).order_by(WaterPoint.id))
    return [_point(sight, row) for row in rows]
