"""How cases forget a person: what was written about them is gone, the steps stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.cases import deadlines, entries, history, sealing
from vigil_cloud.cases.models import CaseAccess, CaseEvent, CasePhotograph, CaseRow, CaseVote
from vigil_cloud.identity.personal_records import PersonalRecords


class CasesOfPersons(PersonalRecords):
    """Titles, texts and the pictures' keys are blanked; the pictures themselves, which are noise
    from then on, are removed by the retention job (an object store is in no transaction)."""

    def lock(self, session: Session) -> None:
        """As whoever changes a case does."""
        feed.lock(session)

    def guardian_removed(
        self, session: Session, person_key: str, username: str, now: datetime
    ) -> None:
        """Cases about the person that the account followed as the guardian who reported them."""
        del now
        cases = select(CaseRow.id).where(CaseRow.person_key == person_key)
        followed = update(CaseAccess).where(
            CaseAccess.account == username,
            CaseAccess.opener,
            CaseAccess.case_id.in_(cases),
        )
        session.execute(
            followed.values(opener=False).execution_options(synchronize_session="fetch")
        )

    def account_closed(self, session: Session, username: str, now: datetime) -> None:
        """What it had in hand and is not closed is anybody's."""
        held = select(CaseRow).where(CaseRow.assignee == username, CaseRow.state != "closed")
        for row in session.scalars(held).all():
            row.assignee = None
            feed.append(session, "case", row.id, now)

    def account_removed(self, session: Session, username: str, now: datetime) -> None:
        """Nobody of this name is let in to anything, and what it had in hand is anybody's."""
        session.execute(delete(CaseAccess).where(CaseAccess.account == username))
        # Of closed ones as well: who did what stands in their history.
        held = select(CaseRow).where(CaseRow.assignee == username)
        for row in session.scalars(held).all():
            row.assignee = None
            feed.append(session, "case", row.id, now)

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any, now: datetime
    ) -> Mapping[str, int]:
        """The case stays as a row of steps without anybody: what was decided about a city's
        service must not vanish, who it was about must."""
        del words, found
        ids = session.scalars(select(CaseRow.id).where(CaseRow.person_key == person_key)).all()
        if not ids:
            return {"cases": 0}
        deadlines.end_all(session, ids, now)
        pictures = CasePhotograph.case_id.in_(ids)
        count = session.scalar(select(func.count()).where(pictures)) or 0
        texts = update(CaseEvent).where(CaseEvent.case_id.in_(ids)).values(text=None, salt=None)
        written = update(CaseVote).where(CaseVote.case_id.in_(ids)).values(entries=None)
        keys = update(CasePhotograph).where(pictures).values(key=None)
        rows = (
            update(CaseRow)
            .where(CaseRow.id.in_(ids))
            .values(
                title=None,
                person_key=None,
                erased=True,
                latitude=None,
                longitude=None,
                version=CaseRow.version + 1,
            )
        )
        for statement in (texts, written, keys, rows):
            session.execute(statement.execution_options(synchronize_session=False))
        return {"cases": len(ids), "case_photographs": count}

    def opened(self, session: Session, person_key: str) -> Any:
        """Titles, texts and the pictures' keys of the cases about the person."""
        cases = session.scalars(select(CaseRow).where(CaseRow.person_key == person_key)).all()
        ids = [case.id for case in cases]
        events = select(CaseEvent).where(CaseEvent.case_id.in_(ids), CaseEvent.text.is_not(None))
        pictures = select(CasePhotograph).where(
            CasePhotograph.case_id.in_(ids), CasePhotograph.key.is_not(None)
        )
        votes = select(CaseVote).where(CaseVote.case_id.in_(ids), CaseVote.entries.is_not(None))
        sealed = [
            *((case, "title", sealing.TITLE) for case in cases),
            *((event, "text", history.TEXT) for event in session.scalars(events)),
            *((one, "key", sealing.PHOTOGRAPH) for one in session.scalars(pictures)),
            *((one, "entries", entries.PURPOSE) for one in session.scalars(votes)),
        ]
        return sealing.opened_all(session, person_key, sealed)

    def seal_anew(self, session: Session, person_key: str, content: Any) -> None:
        """Under the new key."""
        sealing.seal_all(session, person_key, content or ())
