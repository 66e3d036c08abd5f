"""Figures by site and by hour of the day: what was measured at each intersection, what became of
it, and whether it helps: levels, loud passages and complaints before the sign stood and since.

A passage belongs to the intersection at which its device stood then, by the register. Levels are
those of ``hours.py``; before and since are compared over the same number of whole days.
"""

from __future__ import annotations

import statistics as numbers
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Executable, and_, false, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cases.models import CaseAlert, CaseEvent, CaseRow
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.identity.models import Location
from vigil_cloud.noise.hours import energy_mean
from vigil_cloud.noise.judging import FINE
from vigil_cloud.noise.models import Complaint, Exceedance, Intersection, LevelHour, Placement, Road
from vigil_cloud.noise.register import civil_day, counted
from vigil_cloud.noise.site_figures import (
    COUNTS,
    BeforeAndSince,
    Counts,
    HourCounts,
    SiteFigures,
    SiteStatistics,
    Span,
)
from vigil_cloud.noise.statistics import KIND, MONTH_DAYS, midnight

SPAN_DAYS: Final = 90
"""Longest span that is compared."""
_HOURS_A_DAY: Final = 24.0
_DAY: Final = timedelta(days=1)


class Places:
    """Which intersection each device stood at, when."""

    def __init__(self, placements: Iterable[Placement]) -> None:
        entries: dict[str, list[tuple[datetime, str | None]]] = defaultdict(list)
        for one in sorted(counted(placements), key=lambda one: one.since):
            entries[one.device].append((one.since, one.intersection))
        self._entries: Mapping[str, Sequence[tuple[datetime, str | None]]] = entries

    def at(self, device: str, moment: datetime) -> str | None:
        """``None``: nowhere."""
        entries = self._entries.get(device, ())
        found = bisect_right(entries, moment, key=lambda one: one[0])
        return entries[found - 1][1] if found else None

    def now(self, moment: datetime) -> dict[str, list[str]]:
        """Devices by the intersection at which they stand."""
        found: dict[str, list[str]] = defaultdict(list)
        for device in sorted(self._entries):
            place = self.at(device, moment)
            if place is not None:
                found[place].append(device)
        return found

    def first(self, intersection: str) -> datetime | None:
        """When the first device was placed there."""
        moments = (
            since
            for entries in self._entries.values()
            for since, place in entries
            if place == intersection
        )
        return min(moments, default=None)

    def ever(self, intersection: str) -> list[str]:
        """Devices that stood there at some time."""
        return sorted(
            device
            for device, entries in self._entries.items()
            if any(place == intersection for _, place in entries)
        )


def _nothing() -> dict[str, int]:
    return dict.fromkeys(COUNTS, 0)


@dataclass(slots=True)
class _Site:
    whole: Counts = field(default_factory=lambda: Counts(**_nothing()))
    hours: list[HourCounts] = field(
        default_factory=lambda: [HourCounts(hour=hour, **_nothing()) for hour in range(24)]
    )
    days: dict[str, float] = field(default_factory=dict)
    """From the exceedance to the first decision, by case."""

    def add(self, row: Any, decided: Mapping[str, datetime]) -> None:
        """One passage."""
        hour = self.hours[row.started.astimezone(CITY_ZONE).hour]
        for name in _became(row):
            for counts in (self.whole, hour):
                setattr(counts, name, getattr(counts, name) + 1)
        if row.case_id in decided and row.outcome is not None:
            days = (decided[row.case_id] - row.started) / _DAY
            self.days[row.case_id] = max(days, self.days.get(row.case_id, days))


def figures(
    session: Session,
    now: datetime,
    start: date | None = None,
    stop: date | None = None,
    districts: Collection[str] = (),
) -> SiteStatistics:
    """``districts``: those alone; empty is the whole city."""
    places = Places(session.scalars(select(Placement)))
    rows = session.execute(_passages(start, stop, districts)).all()
    decided = _decided(session, [row.case_id for row in rows if row.outcome is not None])
    found: dict[str | None, _Site] = defaultdict(_Site)
    for row in rows:
        found[places.at(row.device, row.started)].add(row, decided)
    standing = places.now(now)
    known = session.scalars(select(Intersection).order_by(Intersection.id)).all()
    sites = [
        _figures(
            found[one.id], one, standing.get(one.id, []), _change(session, places, one.id, now)
        )
        for one in known
        if not districts or one.id in found or _inside(session, standing.get(one.id), districts)
    ]
    if None in found:
        sites.append(_figures(found[None], None, [], None))
    return SiteStatistics(start=start, stop=stop, made=now, sites=sites)


def _passages(start: date | None, stop: date | None, districts: Collection[str]) -> Executable:
    among = [
        *([] if start is None else [Exceedance.started >= midnight(start)]),
        *([] if stop is None else [Exceedance.started < midnight(stop)]),
    ]
    if districts:
        inside = select(Location.thing).where(
            Location.kind == "device", Location.district.in_(sorted(districts))
        )
        apart = and_(Exceedance.alert_id.is_(None), Exceedance.device.in_(inside))
        among.append(or_(AlertRow.district.in_(sorted(districts)), apart))
    return (
        select(
            Exceedance.device,
            Exceedance.started,
            Exceedance.decision,
            Exceedance.vetoed,
            Exceedance.overruled_by,
            AlertRow.id.label("alert_id"),
            Exceedance.alert_id.label("named"),
            CaseRow.id.label("case_id"),
            CaseRow.outcome,
        )
        .outerjoin(AlertRow, AlertRow.id == Exceedance.alert_id)
        .outerjoin(CaseAlert, CaseAlert.alert_id == Exceedance.alert_id)
        .outerjoin(CaseRow, and_(CaseRow.id == CaseAlert.case_id, CaseRow.kind == KIND))
        .where(*among)
        .order_by(Exceedance.started)
    )


