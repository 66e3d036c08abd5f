"""Who is on call now, and where: by fresh positions, and by fixed places within their hours.

Positions are sealed; one that says nothing of now is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, cast

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed import hours
from vigil_cloud.aed.dispatch import Volunteer
from vigil_cloud.aed.models import AedCohort, AedVolunteer
from vigil_cloud.database.clock import ahead_since, step_unnoticed
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.roles import Role

if TYPE_CHECKING:
    from vigil_cloud.aed.streets import Position

POSITION_COLUMN: Final = "aed.volunteer.position"
FIXED_COLUMN: Final = "aed.volunteer.fixed"
FRESH: Final = timedelta(minutes=30)
"""An older position says nothing of now."""
ANSWER_S: Final = 20.0
_ASKED: Final = (
    AedVolunteer.account_id,
    AedVolunteer.speed_mps,
    AedVolunteer.certificate_until,
    AedVolunteer.asked_day,
    AedVolunteer.accepted_day,
    AedVolunteer.asked_night,
    AedVolunteer.accepted_night,
    AedVolunteer.position,
    AedVolunteer.located,
    AedVolunteer.fixed_position,
    AedVolunteer.fixed_hours,
    AedVolunteer.fixed_consented,
    AedVolunteer.hours,
    AedVolunteer.cohort,
    AedCohort.hours.label("cohort_hours"),
    AedCohort.speed_mps.label("cohort_speed_mps"),
)


class _Located(Protocol):
    """What a row says of where its volunteer is."""

    position: bytes | None
    located: datetime | None
    fixed_position: bytes | None
    fixed_hours: str
    fixed_consented: datetime | None


def is_fresh(located: datetime | None, now: datetime) -> bool:
    """Whether a position of then says where somebody is now."""
    return located is not None and now - located <= FRESH


def within(text: str, now: datetime) -> bool:
    """Hours that cannot be read any more are none: nobody is sent for from a guess."""
    try:
        return hours.opener(text)(now)
    except hours.BadOpeningHours:
        return False


def _is_stale(now: datetime) -> ColumnElement[bool]:
    return and_(
        AedVolunteer.position.is_not(None),
        or_(AedVolunteer.located.is_(None), AedVolunteer.located < now - FRESH),
    )


def stale(session: Session, now: datetime) -> bool:
    """Whether a position is kept that says nothing of now."""
    if _just_jumped(session, now):
        return False
    found = select(AedVolunteer.account_id).where(_is_stale(now)).limit(1)
    return session.scalar(found) is not None


def forget_stale(session: Session, now: datetime) -> None:
    """A phone that was switched off while on call leaves no position behind. Being on call stays:
    the page says that the position is missing. Of no age that a step of the clock made: whoever is
    on call is found again once it is set back."""
    if _just_jumped(session, now):
        return
    session.execute(
        update(AedVolunteer)
        .where(_is_stale(now))
        .values(position=None, located=None)
        .execution_options(synchronize_session=False)
    )


def _just_jumped(session: Session, now: datetime) -> bool:
    """A position is kept for no longer than this: by then each phone has told another."""
    since = ahead_since(session)
    return step_unnoticed(session, now) or (since is not None and now - since < FRESH)


def to_call(session: Session, cipher: Cipher, now: datetime) -> Sequence[Volunteer]:
    """Everybody who is on call, within the own hours and the cohort's, with a position of now, or
    else within the hours of a fixed place; a lapsed certificate is judged by the dispatch, which
    tells of it."""
    fresh = and_(AedVolunteer.located >= now - FRESH, AedVolunteer.position.is_not(None))
    query = (
        select(*_ASKED, Account.roles)  # columns: objects of thousands of rows cost a second
        .join(Account, Account.id == AedVolunteer.account_id)
        .outerjoin(AedCohort, AedCohort.id == AedVolunteer.cohort)
        .where(Account.active, AedVolunteer.on_call, AedVolunteer.consented.is_not(None))
        .where(or_(fresh, AedVolunteer.fixed_consented.is_not(None)))
    )
    return [
        Volunteer(
            id=str(row.account_id),
            at=at,
            speed_mps=row.cohort_speed_mps or row.speed_mps,
            available=True,
            certificate_until=row.certificate_until,
            asked_day=row.asked_day,
            accepted_day=row.accepted_day,
            asked_night=row.asked_night,
            accepted_night=row.accepted_night,
            answer_s=ANSWER_S,
        )
        for row in session.execute(query)
        if Role.VOLUNTEER.value in row.roles  # else it cannot see the call nor answer
        and (not row.hours or within(row.hours, now))
        # Of a cohort that is not there any more nobody knows the hours: nobody is called from it.
        and (row.cohort is None or (row.cohort_hours is not None and within(row.cohort_hours, now)))
        and (at := _where(cipher, cast("_Located", row), now)) is not None
    ]


def _where(cipher: Cipher, row: _Located, now: datetime) -> Position | None:
    if is_fresh(row.located, now):
        at = opened(cipher, POSITION_COLUMN, row.position)
        if at is not None:
            return at
    if row.fixed_consented is None or not within(row.fixed_hours, now):
        return None
    return opened(cipher, FIXED_COLUMN, row.fixed_position)


def opened(cipher: Cipher, column: str, sealed: bytes | None) -> Position | None:
    """Longitude and latitude; ``None`` where there are none that can be read."""
    try:
        lon, lat = json.loads(cipher.open(column, sealed or b""))
        return float(lon), float(lat)
    except (Undecipherable, ValueError, TypeError):  # one row must not keep the others uncalled
        return None
