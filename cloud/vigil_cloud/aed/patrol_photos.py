"""Photographs of patrols: sent first, and of the patrol that whoever took them tells next.

Those of no patrol are removed by retention, within hours: passers-by may be on them.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedPatrol, AedPatrolPhoto
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.errors import KeyReused

PURPOSE: Final = "aed.patrol.photo"
MOST: Final = 6
"""Of one patrol."""
WAITS: Final = timedelta(hours=2)
"""For its patrol; after that it is of none, and retention removes it."""


class PhotoUnknown(NotFound):
    """No such photograph of a patrol."""

    code: ClassVar[str] = "aed-photo-unknown"
    remedy: ClassVar[str] = "Open the patrols again: they show their photographs."


class TooManyPhotos(ApiError):
    """More photographs than one patrol takes. ``most``: how many it does."""

    code: ClassVar[str] = "aed-too-many-photos"
    remedy: ClassVar[str] = "Tell the patrol with those that were sent."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__(f"One patrol takes {MOST} photographs at most.")
        self.most = MOST


def add(  # noqa: PLR0913 - one photograph's columns, by name
    session: Session,
    cipher: Cipher,
    site: str,
    picture: bytes,
    *,
    by: str,
    now: datetime,
    key: str | None = None,
) -> AedPatrolPhoto:
    """One that ``cases.photographs`` has written anew; the caller has locked the AED. Sent again
    under its ``key`` it is the same. Raises ``TooManyPhotos``, ``KeyReused``."""
    sent = select(AedPatrolPhoto).where(AedPatrolPhoto.account == by, AedPatrolPhoto.key == key)
    known = None if key is None else session.scalar(sent)
    if known is not None:
        if known.site != site:
            raise KeyReused("This Idempotency-Key was used for another photograph; make a new one.")
        return known
    query = select(func.count()).where(
        AedPatrolPhoto.site == site,
        AedPatrolPhoto.patrol.is_(None),
        AedPatrolPhoto.account == by,
        AedPatrolPhoto.at >= now - WAITS,
    )
    if (session.scalar(query) or 0) >= MOST:
        raise TooManyPhotos
    sealed = cipher.seal(PURPOSE, base64.b64encode(picture).decode())
    row = AedPatrolPhoto(site=site, at=now, account=by, picture=sealed, key=key)
    session.add(row)
    session.flush()
    detail = {"photo": row.id}
    audit.append(
        session, at=now, account=by, action="aed.patrol-photo-added", subject=site, detail=detail
    )
    return row


def of_no_patrol(before: datetime) -> ColumnElement[bool]:
    """Those that no patrol was told of in time."""
    return and_(AedPatrolPhoto.patrol.is_(None), AedPatrolPhoto.at < before)


def claim(session: Session, patrol: AedPatrol) -> None:
    """What whoever patrolled has sent of this AED meanwhile is of this patrol."""
    session.execute(
        update(AedPatrolPhoto)
        .where(
            AedPatrolPhoto.site == patrol.site,
            AedPatrolPhoto.patrol.is_(None),
            AedPatrolPhoto.account == patrol.account,
            AedPatrolPhoto.at >= patrol.at - WAITS,
        )
        .values(patrol=patrol.id)
        .execution_options(synchronize_session=False)
    )


def of_patrols(session: Session, patrols: Sequence[int]) -> dict[int, list[int]]:
    """Numbers of their photographs, by patrol."""
    found: dict[int, list[int]] = {}
    query = select(AedPatrolPhoto.patrol, AedPatrolPhoto.id).where(
        AedPatrolPhoto.patrol.in_(patrols)
    )
    for patrol, photo in session.execute(query.order_by(AedPatrolPhoto.id)):
        found.setdefault(patrol or 0, []).append(photo)
    return found


def picture(session: Session, cipher: Cipher, site: str, photo: int) -> bytes:
    """Its JPEG. Raises ``PhotoUnknown``."""
    row = session.get(AedPatrolPhoto, photo)
    if row is None or row.site != site:
        raise PhotoUnknown("There is no such photograph.")
    try:
        return base64.b64decode(cipher.open(PURPOSE, row.picture))
    except Undecipherable as error:
        raise PhotoUnknown("There is no such photograph.") from error
