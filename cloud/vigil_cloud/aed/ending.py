"""A volunteer is told before the position of now counts no more.

A page tells where a phone is only while it is open. Whoever stays on call with the phone in a
pocket would be called no more, or only to a fixed place, and would not know. A message that fails
is tried again after pauses that grow; that it is given up stands with the volunteer's own standing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed import on_call, volunteers
from vigil_cloud.aed.models import AedVolunteer
from vigil_cloud.city_time import city_clock
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import Account
from vigil_cloud.notify.own_channels import (
    AGAIN,
    NOWHERE,
    Addresses,
    addresses,
    given_up,
    next_try,
    tell_all,
)
from vigil_cloud.notify.text import NotificationText
from vigil_cloud.notify.web_push.note import Note
from vigil_cloud.services import Services

BEFORE: Final = timedelta(minutes=8)
"""So long before: a try each minute, and time to press."""
FIRST_AGAIN_S: Final = 30.0
LAST_AGAIN_S: Final = 120.0
_PAGE: Final = "/aed"


@dataclass(frozen=True, slots=True)
class _Ending:
    account: int
    located: datetime
    tries: int
    addresses: Addresses
    text: NotificationText


def waiting(session: Session, now: datetime) -> bool:
    """Whether anybody is to be told, or was tried for the last time."""
    first = select(AedVolunteer.account_id).where(or_(_due(now), _late(now))).limit(1)
    return session.scalar(first) is not None


def send_waiting(services: Services, stopping: threading.Event) -> int:
    """One round; returns how many were tried."""
    _give_up(services)
    with services.sessions() as session:
        found = _found(session, services)

    def keep(session: Session, one: _Ending, words: str) -> None:
        again = next_try(words, one.tries, services.now(), FIRST_AGAIN_S, LAST_AGAIN_S)
        session.execute(
            update(AedVolunteer)
            .where(
                AedVolunteer.account_id == one.account,
                AedVolunteer.located == one.located,  # else a new position came meanwhile
            )
            .values(ending_told=words[:200], ending_tries=again.tries, ending_again=again.at)
            .execution_options(synchronize_session=False)
        )

    return tell_all(services, stopping, found, keep)


def _give_up(services: Services) -> None:
    """The position is too old by now: that its owner could not be told stands on their page."""
    with services.sessions() as session:
        late = select(AedVolunteer.account_id).where(_late(services.now()))
        if session.scalar(late.limit(1)) is None:
            return
    with writing(services.sessions) as session:
        rows = select(AedVolunteer).where(_late(services.now()))
        for row in session.scalars(rows.with_for_update()).all():
            row.ending_told = given_up(row.ending_tries, row.ending_told)
            row.ending_again = None


def _late(now: datetime) -> ColumnElement[bool]:
    return and_(
        AedVolunteer.ending_told.startswith(AGAIN),
        or_(AedVolunteer.located.is_(None), AedVolunteer.located < now - on_call.FRESH),
    )


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        AedVolunteer.on_call,
        AedVolunteer.located <= now - on_call.FRESH + BEFORE,
        AedVolunteer.located >= now - on_call.FRESH,
        or_(
            AedVolunteer.ending_told == "",
            and_(AedVolunteer.ending_told.startswith(AGAIN), AedVolunteer.ending_again <= now),
        ),
    )


def _found(session: Session, services: Services) -> Sequence[_Ending]:
    now = services.now()
    rows = session.scalars(
        select(AedVolunteer)
        .join(Account, Account.id == AedVolunteer.account_id)
        .where(_due(now), Account.active)
        .order_by(AedVolunteer.located)
    ).all()
    own = addresses(session, services, {row.account_id for row in rows}) if rows else {}
    return [
        _Ending(
            row.account_id,
            row.located,
            row.ending_tries,
            own.get(row.account_id, NOWHERE),
            _text(services, row, now),
        )
        for row in rows
        if row.located is not None
    ]


def _text(services: Services, row: AedVolunteer, now: datetime) -> NotificationText:
    assert row.located is not None  # noqa: S101 - chosen by it
    end = row.located + on_call.FRESH
    at = city_clock(end, now)
    title = f"AED 待命位置將於 {at} 失效 / Your position on call ends at {at}"
    if volunteers.fixed_counts(row, end):
        what = (
            "其後僅以您登錄的固定地點召集。開啟頁面即可更新位置。",
            "From then on you are called from your fixed place alone."
            " Open the page to tell where you are.",
        )
    else:
        what = (
            "其後您將不會被召集。開啟頁面即可更新位置。",
            "From then on you are not called. Open the page to tell where you are.",
        )
    public = services.settings.public_url.rstrip("/")
    body = "\n".join(what)
    note = Note(
        title,
        body,
        _PAGE,
        "zh-TW",
        "normal",
        about=f"aed position {row.account_id}",
        at_ms=round(now.timestamp() * 1000),
    )
    return NotificationText(title, f"{body}\n{public}{_PAGE}" if public else body, note)
