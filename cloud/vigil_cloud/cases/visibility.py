"""Who may see which case: the one place that lists, pages, photographs, dossiers and the stream
ask. Closed by default: a kind that nobody described is seen by nobody.

The rule exists twice, in Python and in SQL, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, true
from sqlalchemy.orm import Session

from vigil_cloud.cases.models import CaseAccess, CaseRow
from vigil_cloud.cases.port import CaseKind, CaseKinds
from vigil_cloud.identity.reader import Reader

Sight = Literal["none", "withheld", "whole"]
"""``withheld``: that it is there, its number and state, and how to ask for the rest."""


def sight(
    kind: CaseKind | None, reader: Reader, *, admitted: bool, row: CaseRow | None = None
) -> Sight:
    """How much the reader sees of a case of this kind, or of this one. ``admitted``: by name, at
    this moment. Roles count for the reader's districts and for what they have in hand."""
    if kind is None:
        return "none"
    if row is not None and not admitted and not _is_here(reader, row):
        return "none"
    if admitted or reader.has(*kind.sees):
        return "whole"
    return "withheld" if reader.has(*kind.on_request) else "none"


def admitted_to(
    session: Session, reader: Reader, case_ids: Collection[str], now: datetime
) -> frozenset[str]:
    """Of these cases, those that the reader was admitted to by name. One statement."""
    if not case_ids:
        return frozenset()
    query = select(CaseAccess.case_id).where(
        CaseAccess.case_id.in_(case_ids), *_admitted(reader, now)
    )
    return frozenset(session.scalars(query))


def visible(kinds: CaseKinds, reader: Reader, now: datetime) -> ColumnElement[bool]:
    """Cases that the reader sees at all, as a condition on ``CaseRow``."""
    opened = [kind.name for kind in kinds if sight(kind, reader, admitted=False) != "none"]
    described = [kind.name for kind in kinds]
    by_name = exists().where(CaseAccess.case_id == CaseRow.id, *_admitted(reader, now))
    return or_(
        false(),
        and_(CaseRow.kind.in_(opened), _here(reader)),
        and_(CaseRow.kind.in_(described), by_name),
    )


def _is_here(reader: Reader, row: CaseRow) -> bool:
    return reader.covers(row.district) or row.assignee == reader.username


def _here(reader: Reader) -> ColumnElement[bool]:
    if not reader.districts:
        return true()
    inside = CaseRow.district.in_(sorted(reader.districts))
    return or_(inside, CaseRow.assignee == reader.username)


def _admitted(reader: Reader, now: datetime) -> tuple[ColumnElement[bool], ...]:
    still = or_(CaseAccess.until.is_(None), CaseAccess.until > now)
    return (CaseAccess.account == reader.username, still)
