"""Persons: enrolled under a pseudonym, their names sealed under keys of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Final

import structlog
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit, person_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import Person, PersonKey
from vigil_cloud.identity.personal_records import records_of
from vigil_cloud.services import Services

NAME_COLUMN: Final = "person.name"
"""What names are sealed for."""
_KEY: Final[TypeAdapter[str]] = TypeAdapter(
    Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
)
_log = structlog.get_logger(__name__)


class BadEnrolment(ApiError):
    """A pseudonym, a name or a tag that cannot be used."""

    code: ClassVar[str] = "bad-enrolment"
    remedy: ClassVar[str] = "Correct the key, name or tag that the message names."
    status: ClassVar[int] = 422


def enrol(session: Session, cipher: Cipher, *, key: str, name: str, now: datetime) -> None:
    """As ``add_person``, of what somebody typed. Raises ``BadEnrolment``, ``PersonErased``."""
    try:
        _KEY.validate_python(key)
    except ValidationError as error:
        raise BadEnrolment(
            f"person {key!r}: use 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-' (a pseudonym)"
        ) from error
    if not name.strip():
        raise BadEnrolment("a person needs a name")
    add_person(session, cipher, key=key, name=name, now=now)


def add_person(session: Session, cipher: Cipher, *, key: str, name: str, now: datetime) -> None:
    """Enrol a person, or give a known one another name, wherever it is kept.

    Raises ``PersonErased``, ``WrongSecretKey``.
    """
    sealed = person_keys.make(session, cipher, key, now).seal(NAME_COLUMN, name)
    person = session.get(Person, key)
    if person is None:
        session.add(Person(key=key, name=sealed, created=now))
        session.flush()
        return
    person.name = sealed
    for room in records_of(session):
        room.rename(session, key, sealed)


def rotate_key(
    session: Session, cipher: Cipher, person_key: str, *, by: str, now: datetime
) -> None:
    """A new key of the person's own in place of the old. Raises ``NotFound``."""
    require_enrolled(session, person_key)
    name = name_of(session, cipher, person_key)
    rooms = records_of(session)
    for room in rooms:
        room.lock(session)
    opened = [room.opened(session, person_key) for room in rooms]
    person_keys.renew(session, cipher, person_key, now)
    for room, content in zip(rooms, opened, strict=True):
        room.seal_anew(session, person_key, content)
    add_person(session, cipher, key=person_key, name=name, now=now)
    audit.append(
        session, at=now, account=by, action="person.key-rotated", subject="", person_key=person_key
    )


def give_own_keys(services: Services) -> None:
    """Names that an older version sealed under the secret key are sealed under their person's
    own. Asked at each start; does nothing as a rule."""
    unkeyed = (
        select(Person)
        .outerjoin(PersonKey, PersonKey.person_key == Person.key)
        .where(PersonKey.person_key.is_(None))
    )
    with services.sessions() as session:
        keys = session.scalars(unkeyed.with_only_columns(Person.key)).all()
    cipher, now = Cipher(services.settings.secret), services.now()
    for key in keys:
        with writing(services.sessions) as session:
            person = session.get(Person, key)
            if person is None or session.get(PersonKey, key) is not None:
                continue
            try:
                name = cipher.open(NAME_COLUMN, person.name)
            except Undecipherable:  # the key was adopted without it: it waits for another name
                _log.warning("name-unreadable", person=key)
                continue
            add_person(session, cipher, key=key, name=name, now=now)


def everybody(session: Session) -> Sequence[Person]:
    """All who are enrolled, by key, with their keys read: ``name_of`` asks nothing more."""
    return _with_keys(session, select(Person).order_by(Person.key))


def load(session: Session, person_keys_wanted: Collection[str]) -> None:
    """Read many at once, so that ``name_of`` asks the database nothing afterwards."""
    wanted = sorted(set(person_keys_wanted))
    if wanted:
        person_keys.keep(session, _with_keys(session, select(Person).where(Person.key.in_(wanted))))


def _with_keys(session: Session, persons: Select[Person]) -> list[Person]:
    """Their keys are kept in the session. One statement."""
    query = persons.outerjoin(PersonKey, PersonKey.person_key == Person.key)
    rows = session.execute(query.add_columns(PersonKey)).all()
    person_keys.keep(session, (key for _, key in rows if key is not None))
    return [person for person, _ in rows]


def enrolled(session: Session, key: str) -> bool:
    """Whether this person is known."""
    return session.get(Person, key) is not None


def require_enrolled(session: Session, person_key: str) -> None:
    """Raises ``NotFound``."""
    if not enrolled(session, person_key):
        raise NotFound(f"There is no person {person_key!r}.")


def sealed_name(session: Session, person_key: str) -> bytes | None:
    """As rooms keep it beside what they tell of a person; ``None`` where nobody is enrolled."""
    person = session.get(Person, person_key)
    return person.name if person is not None else None


def name_of(session: Session, cipher: Cipher, person_key: str) -> str:
    """The opened name; the key where the person is not enrolled."""
    sealed = sealed_name(session, person_key)
    if sealed is None:
        return person_key
    return person_keys.of(session, cipher, person_key).open(NAME_COLUMN, sealed)
