"""Alerts that the platform raises about itself: the same life cycle, no event behind them.

State is the alert row itself, so that a restart forgets nothing: the key of a kind and its
subject names the latest alert of it, whether that stands or is over.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.flood import TITLE
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform_kinds import REMEDIES, PlatformKind
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.service import Occurrence, record, reopen
from vigil_cloud.domain.rights import PLATFORM
from vigil_schemas.types import isoformat_utc

REOPENED_WITHIN: Final = timedelta(minutes=10)
"""What comes back so soon is the same trouble, and told as such: once."""


def raise_platform(  # noqa: PLR0913 - columns of one row, all by name
    session: Session,
    kind: PlatformKind,
    subject: str,
    *,
    severity: Severity,
    title: str,
    title_zh: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
    gateway: str = "",
    device: str = "",
    since: datetime | None = None,
    news: bool = False,
    again: str | None = None,
) -> AlertRow:
    """Raise an alert of ``kind`` about ``subject`` (a gateway, a device, a channel, ``cloud``…).

    Idempotent: one that stands is left alone, but for a higher severity, which is told. One that
    was over for less than ten minutes is opened again. In the caller's transaction.
    ``subject``: at most 60 characters count. ``gateway`` and ``device`` say which homes are
    told (``HOME_KINDS``) and where the page leads. ``news``: not the trouble that stands but
    another one like it, of which everybody is told again once somebody acknowledged the first.
    ``again``: a reason for which everybody is told again of the trouble that stands, once.
    """
    feed.lock(session)
    occurrence = Occurrence(
        domain=PLATFORM,
        reference=f"{kind}:{subject[:60]}",
        kind=kind,
        gateway=gateway,
        device=device,
        title=title[:TITLE],
        title_zh=title_zh[:TITLE],
        severity=severity,
        event_time=since or now,
        active=True,
        supersedes=True,
        detail={
            **(detail or {}),
            "subject": subject,
            "remedy": REMEDIES[kind].english,
            "remedy_zh": REMEDIES[kind].chinese,
        },
        alert_id=str(uuid.uuid4()),
    )
    latest = _latest(session, occurrence.key)
    if latest is not None and not latest.active:
        over_for = now - latest.cleared if latest.cleared is not None else None
        # Over in the future: the clock was set back meanwhile, and nothing is known of between.
        if over_for is not None and timedelta() <= over_for < REOPENED_WITHIN:
            reopen(session, latest, now)
        else:
            latest.key = f"{occurrence.key}@{latest.id[:8]}"
            session.flush()
    elif news and latest is not None and latest.acknowledged:
        occurrence = replace(occurrence, tell_again=f"another at {isoformat_utc(now)}")
    if again is not None:
        occurrence = replace(occurrence, tell_again=again[:40])
    return record(session, occurrence, now)


def clear_platform(
    session: Session, kind: PlatformKind, subject: str, *, now: datetime, gateway: str = ""
) -> bool:
    """The trouble is over; ``False`` where no such alert stood. In the caller's transaction.

    ``gateway`` as when it was raised.
    """
    over = Occurrence(
        domain=PLATFORM,
        reference=f"{kind}:{subject[:60]}",
        kind=kind,
        gateway=gateway,
        device="",
        title="",
        title_zh="",
        severity="info",
        event_time=now,
        active=False,
        ended=now,
    )
    if not session.scalar(select(AlertRow.active).where(AlertRow.key == over.key)):
        return False  # asked without the feed's lock: nearly always so
    record(session, over, now)
    return True


def standing(session: Session, *kinds: PlatformKind) -> list[AlertRow]:
    """Platform alerts of these kinds that are not over."""
    query = select(AlertRow).where(
        AlertRow.domain == PLATFORM, AlertRow.kind.in_(kinds), AlertRow.active
    )
    return list(session.scalars(query.order_by(AlertRow.raised, AlertRow.id)))


def _latest(session: Session, key: str) -> AlertRow | None:
    return session.scalar(select(AlertRow).where(AlertRow.key == key))
