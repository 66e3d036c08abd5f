"""The register of waterways: brought in from files, kept, and read as a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.water.models import IrrigationArea, Reach, WaterPoint
from vigil_cloud.water.network import (
    Box,
    Network,
    Place,
    Stretch,
    at_share,
    box_of,
    cycle,
    islands,
    nearest,
)
from vigil_cloud.water.network_files import (
    NUMBERS,
    BadNetwork,
    PointRow,
    ReachRow,
    Shown,
    Waterways,
)

FARTHEST_M: Final = 100.0
"""A station, an outfall or a gate lies within this distance of its reach."""
OWNER: Final = "water.owner"


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import took, and what is worth a look though it was taken."""

    reaches: int
    points: int
    areas: int
    notes: list[str]


def put(session: Session, found: Waterways, by: str, now: datetime) -> Taken:
    """All of it or nothing; what is known by its id is written anew, everything else stays.
    Raises ``BadNetwork``."""
    mistakes: list[str] = []
    _put_reaches(session, found.reaches, now)
    rows = {row.id: row for row in session.scalars(select(Reach))}
    if circle := cycle([stretch(row) for row in rows.values()]):
        mistakes.append(f"water would flow in a circle through the nodes {', '.join(circle[:12])}")
    for area in found.areas:
        session.merge(
            IrrigationArea(
                id=area.id, name=area.name, name_zh=area.name_zh, corners=area.corners, updated=now
            )
        )
    session.flush()
    areas = set(session.scalars(select(IrrigationArea.id)))
    boxes = {row.id: box_of(row.line) for row in rows.values()}
    for point in found.points:
        try:
            _put_point(session, point, rows, boxes, areas, now)
        except ValueError as error:
            mistakes.append(f"{point.where}: {error}")
    # A reach that was drawn anew has its stations still beside it.
    mistakes += _left_behind(session, {row.id for row in found.reaches}, rows)
    if mistakes:
        raise BadNetwork(mistakes)
    taken = Taken(
        len(found.reaches), len(found.points), len(found.areas), _notes(list(rows.values()))
    )
    audit.append(
        session,
        at=now,
        account=by,
        action="water.network-imported",
        subject="network",
        detail={"reaches": taken.reaches, "points": taken.points, "areas": taken.areas},
    )
    return taken


def _put_reaches(session: Session, reaches: Sequence[ReachRow], now: datetime) -> None:
    for one in reaches:
        session.merge(
            Reach(
                id=one.id,
                name=one.name,
                name_zh=one.name_zh,
                from_node=one.from_node,
                to_node=one.to_node,
                line=one.line,
                reversible=one.reversible,
                updated=now,
                **{name: one.numbers[name] for name in NUMBERS},
            )
        )
    session.flush()


def _put_point(
    session: Session,
    point: PointRow,
    rows: dict[str, Reach],
    boxes: dict[str, Box],
    areas: set[str],
    now: datetime,
) -> None:
    """Raises ``ValueError``."""
    reach, offset, position = _located(point, rows, boxes)
    if point.area is not None and point.area not in areas:
        raise ValueError(f"there is no irrigation area {point.area!r}")
    if point.device is not None:  # a probe is moved, with its device
        others = select(WaterPoint).where(
            WaterPoint.device == point.device, WaterPoint.id != point.id
        )
        for other in session.scalars(others):
            other.device = None
        session.flush()
    session.merge(
        WaterPoint(
            id=point.id,
            kind=point.kind,
            reach=reach.id,
            offset_m=offset,
            latitude=position[1],
            longitude=position[0],
            name=point.name,
            name_zh=point.name_zh,
            device=point.device,
            permit=point.permit,
            owner=cipher_of(session).seal(OWNER, point.owner) if point.owner else None,
            owner_is_person=point.owner_is_person,
            area=point.area,
            g_m3_per_s_m=point.g_m3_per_s_m,
            updated=now,
        )
    )
    session.flush()


def _located(
    point: PointRow, rows: dict[str, Reach], boxes: dict[str, Box]
) -> tuple[Reach, float, tuple[float, float]]:
    """Its reach, how far along it, and where that is. Raises ``ValueError``."""
    if point.reach is not None and point.reach not in rows:
        raise ValueError(f"there is no reach {point.reach!r}")
    if point.position is None:
        reach, offset = rows[point.reach or ""], point.offset_m or 0.0
        _check_offset(reach, offset)
        return reach, offset, at_share(reach.line, offset / reach.length_m)
    candidates = [rows[point.reach]] if point.reach is not None else list(rows.values())
    best, share, distance = None, 0.0, inf
    # What cannot be nearer is not looked at closely: the whole city waits for this transaction.
    for least, row in sorted(
        ((boxes[row.id].distance_m(point.position), row) for row in candidates),
        key=lambda one: one[0],
    ):
        if least >= distance:
            break
        found = nearest(row.line, point.position)
        if found.distance_m < distance:
            best, share, distance = row, found.share, found.distance_m
    if best is None or distance > FARTHEST_M:
        far = (
            "there is none" if best is None else f"{best.id}, the nearest, is {distance:.0f} m off"
        )
        raise ValueError(f"it lies on no canal: {far} (at most {FARTHEST_M:.0f} m)")
    offset = share * best.length_m if point.offset_m is None else point.offset_m
    _check_offset(best, offset)
    return best, offset, point.position


