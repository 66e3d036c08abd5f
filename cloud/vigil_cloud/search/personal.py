"""How searches forget a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.cases import sealing
from vigil_cloud.identity.personal_records import PersonalRecords
from vigil_cloud.search import calls
from vigil_cloud.search.models import Search, SearchEntry
from vigil_cloud.search.service import CLOTHES, ENTRY, PLACE
from vigil_cloud.search.tips import CONTACT


class SearchesOfPersons(PersonalRecords):
    """Everything but the case itself, which stays as steps without anybody."""

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any, now: datetime
    ) -> Mapping[str, int]:
        """Hits and entries go with their search; nobody is called to it any more."""
        del words, found
        of_person = Search.person_key == person_key
        for call_id in session.scalars(select(Search.call_id).where(of_person)).all():
            calls.end_alert(session, call_id, now)
        number = session.scalar(select(func.count()).where(of_person)) or 0
        session.flush()
        session.execute(
            delete(Search).where(of_person).execution_options(synchronize_session=False)
        )
        return {"searches": number}

    def opened(self, session: Session, person_key: str) -> Any:
        """What people wrote of the searches for the person."""
        of_person = Search.person_key == person_key
        searches = session.scalars(select(Search).where(of_person)).all()
        entries = select(SearchEntry).join(Search, Search.case_id == SearchEntry.case_id)
        brought = session.scalars(entries.where(of_person)).all()
        sealed = [
            *((one, "clothes", CLOTHES) for one in searches),
            *((one, "place", PLACE) for one in searches),
            *((one, "text", ENTRY) for one in brought),
            *((one, "contact", CONTACT) for one in brought),
        ]
        return sealing.opened_all(session, person_key, sealed)

    def seal_anew(self, session: Session, person_key: str, content: Any) -> None:
        """Under the new key."""
        sealing.seal_all(session, person_key, content or ())
