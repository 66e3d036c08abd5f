"""Who may see which case: the one place that lists, pages, photographs, dossiers and the stream
ask. Closed by default: a kind that nobody described is seen by nobody.

The rule exists twice, in Python and in SQL, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, true
from sqlalchemy.orm import Session

from vigil_cloud.cases.models import CaseAccess, CaseRow
from vigil_cloud.cases.port import CaseKind, CaseKinds
from vigil_cloud.identity.reader import Reader

Sight = Literal["none", "withheld", "whole"]
"""``withheld``: that it is there, its number and state, and how to ask for the rest."""


class Admission(NamedTuple):
    """How an account was let in by name, as it counts at a moment: as who opened the case, with a
    reason for a time, or both. Each counts only while the account holds a role that could be let
    in like that."""

    opener: bool
    for_a_time: bool


NOT_ADMITTED: Final = Admission(opener=False, for_a_time=False)


def sight(
    kind: CaseKind | None,
    reader: Reader,
    *,
    admitted: Admission = NOT_ADMITTED,
    row: CaseRow | None = None,
) -> Sight:
    """How much the reader sees of a case of this kind, or of this one. ``admitted``: by name, at
    this moment. Roles count as they are now, for the reader's districts and for what they have
    in hand; a name that was let in opens nothing by itself."""
    if kind is None:
        return "none"
    if admitted.opener and reader.has(*kind.may("open")):
        return "whole"
    if row is not None and not _is_here(reader, row):
        return "none"
    if reader.has(*kind.sees):
        return "whole"
    if not reader.has(*kind.on_request):
        return "none"
    return "whole" if admitted.for_a_time else "withheld"


def admitted_to(
    session: Session, reader: Reader, case_ids: Collection[str], now: datetime
) -> dict[str, Admission]:
    """Of these cases, those that the reader was admitted to by name, and how. One statement."""
    if not case_ids:
        return {}
    query = select(CaseAccess).where(
        CaseAccess.case_id.in_(case_ids), CaseAccess.account == reader.username
    )
    return {row.case_id: admission(row, now) for row in session.scalars(query)}


def admission(row: CaseAccess, now: datetime) -> Admission:
    """As it counts at this moment."""
    return Admission(row.opener, row.until is not None and row.until > now)


def visible(kinds: CaseKinds, reader: Reader) -> ColumnElement[bool]:
    """Cases that the reader sees at all, as a condition on ``CaseRow``."""
    known = [kind.name for kind in kinds if sight(kind, reader) != "none"]
    opening = [kind.name for kind in kinds if reader.has(*kind.may("open"))]
    # Whoever may be let in for a time knows of the case without it: it adds none to a list.
    as_opener = exists().where(
        CaseAccess.case_id == CaseRow.id,
        CaseAccess.account == reader.username,
        CaseAccess.opener,
    )
    return or_(
        false(),
        and_(CaseRow.kind.in_(known), _here(reader)),
        and_(CaseRow.kind.in_(opening), as_opener),
    )


def _is_here(reader: Reader, row: CaseRow) -> bool:
    return reader.covers(row.district) or row.assignee == reader.username


def _here(reader: Reader) -> ColumnElement[bool]:
    if not reader.districts:
        return true()
    inside = CaseRow.district.in_(sorted(reader.districts))
    return or_(inside, CaseRow.assignee == reader.username)
