"""What check-ins keep of persons: their tags and where those were."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.checkin import invitations, rotating, watching
from vigil_cloud.checkin.models import (
    Amulet,
    Invitation,
    PersonRule,
    PhoneSighting,
    PurposeConsent,
    Tag,
    Thing,
    Visit,
)
from vigil_cloud.devices import newest
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.personal_records import PersonalRecords


class TagsAndVisits(PersonalRecords):
    """Tags that a person carries or carried, and their visits."""

    def lock(self, session: Session) -> None:
        """No station is told of the person's tags from now on."""
        watching.lock(session)

    def known_by(self, session: Session, person_key: str) -> Collection[str]:
        """The tags, by which readings and refused messages name their carrier."""
        carried = select(Tag.tag).where(Tag.person_key == person_key)
        worn = select(Visit.tag).where(Visit.person_key == person_key)
        # Also one that was taken back before any station had heard it: the log names it.
        given = select(AuditEntry.subject).where(
            AuditEntry.person_key == person_key,
            AuditEntry.action == "tag.given",
            AuditEntry.redacted.is_(False),
        )
        owned = select(Thing.tag).where(Thing.person_key == person_key)
        return session.scalars(carried.union(worn, given, owned)).all()

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any, now: datetime
    ) -> Mapping[str, int]:
        """Visits, tags, things, and the newest readings of the tags."""
        del found
        own = (
            select(Tag.tag)
            .where(Tag.person_key == person_key)
            .union(select(Thing.tag).where(Thing.person_key == person_key))
        )
        # Where a tag was before anybody had enrolled it is its carrier's as well.
        visits = or_(
            Visit.person_key == person_key, Visit.person_key.is_(None) & Visit.tag.in_(own)
        )
        watching.forget(session, person_key, now)
        keys = session.scalars(select(Visit.id).where(visits)).all()
        feed.forget(session, keys)
        session.execute(delete(Visit).where(visits).execution_options(synchronize_session=False))
        session.execute(delete(Tag).where(Tag.person_key == person_key))
        session.execute(delete(PhoneSighting).where(PhoneSighting.person_key == person_key))
        session.execute(delete(Thing).where(Thing.person_key == person_key))
        session.execute(delete(PersonRule).where(PersonRule.person_key == person_key))
        newest.forget(session, words)
        return {"visits": len(keys), "tags": len(words)}


class Joining(PersonalRecords):
    """Invitations, what was agreed to, and amulets as things of the stock."""

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any, now: datetime
    ) -> Mapping[str, int]:
        """The stock forgets the person's amulets as well: their ids name their carrier in copies.
        The city adds one anew when it has it back."""
        del found, now
        gone = {"synchronize_session": False}
        of_person = Invitation.person_key == person_key
        invited = delete(Invitation).where(of_person).returning(Invitation.id)
        number = len(session.scalars(invited, execution_options=gone).all())
        agreed = delete(PurposeConsent).where(PurposeConsent.person_key == person_key)
        session.execute(agreed, execution_options=gone)
        # Not one that somebody else wears by now.
        nobodys = Amulet.tag.in_(words) & Amulet.tag.not_in(select(Tag.tag))
        session.execute(delete(Amulet).where(nobodys), execution_options=gone)
        worn = set(session.scalars(select(Tag.tag).where(Tag.tag.in_(words))))
        rotating.forget(session, set(words) - worn)
        return {"invitations": number}

    def guardian_removed(
        self, session: Session, person_key: str, username: str, now: datetime
    ) -> None:
        """Nobody joins by an invitation of theirs."""
        invitations.revoke_all(session, now, by=username, person_key=person_key)

    def account_removed(self, session: Session, username: str, now: datetime) -> None:
        """The same, of everybody whom they invited."""
        invitations.revoke_all(session, now, by=username)
