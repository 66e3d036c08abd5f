"""Whoever came to a call, or was coming as it ended, is thanked and asked how it went.

The page says so at once; this is for a phone in a pocket. How the message went stands with the
call. What fails is tried again after pauses that grow, and given up in the end, which stands there
as well.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed.calls import GIVEN_BACK
from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.engine import writing
from vigil_cloud.notify.own_channels import (
    AGAIN,
    NOWHERE,
    Addresses,
    addresses,
    given_up,
    next_try,
    tell_all,
)
from vigil_cloud.notify.text import NotificationText, one_line
from vigil_cloud.notify.web_push.note import Note
from vigil_cloud.services import Services

WITHIN: Final = timedelta(hours=6)
"""After the call ended; thanks that come later are not told any more."""
FIRST_AGAIN_S: Final = 60.0
LAST_AGAIN_S: Final = 3600.0
_PAGE: Final = "/aed"


@dataclass(frozen=True, slots=True)
class _Thanks:
    callout: int
    tries: int
    addresses: Addresses
    text: NotificationText


def waiting(session: Session, now: datetime) -> bool:
    """Whether anybody is to be thanked, or was tried for the last time."""
    return any(
        session.execute(query.limit(1)).first() is not None for query in (_query(now), _late(now))
    )


def send_waiting(services: Services, stopping: threading.Event) -> int:
    """One round; returns how many were tried."""
    _give_up(services)
    with services.sessions() as session:
        found = _found(session, services)

    def keep(session: Session, one: _Thanks, words: str) -> None:
        again = next_try(words, one.tries, services.now(), FIRST_AGAIN_S, LAST_AGAIN_S)
        session.execute(
            update(AedCallout)
            .where(AedCallout.id == one.callout)
            .values(thanked=words[:200], thanks_tries=again.tries, thanks_again=again.at)
            .execution_options(synchronize_session=False)
        )

    return tell_all(services, stopping, found, keep)


def _give_up(services: Services) -> None:
    """Of what is too old for another try, that it is given up, for whoever looks at the call."""
    with services.sessions() as session:
        now = services.now()
        if not ages_hold(session, now) or session.execute(_late(now).limit(1)).first() is None:
            return
    with writing(services.sessions) as session:
        for row, _ in session.execute(_late(services.now())).all():
            row.thanked = given_up(row.thanks_tries, row.thanked)
            row.thanks_again = None


def _owed() -> ColumnElement[bool]:
    return and_(
        AedCallRow.state == "over",
        AedCallout.account_id.is_not(None),
        AedCallout.answered.is_not(None),
        AedCallout.state.not_in(sorted(GIVEN_BACK)),
    )


def _query(now: datetime) -> Select[AedCallout, AedCallRow]:
    failed = and_(AedCallout.thanked.startswith(AGAIN), AedCallout.thanks_again <= now)
    return _calls(AedCallRow.over >= now - WITHIN, or_(AedCallout.thanked == "", failed))


def _late(now: datetime) -> Select[AedCallout, AedCallRow]:
    return _calls(AedCallRow.over < now - WITHIN, AedCallout.thanked.startswith(AGAIN))


def _calls(*when: ColumnElement[bool]) -> Select[AedCallout, AedCallRow]:
    return (
        select(AedCallout, AedCallRow)
        .join(AedCallRow, AedCallRow.id == AedCallout.call_id)
        .where(_owed(), *when)
        .order_by(AedCallout.id)
    )


def _found(session: Session, services: Services) -> Sequence[_Thanks]:
    rows = session.execute(_query(services.now())).all()
    own = addresses(session, services, {row.account_id for row, _ in rows}) if rows else {}
    return [
        _Thanks(
            row.id,
            row.thanks_tries,
            own.get(row.account_id, NOWHERE),
            _text(services, call),
        )
        for row, call in rows
    ]


def _text(services: Services, call: AedCallRow) -> NotificationText:
    title = one_line(
        f"謝謝您：{call.place_zh} AED 召集已結束 / Thank you: the call at {call.place} is over"
    )
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
