"""Erasing a person: nothing in the stores names them or their tags any more.

What stays is the audit chain with their pseudonym. Its lines that named a tag are blanked,
and the line that tells of the erasure carries their hashes, so that the chain still
verifies. Done again it finishes what a crash cut short: the time series is not in the
database's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.changes import announce_rights
from vigil_cloud.database.engine import forget_deleted, writing
from vigil_cloud.identity import audit, person_keys, persons
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import (
    AnsweredRequest,
    Consent,
    Disclosure,
    Guardian,
    HouseholdMember,
    Look,
    Person,
    PersonKey,
)
from vigil_cloud.identity.personal_records import records_of
from vigil_cloud.services import Services

COMPACT_UP_TO: Final = 256 * 1024 * 1024
"""A SQLite file of so many bytes is written anew after an erasure."""


class UnknownPerson(ApiError):
    """Nobody of this key is enrolled."""

    code: ClassVar[str] = "person-unknown"
    remedy: ClassVar[str] = "Check the key; `vigil-cloud person list` shows all."
    status: ClassVar[int] = 404

    def __init__(self, person: str) -> None:
        super().__init__(f"There is no person {person!r}.")
        self.person = person


class GivenMeanwhile(ApiError):
    """The person's tags changed while they were being erased; nothing but readings is gone."""

    code: ClassVar[str] = "given-meanwhile"
    remedy: ClassVar[str] = "Look at the person's tags and erase again."
    status: ClassVar[int] = 409


@dataclass(slots=True)
class Erasure:
    """How much was removed. ``complete``: also from the file's free pages and its log."""

    removed: dict[str, int] = field(default_factory=dict)
    complete: bool = True


def erase(services: Services, person_key: str, *, by: str) -> Erasure:
    """Raises ``UnknownPerson``, ``GivenMeanwhile`` and ``TimeSeriesUnavailable`` (do it again)."""
    now = services.now()
    cipher = Cipher(services.settings.secret)
    done = Erasure()
    # What takes long comes first, in no transaction of ours: an alarm would wait for it. The rows
    # that name the tags go last, so that a crash in between leaves them.
    with services.sessions() as session:
        tags, words = _known(session, cipher, person_key)
    for tag in tags:
        services.timeseries.delete(tag)
    with services.sessions() as session:
        rooms = records_of(session)
        found = [room.find(session, words) for room in rooms]
    with writing(services.sessions) as session:
        for room in rooms:
            room.lock(session)
        now_worn, words = _known(session, cipher, person_key)
        if set(now_worn) - set(tags):
            raise GivenMeanwhile("Another tag was given to this person just now; do it again.")
        for room, known in zip(rooms, found, strict=True):
            known = room.find(session, words, known)
            done.removed.update(room.erase(session, person_key, tags, known, now))
        _erase_own(session, person_key, done)
        person_keys.destroy(session, person_key, now)
        announce_rights(session)
        audit.redact(
            session,
            words,
            person_key=person_key,
            action="person.erased",
            by=by,
            now=now,
            detail=dict(done.removed),
        )
    services.changed.announce()
    done.complete = forget_deleted(services.engine, compact_up_to=COMPACT_UP_TO)
    return done


def _known(session: Session, cipher: Cipher, person_key: str) -> tuple[list[str], list[str]]:
    """The person's tags; every word that names them. Raises ``UnknownPerson``."""
    known = session.get(PersonKey, person_key)
    if session.get(Person, person_key) is None and known is None:
        raise UnknownPerson(person_key)
    rooms = records_of(session)
    tags = sorted({word for room in rooms for word in room.known_by(session, person_key)})
    return tags, [*tags, *_name(session, cipher, person_key)]


def _name(session: Session, cipher: Cipher, person_key: str) -> list[str]:
    if not persons.enrolled(session, person_key):
        return []
    try:
        return [persons.name_of(session, cipher, person_key)]
    except Undecipherable:
        return []


def _erase_own(session: Session, person_key: str, done: Erasure) -> None:
    for model, column in (
        (AnsweredRequest, AnsweredRequest.person_key),
        (Consent, Consent.person_key),
        (Disclosure, Disclosure.person_key),
        (Guardian, Guardian.person_key),
        (HouseholdMember, HouseholdMember.person_key),
        (Look, Look.person_key),
        (Person, Person.key),
    ):
        number = session.scalar(select(func.count()).where(column == person_key)) or 0
        statement = delete(model).where(column == person_key)
        session.execute(statement.execution_options(synchronize_session=False))
        done.removed[model.__tablename__] = number
