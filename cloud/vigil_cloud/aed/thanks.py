"""Whoever came to a call, or was coming as it ended, is thanked and asked how it went.

The page says so at once; this is for a phone in a pocket. How the message went stands with the
call.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.aed.own_channels import AGAIN, Addresses, addresses, tell_all
from vigil_cloud.notify.text import NotificationText
from vigil_cloud.notify.web_push.note import Note
from vigil_cloud.services import Services

WITHIN: Final = timedelta(hours=6)
"""After the call ended; thanks that come later are not told any more."""
_PAGE: Final = "/aed"


@dataclass(frozen=True, slots=True)
class _Thanks:
    callout: int
    addresses: Addresses
    text: NotificationText


def waiting(session: Session, now: datetime) -> bool:
    """Whether anybody is to be thanked."""
    return session.execute(_query(now).limit(1)).first() is not None


def send_waiting(services: Services, stopping: threading.Event) -> int:
    """One round; returns how many were tried. What failed is tried again in the next round."""
    with services.sessions() as session:
        found = _found(session, services)
    return tell_all(services, stopping, found, _keep)


def _keep(session: Session, one: _Thanks, words: str) -> None:
    session.execute(
        update(AedCallout)
        .where(AedCallout.id == one.callout)
        .values(thanked=words[:200])
        .execution_options(synchronize_session=False)
    )


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        AedCallRow.state == "over",
        AedCallRow.over >= now - WITHIN,
        AedCallout.answered.is_not(None),
        AedCallout.state != "declined",
        or_(AedCallout.thanked == "", AedCallout.thanked.startswith(AGAIN)),
    )


def _query(now: datetime) -> Select[AedCallout, AedCallRow]:
    return (
        select(AedCallout, AedCallRow)
        .join(AedCallRow, AedCallRow.id == AedCallout.call_id)
        .where(_due(now))
        .order_by(AedCallout.id)
    )


def _found(session: Session, services: Services) -> Sequence[_Thanks]:
    rows = session.execute(_query(services.now())).all()
    own = addresses(session, services, {row.account_id for row, _ in rows}) if rows else {}
    return [
        _Thanks(row.id, own.get(row.account_id, ()), _text(services, call)) for row, call in rows
    ]


def _text(services: Services, call: AedCallRow) -> NotificationText:
    title = f"謝謝您：{call.place_zh} AED 召集已結束 / Thank you: the call at {call.place} is over"
    body = (
        "請開啟頁面說明經過與您的狀況。若想找人談談，也請告訴我們。\n"
        "Open the page to say what was done and how you are. Say so there if you want to talk."
    )
    public = services.settings.public_url.rstrip("/")
    note = Note(
        title,
        body,
        _PAGE,
        "zh-TW",
        "normal",
        about=f"call {call.id}",
        at_ms=round(services.now().timestamp() * 1000),
    )
    return NotificationText(title, f"{body}\n{public}{_PAGE}" if public else body, note)
