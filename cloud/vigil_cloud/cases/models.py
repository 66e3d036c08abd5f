"""Tables of cases. What people wrote (titles, notes, reasons, captions) is sealed by column:
under the person's own key where the case is about somebody, else under the secret key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base, Sealed


class CaseRow(Base):
    """One case. ``version`` rises with each change; whoever acts names the one they looked at."""

    __tablename__ = "cases"
    __table_args__ = (
        Index("ix_cases_order", "opened", "id"),
        Index("ix_cases_kind_order", "kind", "opened", "id"),
        Index("ix_cases_assignee_order", "assignee", "opened", "id"),
        Index("ix_cases_due_order", "due", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[str] = mapped_column(String(16), unique=True)
    """As people say it: the year it was opened in and a running number, ``2026-000042``."""
    version: Mapped[int] = mapped_column(default=1)
    domain: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(40))
    title: Mapped[bytes | None] = mapped_column(Sealed("case.title"))
    """What the opener called it, where they did."""
    label: Mapped[str] = mapped_column(String(300))
    """What it is called else: as its first alert, or as its kind. Tells of nobody."""
    label_zh: Mapped[str] = mapped_column(String(300))

    state: Mapped[str] = mapped_column(String(16))
    opened: Mapped[datetime]
    opened_by: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime]
    """In this state since."""
    assignee: Mapped[str | None] = mapped_column(String(64))
    round: Mapped[int] = mapped_column(default=1)
    fresh_from: Mapped[int] = mapped_column(default=1)
    outcome: Mapped[str | None] = mapped_column(String(40))
    amount_twd: Mapped[int | None]
    resolution: Mapped[str | None] = mapped_column(String(40))
    due: Mapped[datetime | None]
    """The first deadline that is not met."""
    kept_until: Mapped[datetime | None] = mapped_column(index=True)
    """Of a closed case: when it is removed; ``None``: never, or not closed."""

    district: Mapped[str | None] = mapped_column(String(40))
    """Where it is; who is limited to districts sees those of theirs, and what they were given."""
    person_key: Mapped[str | None] = mapped_column(String(64), index=True)
    erased: Mapped[bool] = mapped_column(default=False)
    """The person was erased: what was written about them is gone, the steps stay."""
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)


class CaseCounter(Base):
    """The last running number of each year. A number is never given twice."""

    __tablename__ = "case_counters"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class CaseAlert(Base):
    """An alert belongs to one case at most. It is kept as long as its case."""

    __tablename__ = "case_alerts"

    alert_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), index=True)
    added: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(64))


class CaseEvent(Base):
    """What happened to a case: only ever appended. ``audit`` is its line in the audit chain, which
    holds a salted digest of it: a line changed afterwards is found (``history.verify``)."""

    __tablename__ = "case_events"
    __table_args__ = (UniqueConstraint("case_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    number: Mapped[int]
    """1, 2, 3, … within the case."""
    version: Mapped[int]
    """The case's version after it."""
    at: Mapped[datetime]
    account: Mapped[str | None] = mapped_column(String(64))
    """``None``: the platform itself."""
    action: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Codes, numbers, times, user names of staff. Nothing that somebody wrote."""
    text: Mapped[bytes | None] = mapped_column(Sealed("case.text"))
    salt: Mapped[str | None] = mapped_column(String(32))
    """Without it the digest in the audit chain tells nothing; erased with the text."""
    audit: Mapped[int] = mapped_column(Integer)


class CaseVote(Base):
    """One person's decision in one round; the reason is the text of its event."""

    __tablename__ = "case_votes"
    __table_args__ = (UniqueConstraint("case_id", "round", "account"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    round: Mapped[int]
    account: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(40))
    amount_twd: Mapped[int | None]
    entries: Mapped[bytes | None] = mapped_column(Sealed("case.entries"))
    """What was written down beside the outcome (``entries.py``)."""
    event: Mapped[int]
    """Number of its event within the case."""


class CasePhotograph(Base):
    """A photograph as it is kept: metadata and location removed. The object is encrypted under
    ``key``, so that whoever has the object store alone, or an old backup of it, has noise."""

    __tablename__ = "case_photographs"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), index=True)
    event: Mapped[int]
    object_name: Mapped[str] = mapped_column(String(200))
    key: Mapped[bytes | None] = mapped_column(Sealed("case.photograph"))
    media_type: Mapped[str] = mapped_column(String(40))
    size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    received_sha256: Mapped[str] = mapped_column(String(64))
    """Of the file as it was sent, before anything was removed from it."""
    location_removed: Mapped[bool]
    taken: Mapped[datetime | None]
    """By the camera's own clock; its event says where the zone is assumed."""
    added: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(64))


class CaseDeadline(Base):
    """Something is to be done by then."""

    __tablename__ = "case_deadlines"
    __table_args__ = (Index("ix_case_deadlines_open", "met", "due"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), index=True)
    code: Mapped[str] = mapped_column(String(40))
    """Of the kind's own rule, or ``custom``: then its event's text says what."""
    event: Mapped[int]
    due: Mapped[datetime]
    remind: Mapped[datetime]
    reminded: Mapped[datetime | None]
    overdue: Mapped[datetime | None]
    """When it was told that it is over."""
    met: Mapped[datetime | None]


class CaseAccess(Base):
    """An account was let in to one case by name: as its opener, with a reason until a moment, or
    both. It opens nothing to whoever no longer holds the role for it (``cases.visibility``)."""

    __tablename__ = "case_access"
    __table_args__ = (UniqueConstraint("case_id", "account"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    account: Mapped[str] = mapped_column(String(64), index=True)
    opener: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Opened it, or reported once more what it is about."""
    until: Mapped[datetime | None]
    """Asked with a reason, and sees it until then."""


class CaseRequest(Base):
    """An ``Idempotency-Key`` that was used: the same request again does nothing more."""

    __tablename__ = "case_requests"

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    case_id: Mapped[str] = mapped_column(String(36))
    at: Mapped[datetime] = mapped_column(index=True)
