"""Who is enrolled, as administrators see and change it: persons, their keys, their tags."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Final

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.checkin.models import Person, Tag
from vigil_cloud.checkin.schema import Named
from vigil_cloud.checkin.service import add_person, enrolled, give_tag, name_of
from vigil_cloud.identity import audit, consents, person_keys
from vigil_cloud.identity.cipher import Cipher
from vigil_schemas.checkin import TagId

_KEY: Final[TypeAdapter[str]] = TypeAdapter(
    Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
)
_TAG: Final[TypeAdapter[str]] = TypeAdapter(TagId)


class BadEnrolment(ApiError):
    """A pseudonym, a name or a tag that cannot be used."""

    code: ClassVar[str] = "bad-enrolment"
    status: ClassVar[int] = 422


def take_tag(session: Session, tag: str, *, by: str, now: datetime) -> None:
    """The tag is nobody's from now on; visits before stay whose they were. Raises ``NotFound``."""
    row = session.get(Tag, tag)
    if row is None:
        raise NotFound("Nobody carries this tag.")
    session.delete(row)
    session.flush()
    audit.append(
        session,
        at=now,
        account=by,
        action="tag.taken",
        subject=tag,
        person_key=row.person_key,
    )


def rotate_key(
    session: Session, cipher: Cipher, person_key: str, *, by: str, now: datetime
) -> None:
    """A new key of the person's own in place of the old. Raises ``NotFound``."""
    require_enrolled(session, person_key)
    name = name_of(session, cipher, person_key)
    person_keys.renew(session, cipher, person_key, now)
    add_person(session, cipher, key=person_key, name=name, now=now)
    audit.append(
        session, at=now, account=by, action="person.key-rotated", subject="", person_key=person_key
    )


def people(session: Session, cipher: Cipher) -> list[Named]:
    """Everybody who is enrolled, by key. Who there is, and not where they are."""
    tags: dict[str, list[str]] = {}
    for tag in session.scalars(select(Tag).order_by(Tag.tag)):
        tags.setdefault(tag.person_key, []).append(tag.tag)
    rows = session.scalars(select(Person).order_by(Person.key)).all()
    person_keys.load(session, (row.key for row in rows))
    return [
        Named(
            key=row.key,
            name=name_of(session, cipher, row.key),
            created=row.created,
            tags=len(tags.get(row.key, [])),
            carries=tags.get(row.key, []),
            guardians=consents.guardians_of(session, row.key),
        )
        for row in rows
    ]


def tags(session: Session) -> list[tuple[str, str]]:
    """Every tag that is somebody's, and whose."""
    return [(row.tag, row.person_key) for row in session.scalars(select(Tag).order_by(Tag.tag))]


def require_enrolled(session: Session, person_key: str) -> None:
    """Raises ``NotFound``."""
    if not enrolled(session, person_key):
        raise NotFound(f"There is no person {person_key!r}.")


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


def hand_out(session: Session, tag: str, person_key: str, *, by: str, now: datetime) -> None:
    """As ``give_tag``, of what somebody typed. Raises ``BadEnrolment``, ``NotFound``."""
    try:
        _TAG.validate_python(tag)
    except ValidationError as error:
        raise BadEnrolment(
            f"tag {tag!r}: not as a station names it (see docs/checkin.md)"
        ) from error
    require_enrolled(session, person_key)
    give_tag(session, tag, person_key, by=by, now=now)
