"""The search for an incident's source, as work of the cloud: what is read, and what is kept.

Asked for whenever an incident begins or changes, and again while it lasts and for some hours after:
stations below see the plume later. The inspector's alert is told the likeliest source.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.sealing import whole_of
from vigil_cloud.cases.models import CaseEvent, CaseRow
from vigil_cloud.database.upsert import insert
from vigil_cloud.jobs.work import SOON, WorkKind, enqueue
from vigil_cloud.services import Services
from vigil_cloud.water import site
from vigil_cloud.water.models import (
    Excursion,
    Incident,
    Reach,
    SourceTrace,
    VelocityReading,
    WaterPoint,
)
from vigil_cloud.water.source_input import Before, Case, Note, Signal
from vigil_cloud.water.trace_schema import TraceResult
from vigil_schemas.types import QartodFlag

BEFORE: Final = timedelta(hours=12)
"""Of readings that tell the background."""
FOLLOWED: Final = timedelta(hours=8)
"""So long after its end an incident is calculated again: it is seen further down."""
LONGEST: Final = timedelta(days=3)
WINDOW_S: Final = 60.0
MOST_STATIONS: Final = 60
"""Whose readings are fetched: those of the incident, then the nearest along the water."""
CONDUCTANCE: Final = "specific_conductance"
TIMED: Final = ("pH", "turbidity_FNU")
_FOUND: Final = ("fine", "source-found")
_PROBLEM: Final = 400
_HALVED: Final = timedelta(days=2 * 365)
"""So long ago a case counts half: works are rebuilt, and owners change."""
_SPENT_S: Final = 75.0
"""So long candidates are tried; the piece of work may take two minutes, with all around it."""
_SAME: Final = 0.1
"""A probability that differs by less is no news for an alert's history."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Of the register and of the incident."""

    features: list[dict[str, Any]]
    stations: dict[str, WaterPoint]
    notes: list[Note]


def ask(session: Session, incident: str, now: datetime) -> None:
    """Calculate an incident's source, soon."""
    enqueue(session, SOURCE_TRACE, incident, {"incident": incident}, now=now, priority=SOON)


def load(services: Services, payload: Mapping[str, Any]) -> Case | None:
    """The network as it is, and what its stations have measured; ``None`` where the incident is
    gone, or where nothing of it stands on a waterway."""
    now = services.now()
    with services.sessions() as session:
        incident = session.get(Incident, str(payload["incident"]))
        if incident is None:
            return None
        begin = incident.started - BEFORE
        end = min(now, begin + LONGEST, (incident.ended or now) + FOLLOWED)
        hit: dict[str, set[str]] = defaultdict(set)
        for row in session.scalars(select(Excursion).where(Excursion.incident == incident.id)):
            hit[row.device].add(row.parameter)
        rows = _register(session, begin, end)
        if not any(device in rows.stations for device in hit):
            return None
        rows = _around(rows, hit.keys())
        found = before_of(session, now)
        velocities = _velocities(session, begin, end)
        onset = incident.started.timestamp()
    signals = [
        signal
        for device, point in rows.stations.items()
        for signal in _signals(services, device, point, hit.get(device, set()), begin, end)
    ]
    return Case(rows.features, signals, velocities, found, rows.notes, onset, now.timestamp())


def _register(session: Session, begin: datetime, end: datetime) -> _Rows:
    """As GeoJSON: the same reader checks it as the files of the command lines."""
    measured: dict[str, list[float]] = defaultdict(list)
    query = select(VelocityReading).where(VelocityReading.at >= begin, VelocityReading.at <= end)
    for reading in session.scalars(query):
        measured[reading.reach].append(reading.velocity_m_s)
    features: list[dict[str, Any]] = [
        {"type": "Feature", "geometry": {"type": "LineString"}, "properties": _reach(row, measured)}
        for row in session.scalars(select(Reach).order_by(Reach.id))
    ]
    lengths = {one["properties"]["id"]: one["properties"]["length_m"] for one in features}
    stations = {}
    for point in session.scalars(select(WaterPoint).order_by(WaterPoint.id)):
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Point"},
                "properties": {
                    "id": point.id,
                    "kind": point.kind,
                    "reach": point.reach,
                    # The register rounds; one point beyond its canal would stop every search.
                    "offset_m": min(point.offset_m, lengths.get(point.reach, point.offset_m)),
                },
            }
        )
        if point.kind == "station" and point.device is not None:
            stations[point.device] = point
    return _Rows(features, stations, [])


