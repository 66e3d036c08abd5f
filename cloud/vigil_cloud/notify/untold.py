"""Alerts that cannot be passed on: an administrator is told, for nobody else will be."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow, OutboxEntry
from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.alerts.platform_kinds import PlatformKind

KIND: PlatformKind = "alert-untold"


def tell_untold(session: Session, entry: OutboxEntry, error: str, now: datetime) -> None:
    """What follows from this row of the outbox could not be worked out. Idempotent. In the
    caller's transaction."""
    alert = session.get(AlertRow, entry.alert_id)
    if alert is None or alert.kind == KIND:  # it would tell of itself without end
        return
    raise_platform(
        session,
        KIND,
        alert.id,
        severity="critical" if entry.urgent else "major",
        title=f"An alert was told to nobody: {alert.domain}, {alert.device or alert.gateway}",
        title_zh=f"有一則警報未能通知任何人：{alert.domain}，{alert.device or alert.gateway}",
        now=now,
        detail={"explanation": error[:400]},
    )


def clear_told(session: Session, alert_ids: set[str], now: datetime) -> None:
    """These were passed on after all. One statement where nothing stands."""
    for row in standing(session, KIND):
        subject = str(row.detail["subject"])
        if subject in alert_ids:
            clear_platform(session, KIND, subject, now=now)
