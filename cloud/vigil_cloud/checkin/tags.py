"""What a tag is on."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.checkin.models import Tag, Thing


def is_on_a_thing(session: Session, tag: str) -> bool:
    """Whether it is on somebody's thing."""
    return session.scalar(select(Thing.id).where(Thing.tag == tag)) is not None


def carries(session: Session, tag: str) -> bool:
    """Whether the tag is a person's, or on a thing of theirs."""
    return session.get(Tag, tag) is not None or is_on_a_thing(session, tag)
