"""Which channels hear of an alert, and when: rows written in the alert's own transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.visibility import may_see
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader, reader_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.models import Channel, Delivery

SEVERITIES: Final = ("info", "minor", "major", "critical")


def enqueue(session: Session, alert: AlertRow, now: datetime) -> None:
    """One delivery per channel that may and wants to hear of it.

    Channels that escalate are due later; whether they are still needed is decided then.
    """
    for channel in session.scalars(select(Channel).where(Channel.enabled).order_by(Channel.id)):
        if not wants(channel, alert) or not allowed(session, channel, alert, now):
            continue
        session.add(
            Delivery(
                alert_id=alert.id,
                channel_id=channel.id,
                state="waiting",
                attempts=0,
                due=now + timedelta(seconds=channel.escalate_after_s),
                escalation=channel.escalate_after_s > 0,
            )
        )


def wants(channel: Channel, alert: AlertRow) -> bool:
    """Domain and severity as subscribed; only critical alerts escalate."""
    if channel.domains and alert.domain not in channel.domains:
        return False
    if channel.escalate_after_s > 0 and alert.severity != "critical":
        return False
    return SEVERITIES.index(alert.severity) >= SEVERITIES.index(channel.minimum)


def allowed(session: Session, channel: Channel, alert: AlertRow, now: datetime) -> bool:
    """Whether the channel's owner may see this alert now. Asked again just before sending."""
    reader = owner(session, channel, now)
    return reader is not None and may_see(reader, alert.domain, alert.person_key)


def owner(session: Session, channel: Channel, now: datetime) -> Reader | None:
    """Whose rights the channel has; nobody's when the account is closed."""
    if channel.account_id is None and channel.role is not None:
        return Reader(0, f"role:{channel.role}", frozenset({Role(channel.role)}))
    account = session.get(Account, channel.account_id)
    return reader_of(session, account, now) if account is not None and account.active else None
