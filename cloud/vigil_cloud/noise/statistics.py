"""Figures of the service: how long decisions take, how much can be acted upon, and whether it
helps (complaints before and after). Outcomes count once their case is decided, never a vote."""

from __future__ import annotations

import statistics as numbers
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cases.models import CaseAlert, CaseEvent, CaseRow
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.identity.models import Location
from vigil_cloud.noise.judging import FINE
from vigil_cloud.noise.models import Complaint, Exceedance, Intersection, Placement
from vigil_cloud.noise.register import civil_day, counted
from vigil_schemas.types import UtcDatetime

KIND: Final = "noise-exceedance"
MONTH_DAYS: Final = 30.0


class _Figures(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Complaints(_Figures):
    """Complaints at an intersection in two spans of one length: before its first microphone and
    since."""

    intersection: str
    name: str
    name_zh: str
    since: UtcDatetime
    days: float
    """Length of each span."""
    before: int
    after: int
    before_a_month: float | None
    """In 30 days; null before a day has passed."""
    after_a_month: float | None


class NoiseStatistics(_Figures):
    """Of exceedances that began in the period."""

    start: date | None
    stop: date | None
    exceedances: int
    """That found a case, so that somebody is to look at them."""
    borderline: int
    """Above the threshold, but not above the limit by more than the uncertainty."""
    not_valid: int
    """Whose level nothing can be founded on: flagged seconds, too little below the background."""
    vetoed: int
    """That were no vehicle."""
    cases: int
    """Exceedances of which a case was opened."""
    decided: int
    violations: int
    actionable_share: float | None
    """Decided violations per exceedance; null where there is none."""
    outcomes: dict[str, int]
    """Of decided cases."""
    days_to_decision_median: float | None
    """From the exceedance to the first decision of its case."""
    days_to_decision_p90: float | None
    referred: int
    """Handed to the authority, whatever came of it."""
    paid: int
    revoked: int
    appealed: int
    amount_twd: int
    """Of fines that stand as decided; without those revoked."""
    complaints: list[Complaints]


@dataclass(frozen=True, slots=True)
class _Decided:
    """One exceedance's case."""

    started: datetime
    case: CaseRow


def figures(
    session: Session,
    now: datetime,
    start: date | None = None,
    stop: date | None = None,
    districts: Collection[str] = (),
) -> NoiseStatistics:
    """``districts``: those alone; empty is the whole city."""
    among = [
        *([] if start is None else [Exceedance.started >= midnight(start)]),
        *([] if stop is None else [Exceedance.started < midnight(stop)]),
        *([] if not districts else [AlertRow.district.in_(sorted(districts))]),
    ]
    joined = select(func.count(Exceedance.id)).join(AlertRow, AlertRow.id == Exceedance.alert_id)
    total = session.scalar(joined.where(*among)) or 0
    rows = session.execute(
        select(Exceedance.started, CaseRow)
        .join(AlertRow, AlertRow.id == Exceedance.alert_id)
        .join(CaseAlert, CaseAlert.alert_id == Exceedance.alert_id)
        .join(CaseRow, CaseRow.id == CaseAlert.case_id)
        .where(CaseRow.kind == KIND, *among)
        .order_by(Exceedance.started)
    ).all()
    apart = _apart(session, start, stop, districts)
    opened = [_Decided(started, case) for started, case in rows]
    decided = [one for one in opened if one.case.outcome is not None]
    cases = {one.case.id: one for one in reversed(decided)}  # its earliest exceedance
    events = _events(session, [one.case.id for one in opened])
    fines = [one for one in decided if one.case.outcome == FINE]
    owed = [one.case for one in cases.values() if one.case.outcome == FINE]
    standing = [case for case in owed if case.resolution != "revoked"]
    days = sorted(
        (events["decided"][case_id] - one.started) / timedelta(days=1)
        for case_id, one in cases.items()
        if case_id in events["decided"]
    )
    resolutions = Counter(case.resolution for case in owed)
    return NoiseStatistics(
        start=start,
        stop=stop,
        exceedances=total,
        borderline=apart["borderline"],
        not_valid=apart["not-valid"],
        vetoed=apart["vetoed"],
        cases=len(opened),
        decided=len(decided),
        violations=len(fines),
        actionable_share=len(fines) / total if total else None,
        outcomes=dict(Counter(str(one.case.outcome) for one in cases.values())),
        days_to_decision_median=numbers.median(days) if days else None,
        days_to_decision_p90=days[int(0.9 * (len(days) - 1) + 0.5)] if days else None,
        referred=len(events["referred"]),
        paid=resolutions["paid"],
        revoked=resolutions["revoked"],
        appealed=len(events["appealed"]),
        amount_twd=sum(case.amount_twd or 0 for case in standing),
        complaints=_complaints(session, now),
    )


def _apart(
    session: Session, start: date | None, stop: date | None, districts: Collection[str]
) -> Counter[str]:
    """What founds no case, by the reason; a veto counts before what the level came to."""
    inside = select(Location.thing).where(
        Location.kind == "device", Location.district.in_(sorted(districts))
    )
    among = [
        Exceedance.alert_id.is_(None),
        *([] if start is None else [Exceedance.started >= midnight(start)]),
        *([] if stop is None else [Exceedance.started < midnight(stop)]),
        *([] if not districts else [Exceedance.device.in_(inside)]),
    ]
    query = select(Exceedance.vetoed, Exceedance.decision, func.count()).where(*among)
    found: Counter[str] = Counter()
    for vetoed, decision, count in session.execute(
        query.group_by(Exceedance.vetoed, Exceedance.decision)
    ):
        found["vetoed" if vetoed else decision or ""] += count
    return found


def midnight(day: date) -> datetime:
    """The beginning of a day of the city's calendar."""
    # Of years that no clock of ours can say the beginning or the end: that of what it can say.
    within = min(max(day, date(1, 1, 2)), date.max - timedelta(days=1))
    return datetime.combine(within, time(0), CITY_ZONE)


_COUNTED: Final = ("decided", "referred", "appealed")


def _events(session: Session, case_ids: Sequence[str]) -> dict[str, dict[str, datetime]]:
    """When each case first came so far."""
    found: dict[str, dict[str, datetime]] = {action: {} for action in _COUNTED}
    for some in _some(sorted(set(case_ids))):
        query = (
            select(CaseEvent.action, CaseEvent.case_id, func.min(CaseEvent.at))
            .where(CaseEvent.case_id.in_(some), CaseEvent.action.in_(_COUNTED))
            .group_by(CaseEvent.action, CaseEvent.case_id)
        )
        for action, case_id, at in session.execute(query):
            found[action][case_id] = at
    return found


def _some(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[first : first + 500] for first in range(0, len(ids), 500))


def _complaints(session: Session, now: datetime) -> list[Complaints]:
    places = select(Intersection).order_by(Intersection.id)
    first = first_placed(session)
    return [
        _at(session, one, first[one.id], now)
        for one in session.scalars(places)
        if one.id in first and first[one.id] <= now
    ]


def first_placed(session: Session) -> dict[str, datetime]:
    """When the first device was placed at each intersection, by what counts of the register."""
    found: dict[str, datetime] = {}
    for one in counted(session.scalars(select(Placement))):
        if one.intersection is not None:
            earlier = found.get(one.intersection, one.since)
            found[one.intersection] = min(earlier, one.since)
    return found


def _at(session: Session, intersection: Intersection, since: datetime, now: datetime) -> Complaints:
    """Whole days: the day on which it was put up counts for neither."""
    first, today = civil_day(since), civil_day(now)
    days = (today - first).days
    span = timedelta(days=days)
    here = and_(Complaint.intersection == intersection.id, Complaint.withdrawn.is_(False))
    spans = ((first - span, first - timedelta(days=1)), (first + timedelta(days=1), today))
    before, after = (
        session.scalar(
            select(func.count(Complaint.reference)).where(here, Complaint.received.between(*span))
        )
        or 0
        for span in spans
    )
    return Complaints(
        intersection=intersection.id,
        name=intersection.name,
        name_zh=intersection.name_zh,
        since=since,
        days=days,
        before=before,
        after=after,
        before_a_month=before * MONTH_DAYS / days if days else None,
        after_a_month=after * MONTH_DAYS / days if days else None,
    )
