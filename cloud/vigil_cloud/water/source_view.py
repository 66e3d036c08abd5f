"""What was calculated of an incident's source, with the names and places of the register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.water.models import Reach, SourceTrace, WaterPoint
from vigil_cloud.water.network import at_share
from vigil_cloud.water.schema import SourceEntry, SourcePlace, SourceSuspect
from vigil_cloud.water.trace_schema import (
    TraceArrival,
    TraceFrames,
    TraceResult,
    TraceSample,
    TraceSuspect,
)


class _Where(NamedTuple):
    kind: str
    name: str
    name_zh: str
    permit: str
    latitude: float
    longitude: float


def result_of(session: Session, incident: str) -> TraceResult | None:
    """The last calculation that came to something."""
    row = session.get(SourceTrace, incident)
    if row is None or row.problem is not None:
        return None
    return TraceResult.model_validate(row.result)


def source_of(session: Session, incident: str) -> SourceEntry | None:
    """What is shown of it; ``None`` before the first calculation."""
    row = session.get(SourceTrace, incident)
    if row is None:
        return None
    result = result_of(session, incident)
    if result is None:
        return SourceEntry(
            at=row.at, problem=row.problem, problem_zh=row.problem_zh or row.problem,
            suspects=[], unexplained=1.0, misfit=0.0, stations=[],
            arrivals=[], samples=[], frames=TraceFrames(times=[], reaches={}), notes=[],
            notes_zh=[],
        )  # fmt: skip
    places = _Register(session, result)
    return SourceEntry(
        at=row.at,
        problem=None,
        problem_zh=None,
        suspects=list(places.suspects(result.suspects)),
        unexplained=result.unexplained,
        misfit=result.misfit,
        stations=result.stations,
        arrivals=[one for it in result.arrivals if (one := places.arrival(it)) is not None],
        samples=[one for it in result.samples if (one := places.sample(it)) is not None],
        frames=result.frames,
        notes=result.notes,
        notes_zh=result.notes_zh or result.notes,  # of before there were any
    )


class _Register:
    """What the calculation names, as it is registered now: what was taken out since is left out."""

    def __init__(self, session: Session, result: TraceResult) -> None:
        points = {one.outfall for one in result.suspects} | {one.place for one in result.arrivals}
        reaches = {one.reach for one in result.suspects} | {one.reach for one in result.samples}
        self._points: Mapping[str, WaterPoint] = {
            one.id: one
            for one in session.scalars(
                select(WaterPoint).where(WaterPoint.id.in_(sorted(filter(None, points))))
            )
        }
        query = select(Reach).where(Reach.id.in_(sorted(reaches)))
        self._reaches: Mapping[str, Reach] = {one.id: one for one in session.scalars(query)}

    def _point(self, name: str) -> _Where | None:
        one = self._points.get(name)
        if one is None:
            return None
        return _Where(one.kind, one.name, one.name_zh, one.permit, one.latitude, one.longitude)

    def _reach(self, name: str, share: float) -> _Where | None:
        one = self._reaches.get(name)
        if one is None:
            return None
        longitude, latitude = at_share(one.line, share)
        return _Where("reach", one.name, one.name_zh, "", latitude, longitude)

    def suspects(self, given: list[TraceSuspect]) -> Iterator[SourceSuspect]:
        for one in given:
            where = self._point(one.outfall) if one.outfall else self._reach(one.reach, 0.5)
            if where is not None:
                yield SourceSuspect(
                    **one.model_dump(),
                    name=where.name,
                    name_zh=where.name_zh,
                    permit=where.permit,
                    latitude=where.latitude,
                    longitude=where.longitude,
                )

    def arrival(self, one: TraceArrival) -> SourcePlace | None:
        where = self._point(one.place)
        if where is None:
            return None
        return SourcePlace(
            id=one.place, kind=where.kind, name=where.name, name_zh=where.name_zh,
            latitude=where.latitude, longitude=where.longitude, arrives_from=one.arrives_from,
            arrives_until=one.arrives_until, over=one.over, confidence=one.confidence, bits=None,
        )  # fmt: skip

    def sample(self, one: TraceSample) -> SourcePlace | None:
        where = self._reach(one.reach, 1.0)
        if where is None:
            return None
        return SourcePlace(
            id=one.reach, kind=where.kind, name=where.name, name_zh=where.name_zh,
            latitude=where.latitude, longitude=where.longitude, arrives_from=one.arrives,
            arrives_until=None, over=one.over, confidence=one.suspected, bits=one.bits,
        )  # fmt: skip
