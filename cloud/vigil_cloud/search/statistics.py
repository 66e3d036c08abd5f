"""Figures of searches: whether families look at the footprint before they report, and how long it
takes. Counted from the audit log of looks and from the cases; nobody is named."""

from __future__ import annotations

import statistics as numbers
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from vigil_cloud.cases.models import CaseRow
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.search.models import Search, SearchHit
from vigil_schemas.types import UtcDatetime

BEFORE: Final = timedelta(hours=12)
"""A look so long before a report belongs to the same worry."""
LEAST: Final = 5
"""Fewer searches than these would say something of one family: their figures are withheld."""
_ACTION, _SUBJECT = "location.read", "footprints"


class SearchStatistics(BaseModel):
    """Of searches that were opened in the period; of fewer than five only how many there were. A
    person who was erased is not counted."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    start: UtcDatetime | None
    stop: UtcDatetime | None
    searches: int
    looked_first: int | None
    """Of these: shortly before the report somebody had looked at the footprint. Families who found
    the person by it and reported nothing are in no search: among all families it is more."""
    looked_first_share: float | None
    ended: int | None
    with_a_hit: int | None
    """A station heard the person while they were searched for."""
    hours_to_end_median: float | None
    """From the report."""
    outcomes: dict[str, int] | None
    """Of those that have ended."""


def figures(
    session: Session, start: datetime | None = None, stop: datetime | None = None
) -> SearchStatistics:
    """Searches opened in ``[start, stop)``."""
    among = [
        *([] if start is None else [Search.opened >= start]),
        *([] if stop is None else [Search.opened < stop]),
    ]
    rows = session.execute(
        select(Search.person_key, Search.opened, Search.ended, CaseRow.outcome)
        .join(CaseRow, CaseRow.id == Search.case_id)
        .where(*among)
    ).all()
    if len(rows) < LEAST:
        return SearchStatistics(
            start=start,
            stop=stop,
            searches=len(rows),
            looked_first=None,
            looked_first_share=None,
            ended=None,
            with_a_hit=None,
            hours_to_end_median=None,
            outcomes=None,
        )
    hit = exists().where(SearchHit.case_id == Search.case_id)
    first = sum(_looked_before(session, row.person_key, row.opened) for row in rows)
    over = [row for row in rows if row.ended is not None]
    hours = [(row.ended - row.opened) / timedelta(hours=1) for row in over]
    return SearchStatistics(
        start=start,
        stop=stop,
        searches=len(rows),
        looked_first=first,
        looked_first_share=first / len(rows),
        ended=len(over),
        with_a_hit=session.scalar(select(func.count(Search.case_id)).where(*among, hit)) or 0,
        hours_to_end_median=numbers.median(hours) if hours else None,
        outcomes=dict(Counter(str(row.outcome) for row in over)),
    )


def _looked_before(session: Session, person_key: str, reported: datetime) -> bool:
    """Whether anybody who may know where the person is looked, shortly before."""
    look = select(AuditEntry.number).where(
        AuditEntry.person_key == person_key,
        AuditEntry.action == _ACTION,
        AuditEntry.subject == _SUBJECT,
        AuditEntry.at > reported - BEFORE,
        AuditEntry.at <= reported,
    )
    return session.scalar(look.limit(1)) is not None
