"""What rooms keep of persons, homes and places: how identity reaches it without knowing them.

Whoever keeps something under a ``person_key`` hands in a ``PersonalRecords``; ``stores`` puts
them together. A person is renamed and erased through these alone, so that a room that is added
forgets persons as well (tests/cloud/identity/test_erasure.py finds every column by its name).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy.orm import Session

from vigil_cloud.identity.reader import Reader

RECORDS: Final = "personal_records"
"""Where sessions carry them; a session without them can rename and erase nobody."""


Why = Literal["closed", "removed", "roles", "districts"]


@dataclass(frozen=True, slots=True)
class Leaving:
    """An account that may do less than before: since when, why, and who decided that."""

    account_id: int
    username: str
    reader: Reader | None
    """What it may from now on; ``None``: nothing."""
    why: Why
    by: str
    now: datetime


class PersonalRecords:
    """One room's. Each method does nothing unless the room has something to do there."""

    def lock(self, session: Session) -> None:
        """Take what must be held before anything is read, in the transaction that erases."""

    def known_by(self, session: Session, person_key: str) -> Collection[str]:
        """Further words that stand for the person: tags that they carry or have carried."""
        del session, person_key
        return ()

    def find(self, session: Session, words: Sequence[str], known: Any = None) -> Any:
        """Look for what takes long, before the transaction that erases; asked again within it,
        with what was ``known`` then."""
        del session, words
        return known

    def erase(
        self, session: Session, person_key: str, words: Sequence[str], found: Any, now: datetime
    ) -> Mapping[str, int]:
        """Delete what names the person or, of ``words``, what the person is known by. Returns
        how many of each kind."""
        del session, person_key, words, found, now
        return {}

    def rename(self, session: Session, person_key: str, sealed: bytes) -> None:
        """The person's name as it is sealed now."""

    def opened(self, session: Session, person_key: str) -> Any:
        """What is sealed under the person's key, opened: that key is about to be renewed."""
        del session, person_key

    def seal_anew(self, session: Session, person_key: str, content: Any) -> None:
        """The same, as ``opened`` gave it, under the person's new key."""

    def guardian_removed(
        self, session: Session, person_key: str, username: str, now: datetime
    ) -> None:
        """The account decides for the person no more: what it saw only as the guardian ends."""

    def account_may_less(self, session: Session, leaving: Leaving) -> None:
        """The account is closed, about to be removed, or lost a role or a district: what it had
        in hand and may no longer see or act on is anybody's, and that is written down there."""

    def account_removed(self, session: Session, username: str, now: datetime) -> None:
        """The account is gone: whoever is given its name next is somebody else."""

    def signed_out(
        self, session: Session, account_id: int | None, token_sha256: str | None, now: datetime
    ) -> None:
        """Somebody ended a session themselves, or all of the account's: what was opened in it is
        closed. Not told of sessions that run out."""

    def given_home(self, session: Session, device: str, household: str, now: datetime) -> None:
        """The device stands in this home from now on."""

    def home_erased(self, session: Session, household: str) -> None:
        """Nothing names this household any more."""

    def relocated(self, session: Session, kind: str, thing: str, district: str | None) -> None:
        """A ``device`` or a ``gateway`` stands in this district from now on."""


def lock_all(session: Session) -> None:
    """Take what every room must hold, before the audit log."""
    for room in records_of(session):
        room.lock(session)


def records_of(session: Session) -> tuple[PersonalRecords, ...]:
    """Every room's, in the order in which they lock and erase."""
    rooms: tuple[PersonalRecords, ...] = session.info[RECORDS]
    return rooms
