"""Which cases a list shows, page by page (keyset), and how many wait. One statement each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, exists, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from vigil_cloud.cases.lifecycle import FROM, Standing, State
from vigil_cloud.cases.models import CaseAlert, CaseRow, CaseVote
from vigil_cloud.cases.port import CaseKind, CaseKinds
from vigil_cloud.cases.schema import View
from vigil_cloud.cases.visibility import visible
from vigil_cloud.identity.reader import Reader


class Cursor(NamedTuple):
    """Where a page ended: when the last was opened or, of what is overdue, when it was due."""

    at: datetime
    id: str

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Of what ``__str__`` gave; the route has checked its form."""
        stamp, case_id = text.split("_")
        whole, fraction = stamp.split(".")
        return cls(
            datetime.fromtimestamp(int(whole), UTC).replace(microsecond=int(fraction)), case_id
        )

    def __str__(self) -> str:
        return f"{int(self.at.timestamp())}.{self.at.microsecond:06d}_{self.id}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    view: View = "all"
    states: frozenset[State] = frozenset()
    domain: str | None = None
    kind: str | None = None
    alert: str | None = None


def page(  # noqa: PLR0913 - whose list of what, and which part of it
    session: Session,
    kinds: CaseKinds,
    reader: Reader,
    wanted: Wanted,
    now: datetime,
    limit: int,
    after: Cursor | None,
) -> tuple[Sequence[CaseRow], Cursor | None]:
    """One page, and where the next begins. What is overdue comes by how long, else the newest."""
    by_due = wanted.view == "overdue"
    key = tuple_(CaseRow.due, CaseRow.id) if by_due else tuple_(CaseRow.opened, CaseRow.id)
    conditions = [visible(kinds, reader), *_conditions(kinds, reader, wanted, now)]
    if after is not None:
        at = tuple_(after.at, after.id)
        conditions.append(key > at if by_due else key < at)
    order = (CaseRow.due, CaseRow.id) if by_due else (CaseRow.opened.desc(), CaseRow.id.desc())
    query = select(CaseRow).where(*conditions).order_by(*order).limit(limit + 1)
    rows = session.scalars(query).all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], Cursor((last.due or last.opened) if by_due else last.opened, last.id)


def waiting(
    session: Session,
    kinds: CaseKinds,
    reader: Reader,
    wanted: Wanted,
    now: datetime,
    limit: int,
) -> Sequence[CaseRow]:
    """The first of a queue: the longest open first."""
    conditions = [visible(kinds, reader), *_conditions(kinds, reader, wanted, now)]
    query = select(CaseRow).where(*conditions).order_by(CaseRow.opened, CaseRow.id)
    return session.scalars(query.limit(limit)).all()


def counts(session: Session, kinds: CaseKinds, reader: Reader, now: datetime) -> dict[View, int]:
    """How many of each view wait. One statement over the cases that are not closed."""
    views: tuple[View, ...] = ("open", "mine", "unassigned", "to_decide", "overdue")
    columns = [
        func.coalesce(
            func.sum(case((and_(*_conditions(kinds, reader, Wanted(view), now)), 1), else_=0)), 0
        )
        for view in views
    ]
    query = select(*columns).where(CaseRow.state != "closed", visible(kinds, reader))
    found = session.execute(query).one()
    return {view: int(number) for view, number in zip(views, found, strict=True)}


def _conditions(
    kinds: CaseKinds, reader: Reader, wanted: Wanted, now: datetime
) -> list[ColumnElement[bool]]:
    found = _of_view(kinds, reader, wanted.view, now)
    if wanted.states:
        found.append(CaseRow.state.in_(sorted(wanted.states)))
    if wanted.domain is not None:
        found.append(CaseRow.domain == wanted.domain)
    if wanted.kind is not None:
        found.append(CaseRow.kind == wanted.kind)
    if wanted.alert is not None:
        joined = exists().where(CaseAlert.case_id == CaseRow.id, CaseAlert.alert_id == wanted.alert)
        found.append(joined)
    return found


def _of_view(
    kinds: CaseKinds, reader: Reader, view: View, now: datetime
) -> list[ColumnElement[bool]]:
    match view:
        case "open":
            return [CaseRow.state != "closed"]
        case "mine":
            return [CaseRow.assignee == reader.username, CaseRow.state != "closed"]
        case "unassigned":
            return [CaseRow.assignee.is_(None), CaseRow.state != "closed"]
        case "overdue":
            return [CaseRow.due < now, CaseRow.state != "closed"]
        case "to_decide":
            return [_to_decide(kinds, reader)]
        case "all":
            return []


def _to_decide(kinds: CaseKinds, reader: Reader) -> ColumnElement[bool]:
    """Cases that wait for this reader's decision: the role may give one, and the reader has given
    none in this round and is not whom the rule bars."""
    may = [kind for kind in kinds if reader.has(*kind.may("decide"))]
    # Two plain cases of the rule are asked of it; the rest is asked when somebody decides.
    own = {kind.name for kind in may if _bars_opener(kind)}
    voted = exists().where(
        CaseVote.case_id == CaseRow.id,
        CaseVote.account == reader.username,
        or_(CaseVote.round == CaseRow.round, CaseVote.round < CaseRow.fresh_from),
    )
    return or_(
        false(),
        and_(
            CaseRow.kind.in_([kind.name for kind in may]),
            CaseRow.state.in_(sorted(FROM["decide"])),
            ~voted,
            ~and_(CaseRow.kind.in_(sorted(own)), CaseRow.opened_by == reader.username),
        ),
    )


def _bars_opener(kind: CaseKind) -> bool:
    return kind.rule.bars(Standing(opened_by="somebody"), "somebody") is not None
