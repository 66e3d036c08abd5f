"""How searches forget a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.identity.personal_records import PersonalRecords
from vigil_cloud.search.models import Search


class SearchesOfPersons(PersonalRecords):
    """Everything but the case itself, which stays as steps without anybody."""

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any
    ) -> Mapping[str, int]:
        """Hits and entries go with their search; nobody is called to it any more."""
        del words, found
        of_person = Search.person_key == person_key
        calls = session.scalars(select(Search.call_id).where(of_person)).all()
        for row in session.scalars(select(AlertRow).where(AlertRow.id.in_(calls))):
            row.active = False
        number = session.scalar(select(func.count()).where(of_person)) or 0
        session.flush()
        session.execute(
            delete(Search).where(of_person).execution_options(synchronize_session=False)
        )
        return {"searches": number}
