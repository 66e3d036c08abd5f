"""What alerts keep of persons, homes and places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select, update
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

    def given_home(self, session: Session, device: str, household: str) -> None:
        """What stands open of the device and is nobody's home's, is this one's."""
        open_ones = (AlertRow.device == device, AlertRow.priority > 0)
        self._follow(session, open_ones, AlertRow.household.is_(None), household=household)

    def home_erased(self, session: Session, household: str) -> None:
        """What happened there is nobody's home's any more."""
        self._follow(session, (), AlertRow.household == household, household=None)

    def relocated(self, session: Session, kind: str, thing: str, district: str | None) -> None:
        """What stands open goes with the device; what is over stays where it happened."""
        of_it = AlertRow.device == thing
        if kind == "gateway":
            of_it = and_(AlertRow.gateway == thing, AlertRow.device == "")
        self._follow(session, (AlertRow.priority > 0,), of_it, district=district)

    @staticmethod
    def _follow(
        session: Session,
        conditions: tuple[ColumnElement[bool], ...],
        which: ColumnElement[bool],
        **values: str | None,
    ) -> None:
        session.execute(
            update(AlertRow)
            .where(which, *conditions)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
