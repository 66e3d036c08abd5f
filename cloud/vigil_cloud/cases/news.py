"""What open pages are told of a case: that it changed, and whom that concerns. No content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.cases.models import CaseAccess, CaseRow
from vigil_cloud.cases.port import CaseKind, CaseKinds
from vigil_cloud.cases.visibility import sight
from vigil_cloud.identity.reader import Reader


class CaseNews(BaseModel):
    """A page that shows this case, or a list of cases, asks again."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One case that changed."""

    row: CaseRow
    kind: CaseKind | None
    admitted: frozenset[str]
    """User names of those who were let in by name."""

    @property
    def json(self) -> str:
        """As it is sent."""
        return CaseNews(id=self.row.id, version=self.row.version).model_dump_json()

    def shown_to(self, reader: Reader) -> bool:
        """Whether this reader may know of it."""
        admitted = reader.username in self.admitted
        return sight(self.kind, reader, admitted=admitted, row=self.row) != "none"


def changes(
    session: Session, kinds: CaseKinds, ids: Mapping[str, int], now: datetime
) -> Iterator[CaseChange]:
    """Of these cases, those that still exist. Two statements."""
    if not ids:
        return
    rows = session.scalars(select(CaseRow).where(CaseRow.id.in_(ids))).all()
    admitted: defaultdict[str, set[str]] = defaultdict(set)
    query = select(CaseAccess.case_id, CaseAccess.account).where(
        CaseAccess.case_id.in_(ids), or_(CaseAccess.until.is_(None), CaseAccess.until > now)
    )
    for case_id, account in session.execute(query):
        admitted[case_id].add(account)
    for row in rows:
        yield CaseChange(row, kinds.get(row.kind), frozenset(admitted[row.id]))
