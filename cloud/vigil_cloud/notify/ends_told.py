"""Tells people, through their own channels, of rights of theirs that end: see ``ends_soon``.

One message for each account and round, whatever it names. How it went is kept for each right; what
failed is tried again after pauses that grow, until the next step or a week after the end.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.ends_soon import (
    LATE,
    Earlier,
    EndsSoon,
    Source,
    Step,
    Window,
    by_day,
    due,
)
from vigil_cloud.identity.models import Account
from vigil_cloud.notify import ends_untold
from vigil_cloud.notify.models import Channel, EndTold
from vigil_cloud.notify.own_channels import (
    AGAIN,
    NOWHERE,
    PAGE_ALONE,
    Addresses,
    addresses,
    next_try,
    tell_all,
)
from vigil_cloud.notify.text import NotificationText, one_line
from vigil_cloud.notify.web_push.note import Note
from vigil_cloud.services import Services

EVERY: Final = timedelta(minutes=10)
FIRST_AGAIN_S: Final = 600.0
LAST_AGAIN_S: Final = 6 * 3600.0
MOST_LINES: Final = 40
"""Rights that one message names; of more it tells the number."""
_KEPT: Final = 2 * LATE
_NO_MATTER: Final = timedelta(hours=1)
"""Of a clock that was set forward."""
"""After the end: what was told is forgotten then."""


@dataclass(frozen=True, slots=True)
class _Due:
    right: EndsSoon
    step: Step
    tries: int


@dataclass(frozen=True, slots=True)
class _Message:
    account: int
    rights: tuple[_Due, ...]
    addresses: Addresses
    text: NotificationText


def send_waiting(services: Services, stopping: threading.Event, sources: Sequence[Source]) -> int:
    """One round; returns how many accounts were told, or tried. By day alone, and not while the
    clock may be wrong by more than rights that end by days care for: who was told that a right
    ended is not told before it does."""
    now = services.now()
    with services.sessions() as session:
        if not ages_hold(session, now, _NO_MATTER):
            return 0
    _forget(services, now)
    if not by_day(now):
        return 0
    with services.sessions() as session:
        ending = _ending(session, services, sources, now)
        messages = _messages(session, services, _due(session, ending, now), now)

    def keep(session: Session, message: _Message, words: str) -> None:
        for one in message.rights:
            _keep(session, one, words, services.now())

    tried = tell_all(services, stopping, messages, keep)
    with writing(services.sessions) as session:
        changed = ends_untold.look(session, ending, services.now())
    if changed:
        services.changed.announce()
    return tried


def _ending(
    session: Session, services: Services, sources: Sequence[Source], now: datetime
) -> Sequence[EndsSoon]:
    """Of open accounts, what ends first before what ends later."""
    cipher, window = Cipher(services.settings.secret), Window.at(now)
    ending = [one for source in sources for one in source(session, cipher, window, now)]
    if not ending:
        return ()
    active = set(session.scalars(select(Account.id).where(Account.active)))
    return sorted(
        (one for one in ending if one.account_id in active), key=lambda one: (one.ends, one.what)
    )


def _due(
    session: Session, ending: Sequence[EndsSoon], now: datetime
) -> Mapping[int, Sequence[_Due]]:
    """By account."""
    known = _earlier(session) if ending else {}
    found: dict[int, list[_Due]] = defaultdict(list)
    for one in ending:
        told = due(one, known.get((one.what, one.account_id)), now)
        if told is not None:
            found[one.account_id].append(_Due(one, *told))
    return found


def _earlier(session: Session) -> Mapping[tuple[str, int], Earlier]:
    """Who had no channel and has one by now is told at once, and not with the next step alone."""
    rows = session.scalars(select(EndTold)).all()
    alone = {row.account_id for row in rows if row.told == PAGE_ALONE}
    query = select(Channel.account_id).where(Channel.account_id.in_(alone), Channel.enabled)
    reached = set(session.scalars(query)) if alone else set()
    return {
        (row.what, row.account_id): Earlier(
            Step(row.step), row.ends, _is_missed(row, reached), row.again, row.tries
        )
        for row in rows
    }


def _is_missed(row: EndTold, reached: Collection[int | None]) -> bool:
    return row.told.startswith(AGAIN) or (row.told == PAGE_ALONE and row.account_id in reached)


def _messages(
    session: Session, services: Services, found: Mapping[int, Sequence[_Due]], now: datetime
) -> Sequence[_Message]:
    own = addresses(session, services, set(found)) if found else {}
    return [
        _Message(account, tuple(rights), own.get(account, NOWHERE), _text(services, rights, now))
        for account, rights in found.items()
    ]


def _keep(session: Session, one: _Due, words: str, now: datetime) -> None:
    query = select(EndTold).where(
        EndTold.what == one.right.what, EndTold.account_id == one.right.account_id
    )
    row = session.scalar(query.with_for_update())
    if row is None:
        if session.get(Account, one.right.account_id) is None:
            return  # removed meanwhile
        row = EndTold(what=one.right.what, account_id=one.right.account_id)
        session.add(row)
    again = next_try(words, one.tries, now, FIRST_AGAIN_S, LAST_AGAIN_S)
    row.ends, row.step, row.at, row.told = one.right.ends, one.step.value, now, words[:200]
    row.tries, row.again = again.tries, again.at


def _forget(services: Services, now: datetime) -> None:
    old = EndTold.ends < now - _KEPT
    with services.sessions() as session:
        if session.scalar(select(EndTold.id).where(old).limit(1)) is None:
            return
    with writing(services.sessions) as session:
        session.execute(delete(EndTold).where(old))


def _text(services: Services, rights: Sequence[_Due], now: datetime) -> NotificationText:
    first = rights[0].right
    lines = [_line(one) for one in rights]
    title = one_line(_title(rights))
    said = [f"{chinese}\n{english}" for chinese, english in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        rest = len(lines) - MOST_LINES
        said.append(f"…另有 {rest} 項\n… and {rest} more")
    remedies = dict.fromkeys(one.right.remedy for one in rights)
    said += [f"{one.chinese}\n{one.english}" for one in remedies]
    body = "\n".join(said)
    public = services.settings.public_url.rstrip("/")
    note = Note(
        title,
        body,
        first.page,
        "zh-TW",
        "normal",
        about=f"ends {first.what}",
        at_ms=round(now.timestamp() * 1000),
    )
    return NotificationText(title, f"{body}\n{public}{first.page}" if public else body, note)


def _title(rights: Sequence[_Due]) -> str:
    if len(rights) == 1:
        return " / ".join(_line(rights[0]))
    count = len(rights)
    return f"{count} 項權限即將到期或已到期 / {count} rights end soon, or have ended"


def _line(one: _Due) -> tuple[str, str]:
    day = f"{one.right.ends.astimezone(CITY_ZONE):%Y-%m-%d %H:%M}"
    chinese, english = one.right.names
    if one.step is Step.OVER:
        return f"{chinese}已於 {day} 到期", f"{english} ended on {day}"
    return f"{chinese}將於 {day} 到期", f"{english} ends on {day}"
