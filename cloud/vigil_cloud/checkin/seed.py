"""Tags and whose they are, from the seed file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from vigil_cloud.checkin import service
from vigil_cloud.domain.descriptor import SeedPart
from vigil_cloud.domain.seeding import SEEDER, BadSeed, Section
from vigil_cloud.identity import person_keys, persons
from vigil_schemas.checkin import TagId


class SeedTag(Section):
    """One ``[[tag]]`` table."""

    tag: TagId
    person: str


def _give_tags(session: Session, sections: Mapping[str, Sequence[Any]], now: datetime) -> None:
    tags: Sequence[SeedTag] = sections["tag"]
    gone = person_keys.erased(session, (tag.person for tag in tags))
    for tag in tags:
        if tag.person in gone:
            continue  # whoever was erased is left out; the persons' part has said so
        if not persons.enrolled(session, tag.person):
            raise BadSeed(f"tag {tag.tag}: there is no person {tag.person!r}")
        service.give_tag(session, tag.tag, tag.person, by=SEEDER, now=now)


SEED: Final = SeedPart({"tag": SeedTag}, _give_tags)
