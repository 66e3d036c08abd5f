"""What open pages are told of a case: that it changed, and whom that concerns. No content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.cases.models import CaseAccess, CaseRow
from vigil_cloud.cases.port import CaseKind, CaseKinds
from vigil_cloud.cases.visibility import NOT_ADMITTED, Admission, admission, sight
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
    admitted: Mapping[str, Admission]
    """Who was let in by name, and how."""

    @property
    def json(self) -> str:
        """As it is sent."""
        return CaseNews(id=self.row.id, version=self.row.version).model_dump_json()

    def shown_to(self, reader: Reader) -> bool:
        """Whether this reader may know of it."""
        admitted = self.admitted.get(reader.username, NOT_ADMITTED)
        return sight(self.kind, reader, admitted=admitted, row=self.row) != "none"


def changes(
    session: Session, kinds: CaseKinds, ids: Mapping[str, int], now: datetime
) -> Iterator[CaseChange]:
    """Of these cases, those that still exist. Two statements."""
    if not ids:
        return
    rows = session.scalars(select(CaseRow).where(CaseRow.id.in_(ids))).all()
    admitted: defaultdict[str, dict[str, Admission]] = defaultdict(dict)
    for one in session.scalars(select(CaseAccess).where(CaseAccess.case_id.in_(ids))):
        admitted[one.case_id][one.account] = admission(one, now)
    for row in rows:
        yield CaseChange(row, kinds.get(row.kind), admitted[row.id])
