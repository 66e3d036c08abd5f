"""Which tags whom carries, as administrators see and change it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import NotFound
from vigil_cloud.checkin.models import Amulet, Tag
from vigil_cloud.checkin.schema import Named
from vigil_cloud.checkin.service import give_tag
from vigil_cloud.identity import audit, consents, persons
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.guardian_consents import not_called
from vigil_cloud.identity.persons import BadEnrolment
from vigil_schemas.checkin import CarriedId

_TAG: Final[TypeAdapter[str]] = TypeAdapter(CarriedId)


def take_tag(session: Session, tag: str, *, by: str, now: datetime) -> None:
    """The tag is nobody's from now on; visits before stay whose they were. Raises ``NotFound``."""
    row = session.get(Tag, tag)
    if row is None:
        raise NotFound("Nobody carries this tag.")
    session.delete(row)
    session.execute(update(Amulet).where(Amulet.tag == tag).values(state="returned", changed=now))
    session.flush()
    audit.append(
        session,
        at=now,
        account=by,
        action="tag.taken",
        subject=tag,
        person_key=row.person_key,
    )


def people(session: Session, cipher: Cipher, now: datetime) -> list[Named]:
    """Everybody who is enrolled, by key. Who there is, and not where they are."""
    tags: dict[str, list[str]] = {}
    for tag in session.scalars(select(Tag).order_by(Tag.tag)):
        tags.setdefault(tag.person_key, []).append(tag.tag)
    silent: dict[str, list[str]] = {}
    for one in not_called(session, now):
        silent.setdefault(one.person, []).append(one.account)
    return [
        Named(
            key=row.key,
            name=persons.name_of(session, cipher, row.key),
            created=row.created,
            tags=len(tags.get(row.key, [])),
            carries=tags.get(row.key, []),
            guardians=consents.guardians_of(session, row.key),
            not_called=silent.get(row.key, []),
        )
        for row in persons.everybody(session)
    ]


def tags(session: Session) -> list[tuple[str, str]]:
    """Every tag that is somebody's, and whose."""
    return [(row.tag, row.person_key) for row in session.scalars(select(Tag).order_by(Tag.tag))]


def give_typed_tag(session: Session, tag: str, person_key: str, *, by: str, now: datetime) -> None:
    """As ``give_tag``, of what somebody typed. Raises ``BadEnrolment``, ``NotFound``."""
    try:
        _TAG.validate_python(tag)
    except ValidationError as error:
        raise BadEnrolment(
            f"tag {tag!r}: not as a station names it (see docs/checkin.md)"
        ) from error
    persons.require_enrolled(session, person_key)
    give_tag(session, tag, person_key, by=by, now=now)
