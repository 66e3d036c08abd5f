"""Which condition an event speaks of, where a gateway uses an ``alarm_id`` more than once.

The contract has one ``alarm_id`` for one condition from its activation to its clearing. Firmware
that names an alarm after its room says the same one with every fire, and on every device. Taken
by its name alone the second fire would be the first one once more, which is over: told to nobody.
So a name counts with its device and its condition, and an activation that began after the clearing
is a new one.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.verdict import AnyAlarm
from vigil_schemas.smoke import SmokeAlarm

_MICROSECONDS: Final = 1_000_000


def row_of(
    session: Session, gateway: str, device: str, event: AnyAlarm
) -> tuple[str, AlarmCondition | None]:
    """The id of the condition that the event speaks of, and its row where there is one."""
    plain = f"{gateway}:{event.alarm_id}"
    first = session.get(AlarmCondition, plain)
    if first is None:
        return plain, None
    stem = stem_of(gateway, device, event)
    known = list(
        session.scalars(
            select(AlarmCondition).where(
                AlarmCondition.device == device, AlarmCondition.id.startswith(stem, autoescape=True)
            )
        )
    )
    if (first.device, first.condition) == (device, event.condition):
        known.append(first)
    if not event.active:
        ends = _ended_by(known, event.since)
        return (ends.id, ends) if ends is not None else (f"{stem}{_number(event.since)}", None)
    began = _began(event)
    same = _activated_by(known, began)
    return (same.id, same) if same is not None else (f"{stem}{_number(began)}", None)


def stem_of(gateway: str, device: str, event: AnyAlarm) -> str:
    """How the ids of further conditions begin that go by this one's ``alarm_id``."""
    return f"{gateway}:{_digest(event.alarm_id, device, event.condition)}."


def further_stem(condition_id: str) -> str:
    """Such an id's stem; empty where it is none."""
    stem, dot, _ = condition_id.rpartition(".")
    return f"{stem}{dot}"


def _activated_by(known: list[AlarmCondition], began: datetime) -> AlarmCondition | None:
    """The condition that this is an activation of; ``None``: of a new one."""
    same = [row for row in known if row.activated == began]
    lasting = [row for row in known if row.cleared is None]
    if same or lasting:
        return max(same or lasting, key=_order)
    return next((row for row in sorted(known, key=_order) if not _is_later(began, row)), None)


def _is_later(began: datetime, row: AlarmCondition) -> bool:
    """Whether what began then began after this condition was over."""
    if row.cleared is None:  # it lasts
        return False
    if row.activated is None:  # its activation is still on its way
        return began > row.cleared
    return began >= row.cleared and began > row.activated


def _ended_by(known: list[AlarmCondition], ended: datetime) -> AlarmCondition | None:
    """The condition that this is the clearing of: the newest that had begun by then."""
    begun = [row for row in known if row.activated is not None and row.activated <= ended]
    if begun:
        return max(begun, key=_order)
    return min(known, key=_order, default=None)


def _began(event: AnyAlarm) -> datetime:
    """An old report is of its own time, however late it comes."""
    reported = event.unconfirmed_since if isinstance(event, SmokeAlarm) else None
    return reported or event.since


def _order(row: AlarmCondition) -> datetime:
    began = row.activated or row.cleared
    assert began is not None  # noqa: S101 - a row has one of them from its first event on
    return began


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _number(moment: datetime) -> str:
    return f"{round(moment.timestamp() * _MICROSECONDS):x}"