def _around(rows: _Rows, hit: Set[str]) -> _Rows:
    """The canals that hang together with those of the incident's probes: the rest of a city says
    nothing of it, costs time, and a mistake there must not stop the search here."""
    tags = [one["properties"] for one in rows.features]
    ends = {one["id"]: (one["from"], one["to"]) for one in tags if "length_m" in one}
    touching: dict[str, list[str]] = defaultdict(list)
    for name, nodes in ends.items():
        for node in nodes:
            touching[node].append(name)
    away: dict[str, int] = {rows.stations[one].reach: 0 for one in hit if one in rows.stations}
    waiting = deque(sorted(away))
    while waiting:
        name = waiting.popleft()
        for other in (one for node in ends[name] for one in touching.pop(node, ())):
            if other not in away:
                away[other] = away[name] + 1
                waiting.append(other)
    features = [
        feature
        for feature, one in zip(rows.features, tags, strict=True)
        if one.get("reach", one["id"]) in away
    ]
    near = sorted(
        ((device, point) for device, point in rows.stations.items() if point.reach in away),
        key=lambda one: (one[0] not in hit, away[one[1].reach], one[1].id),
    )
    notes = list(rows.notes)
    guessed = sorted(
        one["id"] for feature in features if (one := feature["properties"]).pop("guessed", False)
    )
    if guessed:
        shown = ", ".join(guessed[:5]) + (" …" if len(guessed) > 5 else "")
        notes.append(
            Note(
                f"section or velocity not registered, taken as usual: {shown}",
                f"未登錄斷面或流速，採一般值：{shown}",
            )
        )
    if len(near) > MOST_STATIONS:
        more = len(near) - MOST_STATIONS
        notes.append(
            Note(f"{more} stations farther away were not looked at", f"未納入較遠的 {more} 個測站")
        )
    return _Rows(features, dict(near[:MOST_STATIONS]), notes)


def _reach(row: Reach, measured: Mapping[str, list[float]]) -> dict[str, Any]:
    velocity = row.velocity_m_s
    if velocity is None and row.flow_m3_s and row.area_m2:
        velocity = row.flow_m3_s / row.area_m2
    if velocity is None and row.travel_s:
        velocity = row.length_m / row.travel_s
    area = row.area_m2
    if area is None and row.flow_m3_s and velocity:
        area = row.flow_m3_s / velocity
    guessed = not velocity or not area
    of_now = measured.get(row.id)
    return {
        "id": row.id,
        "from": row.from_node,
        "to": row.to_node,
        "length_m": row.length_m,
        "area_m2": area or 2.0,
        "velocity_m_s": (sum(of_now) / len(of_now) if of_now else None) or velocity or 0.5,
        "dispersion_m2_s": 2.0 if row.dispersion_m2_s is None else row.dispersion_m2_s,
        "storage_area_m2": row.storage_area_m2 or 0.0,
        "exchange_1_s": row.exchange_1_s or 0.0,
        "decay_1_s": row.decay_1_s or 0.0,
        "guessed": guessed,
    }


def _velocities(
    session: Session, begin: datetime, end: datetime
) -> dict[str, list[tuple[float, float]]]:
    query = select(VelocityReading).where(
        VelocityReading.at >= begin - timedelta(hours=12), VelocityReading.at <= end
    )
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in session.scalars(query.order_by(VelocityReading.at)):
        found[one.reach].append((one.at.timestamp(), one.velocity_m_s))
    return dict(found)


def _signals(
    services: Services,
    device: str,
    point: WaterPoint,
    hit: set[str],
    begin: datetime,
    end: datetime,
) -> list[Signal]:
    wanted = {CONDUCTANCE, *(name for name in TIMED if name in hit)}
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for series in services.timeseries.series(device):
        if series.parameter not in wanted:
            continue
        for one in services.timeseries.read(series, begin, end, window_s=WINDOW_S):
            if one.value is not None and one.flag not in (QartodFlag.FAIL, QartodFlag.MISSING):
                found[series.parameter].append((one.time.timestamp(), one.value))
    signals = []
    for parameter, pairs in found.items():
        ordered = dict(sorted(pairs))
        times, values = list(ordered), list(ordered.values())
        signals.append(
            Signal(point.id, parameter, times, values, point.g_m3_per_s_m, parameter in hit)
        )
    return signals


