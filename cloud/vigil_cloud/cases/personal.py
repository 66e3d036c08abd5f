"""How cases forget a person: what was written about them is gone, the steps stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.cases import deadlines, entries, history, sealing
from vigil_cloud.cases.models import CaseAccess, CaseEvent, CasePhotograph, CaseRow, CaseVote
from vigil_cloud.cases.port import CaseKind, CaseKinds
from vigil_cloud.cases.visibility import NOT_ADMITTED, admitted_to, sight
from vigil_cloud.identity.personal_records import Leaving, PersonalRecords


@dataclass(frozen=True, slots=True)
class CasesOfPersons(PersonalRecords):
    """Titles, texts and the pictures' keys are blanked; the pictures themselves, which are noise
    from then on, are removed by the retention job (an object store is in no transaction)."""

    kinds: Callable[[], CaseKinds]
    """As the domains say it when they are asked."""

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

    def account_may_less(self, session: Session, leaving: Leaving) -> None:
        """What it had in hand, is not closed and may be worked on by it no more is anybody's. What
        somebody was given in another district stays theirs (``visibility.sight``)."""
        username = leaving.username
        held = select(CaseRow).where(CaseRow.assignee == username, CaseRow.state != "closed")
        kinds = self.kinds()
        for row in session.scalars(held.order_by(CaseRow.id).with_for_update()).all():
            if not _works_on(session, kinds.get(row.kind), leaving, row):
                _release(session, row, leaving)

    def account_removed(self, session: Session, username: str, now: datetime) -> None:
        """Nobody of this name is let in to anything, and what it had in hand is anybody's."""
        session.execute(delete(CaseAccess).where(CaseAccess.account == username))
        # Closed ones are left: who did what stands in their history.
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


def _works_on(session: Session, kind: CaseKind | None, leaving: Leaving, row: CaseRow) -> bool:
    """Whether it may still see the case and have it in hand."""
    reader = leaving.reader
    if reader is None or kind is None or not reader.has(*kind.may("take")):
        return False
    admitted = admitted_to(session, reader, [row.id], leaving.now).get(row.id, NOT_ADMITTED)
    return sight(kind, reader, admitted=admitted, row=row) == "whole"


def _release(session: Session, row: CaseRow, leaving: Leaving) -> None:
    """Its history says from whose hands it came, why and who decided that. The version stays:
    whoever is just acting on the case is refused nothing."""
    row.assignee = None
    detail = {"from": leaving.username, "why": leaving.why}
    number = history.next_number(session, row.id)
    said = history.Said("released", leaving.by, detail)
    history.append(session, row, number, said, None, leaving.now)
    feed.append(session, "case", row.id, leaving.now)
