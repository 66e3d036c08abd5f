"""What the programme keeps of homes and people, and how it is forgotten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.identity import person_keys
from vigil_cloud.identity.models import PersonKey
from vigil_cloud.identity.personal_records import PersonalRecords
from vigil_cloud.smoke.programme import home_rows
from vigil_cloud.smoke.programme_models import ProgrammeHome


class HomesOfProgramme(PersonalRecords):
    """Homes that applied."""

    def home_erased(self, session: Session, household: str) -> None:
        """Nothing of it is left."""
        query = select(ProgrammeHome).where(ProgrammeHome.household == household)
        for row in session.scalars(query).all():
            home_rows.erase(session, row, row.changed)

    def account_removed(self, session: Session, username: str, now: datetime) -> None:
        """Nobody of this name applied; what somebody signed stays signed."""
        del now
        session.execute(
            update(ProgrammeHome)
            .where(ProgrammeHome.applied_by == username)
            .values(applied_by=None)
            .execution_options(synchronize_session=False)
        )


def forget_keys(session: Session, now: datetime) -> bool:
    """Keys of homes that retention has removed are destroyed: what a backup holds of them is noise
    from then on. Whether there were any."""
    prefix = home_rows.own_key("")
    query = select(PersonKey.person_key).where(
        PersonKey.person_key.startswith(prefix, autoescape=True), PersonKey.sealed.is_not(None)
    )
    # Before the homes: one that is added meanwhile has no key here.
    keys = session.scalars(query).all()
    there = set(session.scalars(select(ProgrammeHome.id)))
    gone = [key for key in keys if key.removeprefix(prefix) not in there]
    for key in gone:
        person_keys.destroy(session, key, now)
    return bool(gone)
