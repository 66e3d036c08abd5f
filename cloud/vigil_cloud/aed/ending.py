"""A volunteer is told before the position of now counts no more.

A page tells where a phone is only while it is open. Whoever stays on call with the phone in a
pocket would be called no more, or only to a fixed place, and would not know.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed import volunteers
from vigil_cloud.aed.models import AedVolunteer
from vigil_cloud.aed.own_channels import AGAIN, Addresses, addresses, tell_all
from vigil_cloud.city_time import city_clock
from vigil_cloud.identity.models import Account
from vigil_cloud.notify.text import NotificationText
from vigil_cloud.notify.web_push.note import Note
from vigil_cloud.services import Services

BEFORE: Final = timedelta(minutes=8)
"""So long before: a try each minute, and time to press."""
_PAGE: Final = "/aed"


@dataclass(frozen=True, slots=True)
class _Ending:
    account: int
    located: datetime
    addresses: Addresses
    text: NotificationText


def waiting(session: Session, now: datetime) -> bool:
    """Whether anybody is to be told."""
    first = select(AedVolunteer.account_id).where(_due(now)).limit(1)
    return session.scalar(first) is not None


def send_waiting(services: Services, stopping: threading.Event) -> int:
    """One round; returns how many were tried. What failed is tried again in the next round."""
    with services.sessions() as session:
        found = _found(session, services)
    return tell_all(services, stopping, found, _keep)


def _keep(session: Session, one: _Ending, words: str) -> None:
    session.execute(
        update(AedVolunteer)
        .where(
            AedVolunteer.account_id == one.account,
            AedVolunteer.located == one.located,  # else a new position came meanwhile
        )
        .values(ending_told=words[:200])
        .execution_options(synchronize_session=False)
    )


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        AedVolunteer.on_call,
        AedVolunteer.located <= now - volunteers.FRESH + BEFORE,
        AedVolunteer.located >= now - volunteers.FRESH,
        or_(AedVolunteer.ending_told == "", AedVolunteer.ending_told.startswith(AGAIN)),
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
        _Ending(row.account_id, row.located, own.get(row.account_id, ()), _text(services, row, now))
        for row in rows
        if row.located is not None
    ]


def _text(services: Services, row: AedVolunteer, now: datetime) -> NotificationText:
    assert row.located is not None  # noqa: S101 - chosen by it
    end = row.located + volunteers.FRESH
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
