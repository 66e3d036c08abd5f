"""Deadlines of cases as alerts: who works on cases of the kind is told as of anything else.

An alert of the kind's domain, in the case's district, for those roles alone that know of such
cases, with the case's number and nothing of its content. Where the domain's alerts are no role's
(a stolen thing's), it is for those who are let in to that case. It is raised when the deadline is
near, more severe once it is over, and over when the deadline is met.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.cases.models import CaseDeadline, CaseRow
from vigil_cloud.cases.port import CaseKind, Words
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.domain.rights import opened
from vigil_cloud.identity.roles import Role
from vigil_schemas.types import isoformat_utc

KIND: Final = "case-deadline"
_BY_HAND: Final = Words("deadline set by hand", "自訂期限")
_log = structlog.get_logger(__name__)


def told(kind: CaseKind) -> frozenset[Role]:
    """Who hears of a case's deadlines: who may know of it and sees the domain's alerts; where no
    such role is, those whom the case itself opens them to."""
    domain = opened(kind.domain)
    return frozenset() if domain is None else _by_role(kind) or domain.case_roles


def _by_role(kind: CaseKind) -> frozenset[Role]:
    domain = opened(kind.domain)
    known = kind.sees | kind.on_request  # these know that it is there, and its number
    return frozenset() if domain is None else domain.alert_roles & known


def tell(
    session: Session, row: CaseRow, kind: CaseKind | None, deadline: CaseDeadline, now: datetime
) -> None:
    """It is near, or over. The caller has called ``feed.lock`` before."""
    roles = _by_role(kind) if kind is not None else frozenset()
    by_case = kind is not None and not roles and row.person_key is not None and bool(told(kind))
    if kind is None or not (roles or by_case):
        _log.warning("deadline-not-told", case=row.number, kind=row.kind)
        return
    over = deadline.due <= now
    words = next((one.words for one in kind.deadlines if one.code == deadline.code), _BY_HAND)
    due = f"{deadline.due.astimezone(CITY_ZONE):%Y-%m-%d %H:%M}"
    record(
        session,
        Occurrence(
            domain=kind.domain,
            reference=_reference(deadline),
            kind=KIND,
            gateway="",
            device="",
            title=f"Case {row.number}: {words.english} "
            + (f"was due on {due}" if over else f"is due on {due}"),
            title_zh=f"案件 {row.number}：{words.chinese}"
            + (f"已於 {due} 逾期" if over else f"將於 {due} 到期"),
            severity="major" if over else "minor",
            event_time=now,
            active=True,
            supersedes=True,
            only_for=roles or None,
            person_key=row.person_key if by_case else None,
            case_id=row.id if by_case else None,
            district=row.district,  # no device stands there that could say so
            detail={
                "case": row.id,
                "number": row.number,
                "deadline": deadline.code,
                "due": isoformat_utc(deadline.due),
                "assignee": row.assignee,
            },
        ),
        now,
    )


def met(session: Session, row: CaseRow, deadline: CaseDeadline, now: datetime) -> None:
    """What was told of it is over. The caller has called ``feed.lock`` before."""
    over = Occurrence(
        domain=row.domain,
        reference=_reference(deadline),
        kind=KIND,
        gateway="",
        device="",
        title="",
        title_zh="",
        severity="info",
        event_time=now,
        active=False,
        ended=now,
    )
    if session.scalar(select(AlertRow.active).where(AlertRow.key == over.key)):
        record(session, over, now)


def _reference(deadline: CaseDeadline) -> str:
    return f"{KIND}:{deadline.id}"
