"""A case's own history: only ever appended, each line bound into the audit chain.

The audit chain may hold nothing that a person wrote, for it is kept for good. So a line of it
holds a digest of the case's event, made with a random salt that stands beside the event: with the
event erased, the digest tells nothing; with the event changed, it does not fit.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.cases.models import CaseEvent, CaseRow
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import AuditEntry
from vigil_schemas.types import isoformat_utc

Action = Literal[
    "opened",
    "taken",
    "handed-over",
    "noted",
    "photograph-added",
    "alert-added",
    "decision-given",
    "decided",
    "referred",
    "closed",
    "appealed",
    "reopened",
    "deadline-set",
    "deadline-met",
    "deadline-near",
    "deadline-over",
    "access-given",
    "released",
]
TEXT: Final = "case.text"
"""What an event's text is sealed for."""
MOST: Final = 2000
"""Events of one case."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event as it is written: ``text`` in the clear, to be sealed."""

    action: Action
    account: str | None
    detail: Mapping[str, Any]
    text: str = ""


def next_number(session: Session, case_id: str) -> int:
    """The number of the case's next event."""
    last = session.scalar(select(func.max(CaseEvent.number)).where(CaseEvent.case_id == case_id))
    return (last or 0) + 1


def append(
    session: Session, row: CaseRow, number: int, said: Said, sealed: bytes | None, now: datetime
) -> CaseEvent:
    """One event and its line in the audit chain, in the caller's transaction."""
    salt = secrets.token_hex(16)
    event = CaseEvent(
        case_id=row.id,
        number=number,
        version=row.version,
        at=now,
        account=said.account,
        action=said.action,
        detail=dict(said.detail),
        text=sealed,
        salt=salt,
        audit=0,
    )
    event.audit = audit.append(
        session,
        at=now,
        account=said.account or "vigil",
        action=f"case.{said.action}",
        subject=row.id,
        person_key=row.person_key,
        detail={"case": row.number, "event": number, "digest": digest(event, said.text)},
    )
    session.add(event)
    session.flush()
    return event


def digest(event: CaseEvent, text: str) -> str:
    """What the audit chain holds of an event."""
    content = json.dumps(
        {
            "case": event.case_id,
            "number": event.number,
            "version": event.version,
            "at": isoformat_utc(event.at),
            "account": event.account,
            "action": event.action,
            "detail": event.detail,
            "text": text,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(f"{event.salt}\n{content}".encode()).hexdigest()


def broken(session: Session, events: Sequence[CaseEvent], texts: Mapping[int, str]) -> list[int]:
    """Numbers of events that are not what the audit chain says they were, or are missing.

    ``texts``: in the clear, by number. Events whose text was erased cannot be compared and are
    left out. The chain itself is verified by ``audit.verify``.
    """
    lines = {
        line.number: line.detail.get("digest")
        for line in session.scalars(
            select(AuditEntry).where(AuditEntry.number.in_([event.audit for event in events]))
        )
    }
    wrong = [
        event.number
        for event in events
        if event.salt is not None
        and event.audit in lines  # older lines may have been pruned by their retention
        and lines[event.audit] != digest(event, texts.get(event.number, ""))
    ]
    there = {event.number for event in events}
    missing = [number for number in range(1, max(there, default=0) + 1) if number not in there]
    return sorted(wrong + missing)