def before_of(session: Session, now: datetime) -> dict[str, Before]:
    """By outfall: cases that were closed with it as the source."""
    query = (
        select(CaseEvent)
        .join(CaseRow, CaseRow.id == CaseEvent.case_id)
        .where(CaseRow.kind == site.KIND, CaseRow.outcome.in_(_FOUND), CaseEvent.action == "noted")
    )
    named: dict[str, dict[str, datetime]] = defaultdict(dict)
    for event in session.scalars(query.order_by(CaseEvent.at)):
        if event.detail.get("entry") == "suspect" and (outfall := event.detail.get("outfall")):
            named[event.case_id][str(outfall)] = event.at
    found: dict[str, Before] = {}
    for one in named.values():
        if len(one) != 1:  # who named several does not know which
            continue
        ((outfall, at),) = one.items()
        known = found.get(outfall, Before(0, 0.0))
        weight = 0.5 ** (max(now - at, timedelta()) / _HALVED)
        found[outfall] = Before(known.cases + 1, known.weight + weight)
    return found


def compute(case: Case | None) -> TraceResult | Note | None:
    """In a process of its own. A note: why nothing could be calculated. Of a large network the
    likeliest candidates are tried while there is time, and the others are told."""
    if case is None:
        return None
    from vigil_cloud.water.channels import BadChannels
    from vigil_cloud.water.source_case import calculate

    until = time.monotonic() + _SPENT_S
    try:
        return calculate(case, lambda: time.monotonic() < until)
    except BadChannels as error:
        return Note(str(error)[:_PROBLEM], error.chinese[:_PROBLEM])


def store(
    session: Session, payload: Mapping[str, Any], found: TraceResult | Note | None, now: datetime
) -> None:
    """Keep it, tell the alert, and look again later while more may be seen."""
    incident = session.get(Incident, str(payload["incident"]))
    if incident is None or found is None:
        return
    problem, problem_zh = found if isinstance(found, Note) else (None, None)
    result = {} if isinstance(found, Note) else found.model_dump(mode="json")
    statement = insert(session, SourceTrace)
    changed = ("at", "problem", "problem_zh", "result")
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["incident"],
            set_={name: statement.excluded[name] for name in changed},
        ),
        [
            {
                "incident": incident.id,
                "at": now,
                "problem": problem,
                "problem_zh": problem_zh,
                "result": result,
            }
        ],
    )
    _tell(session, incident, found if isinstance(found, TraceResult) else None, now)
    until = incident.started + LONGEST
    if now < until and (incident.ended is None or now < incident.ended + FOLLOWED):
        ask(session, incident.id, now)


def _tell(session: Session, incident: Incident, found: TraceResult | None, now: datetime) -> None:
    """The alert names the likeliest with its probability, and nobody once nobody is suspected."""
    alert = session.get(AlertRow, incident.alert_id)
    if alert is None:
        return
    first = None if found is None else next(iter(found.suspects), None)
    known = whole_of(session, alert)
    if first is None:
        if known.get("suspect") is not None:
            nobody: dict[str, Any] = {"suspect": None, "suspect_name": "", "suspect_name_zh": ""}
            nobody |= {"suspect_probability": None}
            amendment = Amendment(detail=nobody, reason="no source explains it")
            amend(session, incident.alert_id, amendment, now)
        return
    before = known.get("suspect_probability")
    if (
        known.get("suspect") == (first.outfall or first.reach)
        and before is not None
        and abs(before - first.probability) < _SAME
    ):
        return  # looked at every few minutes for days: its history is read by people
    point = session.get(WaterPoint, first.outfall) if first.outfall else None
    reach = session.get(Reach, first.reach)
    named = point or reach
    detail = {
        "suspect": first.outfall or first.reach,
        "suspect_name": named.name if named else first.reach,
        "suspect_name_zh": named.name_zh if named else first.reach,
        "suspect_probability": round(first.probability, 2),
    }
    amend(session, incident.alert_id, Amendment(detail=detail, reason="source calculated"), now)


SOURCE_TRACE: Final = WorkKind(
    "water-source-trace", load, compute, store, settle=timedelta(minutes=3)
)
"""Not at once: the neighbours' readings of the same minutes are still on the way."""
