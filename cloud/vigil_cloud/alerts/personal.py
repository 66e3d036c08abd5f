"""What alerts keep of persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.identity.personal_records import PersonalRecords


class AlertsOfPersons(PersonalRecords):
    """Alerts about a person go with them; what the feed says of them as well."""

    def lock(self, session: Session) -> None:
        """First, as in every transaction that changes an alert."""
        feed.lock(session)

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any
    ) -> Mapping[str, int]:
        """Alerts about the person."""
        del words, found
        alerts = AlertRow.person_key == person_key
        keys = session.scalars(select(AlertRow.id).where(alerts)).all()
        feed.forget(session, [*keys, person_key])
        session.execute(delete(AlertRow).where(alerts).execution_options(synchronize_session=False))
        return {"alerts": len(keys)}

    def rename(self, session: Session, person_key: str, sealed: bytes) -> None:
        """In every alert about the person."""
        session.execute(
            update(AlertRow)
            .where(AlertRow.person_key == person_key)
            .values(person_name=sealed)
            .execution_options(synchronize_session=False)
        )
