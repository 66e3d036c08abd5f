"""Figures of searches: whether families look at the footprint before they report, and how long it
takes. Counted from the audit log of looks and from the cases; nobody is named.

Periods are whole quarters of the city's calendar that are over, and of each only what had happened
by its end: two periods that overlap, or one that is asked twice while it lasts, would tell the
figures of one family by their difference. A count of fewer than five, or of all but fewer than
five, is withheld. What is left: whoever asks before and after somebody is erased sees one search
less."""

from __future__ import annotations

import statistics as numbers
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from vigil_cloud.cases.models import CaseRow
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.search.models import Search, SearchHit
from vigil_schemas.types import UtcDatetime

BEFORE: Final = timedelta(hours=12)
"""A look so long before a report belongs to the same worry."""
LEAST: Final = 5
"""Fewer than these would say something of one family."""
_ACTION, _SUBJECTS = "location.read", ("footprints", "last place")


class SearchStatistics(BaseModel):
    """Of searches that were opened in the quarter. ``None``: withheld, as it would say something
    of one family. A person who was erased is not counted."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    quarter: str
    start: UtcDatetime
    stop: UtcDatetime
    over: bool
    """Of a quarter that is not over nothing is told."""
    searches: int | None
    looked_first: int | None
    """Of these: shortly before the report somebody had looked at the footprint. Families who found
    the person by it and reported nothing are in no search: among all families it is more."""
    looked_first_share: float | None
    ended: int | None
    """By the end of the quarter."""
    with_a_hit: int | None
    """A station heard the person while they were searched for."""
    hours_to_end_median: float | None
    """From the report."""
    outcomes: dict[str, int] | None
    """Of those that have ended: outcomes of at least five."""


def last_quarter(now: datetime) -> str:
    """The newest that is over."""
    local = now.astimezone(CITY_ZONE)
    before = local.year * 4 + (local.month - 1) // 3 - 1
    return f"{before // 4}-Q{before % 4 + 1}"


def figures(session: Session, quarter: str, now: datetime) -> SearchStatistics:
    """``quarter``: ``2026-Q1``."""
    start, stop = _bounds(quarter)
    found = SearchStatistics(
        quarter=quarter,
        start=start,
        stop=stop,
        over=stop <= now,
        searches=None,
        looked_first=None,
        looked_first_share=None,
        ended=None,
        with_a_hit=None,
        hours_to_end_median=None,
        outcomes=None,
    )
    if stop > now:
        return found
    among = (Search.opened >= start, Search.opened < stop)
    rows = session.execute(
        select(Search.person_key, Search.opened, Search.ended, CaseRow.outcome)
        .join(CaseRow, CaseRow.id == Search.case_id)
        .where(*among)
    ).all()
    hit = exists().where(SearchHit.case_id == Search.case_id, SearchHit.first < stop)
    hits = session.scalar(select(func.count(Search.case_id)).where(*among, hit)) or 0
    first = sum(_looked_before(session, row.person_key, row.opened) for row in rows)
    over = [row for row in rows if row.ended is not None and row.ended < stop]
    hours = [(row.ended - row.opened) / timedelta(hours=1) for row in over]
    looked = _of(first, len(rows))
    return found.model_copy(
        update={
            "searches": _of(len(rows), len(rows)),
            "looked_first": looked,
            "looked_first_share": None if looked is None or not rows else looked / len(rows),
            "ended": _of(len(over), len(rows)),
            "with_a_hit": _of(hits, len(rows)),
            "hours_to_end_median": numbers.median(hours) if len(hours) >= LEAST else None,
            "outcomes": _outcomes([str(row.outcome) for row in over]),
        }
    )


def _of(count: int, among: int) -> int | None:
    """``None`` where it, or what is left of all, is of a few."""
    return None if 0 < count < LEAST or 0 < among - count < LEAST else count


def _outcomes(of: list[str]) -> dict[str, int] | None:
    """What is left out must be of several as well: the total is told."""
    told = {name: number for name, number in Counter(of).items() if number >= LEAST}
    return None if 0 < len(of) - sum(told.values()) < LEAST else told


def _bounds(quarter: str) -> tuple[datetime, datetime]:
    year, number = (int(part) for part in quarter.split("-Q"))
    begin = year * 12 + (number - 1) * 3
    moments = (datetime(at // 12, at % 12 + 1, 1, tzinfo=CITY_ZONE) for at in (begin, begin + 3))
    start, stop = (moment.astimezone(UTC) for moment in moments)
    return start, stop


def _looked_before(session: Session, person_key: str, reported: datetime) -> bool:
    """Whether anybody who may know where the person is looked, shortly before."""
    look = select(AuditEntry.number).where(
        AuditEntry.person_key == person_key,
        AuditEntry.action == _ACTION,
        AuditEntry.subject.in_(_SUBJECTS),
        AuditEntry.at > reported - BEFORE,
        AuditEntry.at <= reported,
    )
    return session.scalar(look.limit(1)) is not None
