"""Which events were taken before, so that the same fact told twice is taken once.

An event is known by its id, which its gateway draws. Firmware that counts its messages from 1 at
each start, or keeps an id for each device, draws the same one for the next alarm: on its lane
what was taken under an id counts with it, and something else under the same id is taken, marked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final, Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from vigil_cloud.database.upsert import insert_into
from vigil_cloud.domain.registry import alarm_reading
from vigil_cloud.ingest.decode import Fact
from vigil_cloud.ingest.models import TakenEvent

USED_AGAIN: Final = "id: its gateway used it before, for something else"
_DIGITS: Final = 32


@cache
def _noting(dialect: str) -> ReturningInsert[str]:
    """Made once: for every event, and to make a statement costs more than to run it."""
    statement = insert_into(dialect, TakenEvent)
    return statement.on_conflict_do_nothing().returning(TakenEvent.event_id)


@cache
def _noting_all(dialect: str) -> ReturningInsert[str, str]:
    statement = insert_into(dialect, TakenEvent)
    return statement.on_conflict_do_nothing().returning(TakenEvent.gateway, TakenEvent.event_id)


def note(session: Session, fact: Fact, now: datetime) -> Literal["new", "id-used-again", "known"]:
    """Write down that it is taken; what it is to us."""
    said = _said(fact)
    row = {"gateway": fact.gateway, "event_id": fact.envelope.id, "taken": now, "said": said}
    added = session.execute(_noting(session.get_bind().dialect.name), row)
    if added.first() is not None:
        return "new"
    if said is None:
        return "known"
    other = session.execute(
        update(TakenEvent)
        .where(
            TakenEvent.gateway == fact.gateway,
            TakenEvent.event_id == fact.envelope.id,
            TakenEvent.said != said,  # and not where it is null: taken by an older release
        )
        .values(said=said)
        .returning(TakenEvent.event_id)
        .execution_options(synchronize_session=False)
    )
    return "known" if other.first() is None else "id-used-again"


def note_all(session: Session, facts: Sequence[Fact], now: datetime) -> set[tuple[str, str]]:
    """The same of several, with one statement: gateway and id of those that nobody had taken.
    No two of them share an id."""
    rows = [
        {
            "gateway": fact.gateway,
            "event_id": fact.envelope.id,
            "taken": now,
            "said": _said(fact),
        }
        for fact in facts
    ]
    added = session.execute(_noting_all(session.get_bind().dialect.name), rows)
    return {(gateway, event_id) for gateway, event_id in added}


def is_new(session: Session, fact: Fact) -> bool:
    """Whether ``note`` would find it to be anything but known."""
    found = session.execute(
        select(TakenEvent.said).where(
            TakenEvent.gateway == fact.gateway, TakenEvent.event_id == fact.envelope.id
        )
    ).first()
    said = _said(fact)
    return found is None or (said is not None and found[0] is not None and found[0] != said)


def _said(fact: Fact) -> str | None:
    """``None`` where the id alone counts: of what is no alarm, and of an alarm that could not be
    read whole, in which the time of receipt may stand for one that was said."""
    reading = alarm_reading(fact.envelope.type)
    if reading is None or "shape_doubtful" in fact.marks:
        return None
    data = fact.envelope.data
    said = [data.get(key) for key in reading.says]
    # Left out where there is none: most alarms are known by what they were known by before.
    further = {key: data[key] for key in reading.further if data.get(key)}
    text = json.dumps([fact.envelope.subject, *said, *([further] if further else ())])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