def _check_offset(reach: Reach, offset: float) -> None:
    if offset > reach.length_m * 1.001:
        raise ValueError(f"offset_m {offset:g} lies beyond {reach.id}, of {reach.length_m:.0f} m")


def _left_behind(session: Session, drawn: set[str], rows: dict[str, Reach]) -> Iterator[str]:
    query = select(WaterPoint).where(WaterPoint.reach.in_(sorted(drawn)))
    for point in session.scalars(query) if drawn else ():
        reach = rows[point.reach]
        found = nearest(reach.line, (point.longitude, point.latitude))
        if found.distance_m > FARTHEST_M or point.offset_m > reach.length_m * 1.001:
            yield (
                f"reach {reach.id}: {point.kind} {point.id} would lie {found.distance_m:.0f} m off;"
                " bring it in the same file"
            )


def _notes(rows: Sequence[Reach]) -> list[str]:
    """Taken, and worth a look."""
    parts = islands([stretch(row) for row in rows])
    notes = []
    if len(parts) > 1:
        apart = "; ".join(", ".join(part[:5]) for part in parts[1:6])
        notes.append(f"{len(parts) - 1} parts hang together with nothing else: {apart}")
    if slow := [row.id for row in rows if row.travel_s is None]:
        notes.append(f"no velocity_m_s and no travel_s: {len(slow)} reaches, taken as 0.5 m/s")
    return notes


def remove(session: Session, ids: Sequence[str], by: str, now: datetime) -> int:
    """Take points, areas or reaches out, by their ids; a reach takes what stands on it along."""
    gone = 0
    for model in (WaterPoint, IrrigationArea, Reach):
        there = session.scalars(select(model.id).where(model.id.in_(ids))).all()
        if model is Reach and there:
            session.execute(delete(WaterPoint).where(WaterPoint.reach.in_(there)))
        session.execute(delete(model).where(model.id.in_(there)))
        gone += len(there)
    if gone:
        audit.append(
            session,
            at=now,
            account=by,
            action="water.network-removed",
            subject="network",
            detail={"ids": sorted(ids)[:50]},
        )
    return gone


def stretch(row: Reach) -> Stretch:
    """A reach for the graph."""
    return Stretch(
        row.id, row.from_node, row.to_node, row.length_m, row.line, row.travel_s, row.reversible
    )


def load(session: Session) -> Network:
    """The network as it is now. Two statements, without the lines: an alarm waits for it."""
    spots = session.execute(select(WaterPoint.id, WaterPoint.reach, WaterPoint.offset_m))
    places = {spot: Place(reach, offset) for spot, reach, offset in spots}
    reaches = session.execute(
        select(
            *(Reach.id, Reach.from_node, Reach.to_node, Reach.length_m),
            *(Reach.travel_s, Reach.reversible),
        )
    )
    return Network(
        (
            Stretch(name, start, end, length_m, travel_s=travel_s, reversible=reversible)
            for name, start, end, length_m, travel_s, reversible in reaches
        ),
        places,
    )


def station_of(session: Session, device: str) -> WaterPoint | None:
    """Where a probe stands."""
    return session.scalar(select(WaterPoint).where(WaterPoint.device == device))


def cipher_of(session: Session) -> Cipher:
    """What names are sealed with."""
    cipher: Cipher = session.info[CIPHER]
    return cipher


def owner_of(session: Session, point: WaterPoint, *, personal: bool) -> str | None:
    """Who owns it; ``None`` where that is a person whom the reader may not know."""
    if point.owner is None:
        return ""
    if point.owner_is_person and not personal:
        return None
    try:
        return cipher_of(session).open(OWNER, point.owner)
    except Undecipherable:
        return ""


def shown(session: Session, *, personal: bool) -> Iterator[Shown]:
    """The whole register, to be written into a file."""
    for reach in session.scalars(select(Reach).order_by(Reach.id)):
        tags = {
            "id": reach.id,
            "kind": "reach",
            "name": reach.name,
            "name_zh": reach.name_zh,
            "from": reach.from_node,
            "to": reach.to_node,
            **{name: getattr(reach, name) for name in NUMBERS},
            "reversible": reach.reversible,
        }
        yield Shown(tags, "LineString", reach.line)
    for area in session.scalars(select(IrrigationArea).order_by(IrrigationArea.id)):
        tags = {"id": area.id, "kind": "area", "name": area.name, "name_zh": area.name_zh}
        yield Shown(tags, "Polygon", [area.corners])
    for point in session.scalars(select(WaterPoint).order_by(WaterPoint.id)):
        tags = {
            "id": point.id,
            "kind": point.kind,
            "name": point.name,
            "name_zh": point.name_zh,
            "reach": point.reach,
            "offset_m": point.offset_m,
            "permit": point.permit,
            "owner": owner_of(session, point, personal=personal) or "",
            "owner_is_person": point.owner_is_person,
            "device": point.device,
            "area": point.area,
            "g_m3_per_s_m": point.g_m3_per_s_m,
        }
        yield Shown(tags, "Point", [point.longitude, point.latitude])
