"""The message to a called volunteer's own channels (push, chat, mail, web hook).

The open page is told by the stream at once; this is for a phone in a pocket. A channel that fails
is tried again, after pauses that grow, while the volunteer has not answered; how it went stands
with the call.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, not_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedCallout, AedCallRow, AedSite
from vigil_cloud.database.clock import jumped_ahead
from vigil_cloud.database.engine import writing
from vigil_cloud.notify.own_channels import (
    AT_ONCE,
    NOWHERE,
    Addresses,
    addresses,
    next_try,
    tell_side_by_side,
)
from vigil_cloud.notify.text import NotificationText, one_line
from vigil_cloud.notify.web_push.note import Action, Note
from vigil_cloud.services import Services

MOST: Final = 200
"""Volunteers of one turn of the job."""
FIRST_AGAIN_S: Final = 2.0
LAST_AGAIN_S: Final = 60.0
_PAGE: Final = "/aed"
_TOO_LATE: Final = timedelta(minutes=15)
NOT_IN_TIME: Final = "not told: it could not be sent within 15 min"


@dataclass(frozen=True, slots=True)
class _Summons:
    callout: int
    tries: int
    addresses: Addresses
    text: NotificationText


def send_waiting(services: Services, stopping: threading.Event) -> int:
    """One round: everybody who was called and not reached yet; returns how many were tried."""
    tried = 0
    _give_up(services)
    while not stopping.is_set() and tried < MOST and (some := _send_some(services)):
        tried += some
    return tried


def _send_some(services: Services) -> int:
    """As many as are told side by side: who is called meanwhile is told before those that fail."""
    with services.sessions() as session:
        waiting = _waiting(session, services)
    if not waiting:
        return 0

    def keep(session: Session, one: _Summons, words: str) -> None:
        _write_down(session, one, words, services.now())

    return tell_side_by_side(services, waiting, keep)


def _give_up(services: Services) -> None:
    """Those who could not be told in time, for whoever looks at the call: whoever is told so late
    runs to nobody."""
    with services.sessions() as session:
        missed = select(AedCallout.id).where(_missed(session, services.now()))
        if session.scalar(missed.limit(1)) is None:
            return
    with writing(services.sessions) as session:
        session.execute(
            update(AedCallout)
            .where(_missed(session, services.now()))
            .values(told=NOT_IN_TIME)
            .execution_options(synchronize_session=False)
        )


def _write_down(session: Session, one: _Summons, told: str, now: datetime) -> None:
    """A channel that fails is tried again after a pause that grows: it must not take the turns
    of those that work."""
    again = next_try(told, one.tries, now, FIRST_AGAIN_S, LAST_AGAIN_S)
    session.execute(
        update(AedCallout)
        .where(AedCallout.id == one.callout)
        .values(
            told=told[:200],
            tries=again.tries,
            again=again.at,
        )
        .execution_options(synchronize_session=False)
    )


def waiting(session: Session, now: datetime) -> bool:
    """Whether a round would tell anybody."""
    first = select(AedCallout.id).where(or_(_untold(session, now), _missed(session, now)))
    return session.scalar(first.limit(1)) is not None


def _untold(session: Session, now: datetime) -> ColumnElement[bool]:
    return and_(
        AedCallout.state == "called",
        or_(AedCallout.told == "", AedCallout.again <= now),
        _in_time(session, now),
    )


def _missed(session: Session, now: datetime) -> ColumnElement[bool]:
    return and_(AedCallout.state == "called", AedCallout.told == "", not_(_in_time(session, now)))


def _in_time(session: Session, now: datetime) -> ColumnElement[bool]:
    in_time = AedCallout.called > now - _TOO_LATE
    if jumped_ahead(session):  # then nothing is as old as it seems: a first try loses no call
        return or_(AedCallout.tries == 0, in_time)
    return in_time


def _waiting(session: Session, services: Services) -> Sequence[_Summons]:
    query = (
        select(AedCallout, AedCallRow)
        .join(AedCallRow, AedCallRow.id == AedCallout.call_id)
        .where(_untold(session, services.now()))
        .order_by(AedCallout.tries, AedCallout.id)
        .limit(AT_ONCE)
    )
    rows = session.execute(query).all()
    if not rows:
        return []
    own = addresses(session, services, {callout.account_id for callout, _ in rows})
    names = {callout.site for callout, _ in rows if callout.site is not None}
    places = {
        site.id: site for site in session.scalars(select(AedSite).where(AedSite.id.in_(names)))
    }
    return [
        _Summons(
            callout.id,
            callout.tries,
            own.get(callout.account_id, NOWHERE),
            _text(services, callout, call, places.get(callout.site or "")),
        )
        for callout, call in rows
    ]


def _text(
    services: Services, callout: AedCallout, call: AedCallRow, site: AedSite | None
) -> NotificationText:
    minutes = max(1, round(callout.predicted_s / 60))
    fetch, fetch_zh = "", ""
    if callout.role == "aed" and site is not None:
        fetch = f"Fetch the AED at {site.name} ({site.location}). "
        fetch_zh = f"請先取 {site.name_zh or site.name} 的 AED（{site.location}）。"
    public = services.settings.public_url.rstrip("/")
    link = f"\n{public}{_PAGE}" if public else ""
    title = one_line(f"心跳停止 AED 求救：{call.place_zh} / Heart stopped: {call.place}")
    near = f"您約 {minutes} 分鐘可到。You can be there in about {minutes} min."
    note = Note(
        title,
        f"{near}\n{fetch_zh}{fetch}",
        _PAGE,
        "zh-TW",
        "high",
        about=f"call {call.id}",
        actions=(Action("accepted", "接受 Accept", _PAGE),),
        at_ms=round(call.received.timestamp() * 1000),
    )
    return NotificationText(
        title,
        f"{fetch_zh}您約 {minutes} 分鐘可到。請開啟頁面回覆接受或無法前往。\n"
        f"{fetch}You can be there in about {minutes} min. Open the page to accept or decline."
        f"{link}",
        note,
    )
