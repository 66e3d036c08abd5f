"""Which channels there are, and taking one away."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.api_errors import NotFound
from vigil_cloud.database.changes import CHANNELS, announce
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import Account
from vigil_cloud.notify.escalation import policies
from vigil_cloud.notify.escalation.waking import wake_all
from vigil_cloud.notify.models import Channel


class ChannelEntry(BaseModel):
    """A channel without its address, which may hold a password."""

    name: str
    account: str | None
    role: str | None
    domains: list[str]
    minimum: str
    escalate_after_s: float
    enabled: bool


class ChannelList(BaseModel):
    """By name."""

    channels: list[ChannelEntry]


def channels(session: Session) -> list[ChannelEntry]:
    """Every channel."""
    rows = session.execute(
        select(Channel, Account.username)
        .outerjoin(Account, Account.id == Channel.account_id)
        .order_by(Channel.name)
    )
    return [
        ChannelEntry(
            name=channel.name,
            account=username,
            role=channel.role,
            domains=channel.domains,
            minimum=channel.minimum,
            escalate_after_s=channel.escalate_after_s,
            enabled=channel.enabled,
        )
        for channel, username in rows
    ]


def remove_channel(session: Session, name: str, *, by: str, now: datetime) -> None:
    """With what waits to be told. One that settings or an account's e-mail give comes back as
    long as they do. Raises ``NotFound``."""
    feed.lock(session)  # before the channel, as whoever sends does
    channel = session.scalar(select(Channel).where(Channel.name == name))
    if channel is None:
        raise NotFound(f"There is no channel {name!r}.")
    session.execute(delete(Channel).where(Channel.id == channel.id))
    announce(session, CHANNELS[0], (CHANNELS[1],))
    wake_all(session, now)  # its deliveries are gone, and nobody answers for them
    policies.check(session, now)
    audit.append(session, at=now, account=by, action="channel.removed", subject=name)
