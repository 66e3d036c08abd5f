"""The dead-letter table: what was refused, within each sender's share.

Where a gateway has used up its share, its own oldest letters go, never another's; those that
concern an alarm have a share of their own, so that a flood of others cannot push them out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.capacity.dropped import Kind, count_dropped
from vigil_cloud.capacity.limits import Quotas, dead_letter_share
from vigil_cloud.database.upsert import insert, table_of
from vigil_cloud.ingest.salvage import concerns_alarm
from vigil_cloud.refusals.models import DEAD_LETTER_BYTES, DeadLetter
from vigil_schemas.topics import MAX_MESSAGE_BYTES

_ROW_BYTES: Final = 512
"""What a row costs beside its payload and its detail."""
_OFTEN: Final = 16
"""Everybody's share is looked at after each sixteenth of it."""
_BEYOND: Final[dict[str, Kind]] = {
    "too-many-devices": "devices",
    "too-many-parameters": "parameters",
}
"""Reasons that are a share of their own."""
_KINDS: Final[dict[bool, Kind]] = {False: "dead-letters", True: "alarm-dead-letters"}


class Letter(NamedTuple):
    """A message to be set aside."""

    gateway: str
    topic: str
    payload: bytes
    reason: str
    detail: str
    received: datetime


class DeadLetters:
    """Belongs to one thread."""

    def __init__(self, quotas: Quotas, disk_bytes: int | None = None) -> None:
        """``disk_bytes`` of the disk that the database lies on, where we know it."""
        self._quotas = quotas
        self._share = dead_letter_share(quotas, disk_bytes)
        self._uncounted = self._share.everybody
        """Set aside since everybody's share was looked at: that means reading all of an index."""

    def write(self, session: Session, letters: Sequence[Letter], now: datetime) -> list[bool]:
        """Set messages aside, the same one again only counts; then hold every share. Returns of
        each whether the same was there before."""
        if not letters:
            return []
        again: list[bool] = []
        for letter in letters:
            size, count = _set_aside(session, letter, now)
            self._uncounted += size
            again.append(count > 1)
            if (kind := _BEYOND.get(letter.reason)) is not None:
                gateway = storable_text(letter.gateway)
                count_dropped(session, gateway, kind, 1, len(letter.payload), now)
        quotas, share = self._quotas, self._share
        for gateway in sorted({storable_text(letter.gateway) for letter in letters}):
            _trim(session, gateway, False, quotas.dead_letters, share.ordinary, now)
            _trim(session, gateway, True, quotas.alarm_dead_letters, share.alarm, now)
        if self._uncounted * _OFTEN >= share.everybody:
            _hold_everybody(session, share.everybody, now)
            self._uncounted = 0
        return again


def is_dead_letter(session: Session, topic: str, payload: bytes) -> bool:
    """Whether this very message was set aside before."""
    same = select(DeadLetter.id).where(
        DeadLetter.topic == _topic(topic),
        DeadLetter.digest == hashlib.sha256(payload).hexdigest(),
    )
    return session.scalar(same) is not None


def _topic(topic: str) -> str:
    return storable_text(topic)[:512]


def _set_aside(session: Session, letter: Letter, now: datetime) -> tuple[int, int]:
    """Returns the bytes that it may have taken, and how often it has come."""
    alarm = concerns_alarm(letter.topic, letter.payload)
    # Of an alarm everything: it is what is replayed once it can be read.
    payload = letter.payload[: MAX_MESSAGE_BYTES if alarm else DEAD_LETTER_BYTES]
    detail = storable_text(letter.detail)[:2000]
    kept = len(payload) + len(detail) + _ROW_BYTES
    statement = insert(session, DeadLetter).values(
        gateway=storable_text(letter.gateway),
        topic=_topic(letter.topic),
        reason=letter.reason,
        detail=detail,
        payload=payload,
        size=len(letter.payload),
        kept=kept,
        alarm=alarm,
        digest=hashlib.sha256(letter.payload).hexdigest(),
        first_received=letter.received,
        last_received=now,
        count=1,
    )
    count = session.scalar(
        statement.on_conflict_do_update(
            index_elements=["topic", "digest"],
            set_={
                "count": table_of(DeadLetter).c.count + 1,
                "last_received": now,
                "reason": statement.excluded.reason,
                "detail": statement.excluded.detail,
                "settlement": None,
                "settled": None,
                "settled_by": None,
            },
        ).returning(table_of(DeadLetter).c.count)
    )
    return kept, int(count or 1)


def _hold_everybody(session: Session, most_bytes: int, now: datetime) -> None:
    """Whoever has most loses its oldest; alarms' letters go only once there are no others."""
    columns = table_of(DeadLetter).c
    total = func.coalesce(func.sum(columns.kept), 0)
    used = int(session.scalar(select(total)) or 0)
    for alarm in (False, True):
        while used > most_bytes:
            fullest = session.execute(
                select(columns.gateway, total)
                .where(columns.alarm.is_(alarm))
                .group_by(columns.gateway)
                .order_by(total.desc(), columns.gateway)
                .limit(1)
            ).first()
            if fullest is None:
                break
            gateway, has = fullest[0], int(fullest[1])
            # At least an eighth at a time, so that many small senders do not take many rounds.
            left = min(max(0, has - (used - most_bytes)), has - has // 8 - 1)
            used -= _trim(session, gateway, alarm, None, max(0, left), now)


def _trim(
    session: Session, gateway: str, alarm: bool, most: int | None, most_bytes: int, now: datetime
) -> int:
    """Drop the oldest of one gateway's beyond so many and so much; returns the bytes dropped."""
    columns = table_of(DeadLetter).c
    own = (columns.gateway == gateway, columns.alarm.is_(alarm))
    count, used = session.execute(
        select(func.count(), func.coalesce(func.sum(columns.kept), 0)).where(*own)
    ).one()
    over, over_bytes = (0 if most is None else count - most), used - most_bytes
    if over <= 0 and over_bytes <= 0:
        return 0
    surplus: list[int] = []
    dropped = 0
    oldest = select(columns.id, columns.kept).where(*own)
    for number, kept in session.execute(oldest.order_by(columns.last_received, columns.id)):
        if len(surplus) >= over and dropped >= over_bytes:
            break
        surplus.append(number)
        dropped += kept
    for start in range(0, len(surplus), 500):
        some = columns.id.in_(surplus[start : start + 500])
        session.execute(delete(table_of(DeadLetter)).where(some))
    count_dropped(session, gateway, _KINDS[alarm], len(surplus), dropped, now)
    return dropped


def storable_text(text: str) -> str:
    """PostgreSQL's text holds no NUL, and neither database takes half a surrogate pair."""
    return text.replace("\0", "�").encode(errors="replace").decode()