def _became(row: Any) -> list[str]:
    """Everything that one passage counts as."""
    if row.named is None:
        said = "vetoed" if row.vetoed else (row.decision or "").replace("-", "_")
        return [said] if said in {"vetoed", "borderline", "not_valid"} else []
    if row.alert_id is None:
        return []  # its alert was removed for its age
    return [
        "exceedances",
        *(["overruled"] if row.overruled_by is not None else []),
        *(["cases"] if row.case_id is not None else []),
        *(["decided"] if row.outcome is not None else []),
        *(["violations"] if row.outcome == FINE else []),
    ]


def _decided(session: Session, cases: Collection[str]) -> dict[str, datetime]:
    """When each case was decided first."""
    found: dict[str, datetime] = {}
    wanted = sorted(set(cases))
    for first in range(0, len(wanted), 500):
        query = select(CaseEvent.case_id, CaseEvent.at).where(
            CaseEvent.case_id.in_(wanted[first : first + 500]), CaseEvent.action == "decided"
        )
        for case, at in session.execute(query):
            found[case] = min(at, found.get(case, at))
    return found


def _inside(session: Session, devices: Collection[str] | None, districts: Collection[str]) -> bool:
    query = select(Location.thing).where(
        Location.kind == "device",
        Location.thing.in_(devices) if devices else false(),
        Location.district.in_(sorted(districts)),
    )
    return session.scalars(query.limit(1)).first() is not None


def _figures(
    site: _Site, place: Intersection | None, devices: list[str], change: BeforeAndSince | None
) -> SiteFigures:
    return SiteFigures(
        **site.whole.model_dump(),
        intersection=None if place is None else place.id,
        name="" if place is None else place.name,
        name_zh="" if place is None else place.name_zh,
        devices=devices,
        share=site.whole.actionable_share,
        days_to_decision_median=numbers.median(site.days.values()) if site.days else None,
        hours=site.hours,
        change=change,
    )


# -- before and since


def _change(
    session: Session, places: Places, intersection: str, now: datetime
) -> BeforeAndSince | None:
    placed = places.first(intersection)
    roads = counted(session.scalars(select(Road).where(Road.intersection == intersection)))
    signs = [one.valid_from for one in roads if one.sign_distance_m is not None]
    effect = min(signs, default=None)
    if placed is None and effect is None:
        return None
    day = effect if effect is not None else civil_day(placed) if placed is not None else date.min
    days = min((civil_day(now) - day).days, SPAN_DAYS)
    if days < 1:
        return None
    spans = ((day - days * _DAY, day - _DAY), (day + _DAY, day + days * _DAY))
    before, since = (_span(session, places, intersection, *span) for span in spans)
    return BeforeAndSince(
        effect=day,
        effect_is="sign" if effect is not None else "placement",
        days=days,
        before=before,
        since=since,
    )


def _span(session: Session, places: Places, intersection: str, first: date, last: date) -> Span:
    """Whole days of the city's calendar."""
    devices = places.ever(intersection)
    begin, end = midnight(first), midnight(last + _DAY)
    query = select(LevelHour.device, LevelHour.hour, LevelHour.LAeq).where(
        LevelHour.device.in_(devices),
        LevelHour.hour >= begin,
        LevelHour.hour < end,
        LevelHour.LAeq.is_not(None),
    )
    by_hour: dict[int, list[float]] = defaultdict(list)
    for device, hour, level in session.execute(query) if devices else ():
        if level is not None and places.at(device, hour) == intersection:
            by_hour[hour.astimezone(CITY_ZONE).hour].append(level)
    measured = sum(map(len, by_hour.values()))
    loud = _loud(session, places, intersection, devices, begin, end)
    days = (last - first).days + 1
    complaints = _complaints(session, intersection, first, last)
    return Span(
        first=first,
        last=last,
        measured_hours=measured,
        LAeq=energy_mean(level for levels in by_hour.values() for level in levels),
        by_hour=[energy_mean(by_hour.get(hour, ())) for hour in range(24)],
        passages_a_day=loud * _HOURS_A_DAY / measured if measured else None,
        complaints=complaints,
        complaints_a_month=complaints * MONTH_DAYS / days,
    )


def _loud(
    session: Session,
    places: Places,
    intersection: str,
    devices: Sequence[str],
    begin: datetime,
    end: datetime,
) -> int:
    """Passages louder than the threshold that the classifier did not veto."""
    if not devices:
        return 0
    query = select(Exceedance.device, Exceedance.started).where(
        Exceedance.device.in_(devices),
        Exceedance.started >= begin,
        Exceedance.started < end,
        or_(Exceedance.vetoed.is_not(True), Exceedance.overruled_by.is_not(None)),
    )
    return sum(places.at(device, at) == intersection for device, at in session.execute(query))


def _complaints(session: Session, intersection: str, first: date, last: date) -> int:
    query = select(Complaint.reference).where(
        Complaint.intersection == intersection,
        Complaint.withdrawn.is_(False),
        Complaint.received.between(first, last),
    )
    return len(session.scalars(query).all())
