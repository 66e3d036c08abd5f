"""Where notifications go, what became of each, and how alerts that a policy answers for go on."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
    inspect,
)
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SCHEDULED, SINCE, Base, Sealed
from vigil_cloud.database.changes import CHANNELS, Kind

Purpose = Literal["raised", "again", "reminder", "escalated", "all-clear", "closed", "stood-down"]
"""Why an alert is told. ``again``: more is known. ``reminder``: it still stands and nobody has
acknowledged it; queued again and again. ``escalated``: a step of a policy. ``all-clear``: it is
over. ``closed``: what was to be done is done. ``stood-down``: nobody needs to come (any more)."""
FollowUp = Literal["all-clear", "closed"]
STOOD_DOWN: Final[Purpose] = "stood-down"
FOLLOW_UPS: Final = frozenset({*get_args(FollowUp), STOOD_DOWN})
"""Told to those who were told before: the last to all of them, the others to who asked for it."""
REMINDER: Final[Purpose] = "reminder"
_PACE: Final = frozenset({"paced", "held_until", "failing_since", "failures"})


class Channel(Base):
    """One address of one account or of everybody with one role.

    What it is told is what its owner may see; a role has no consents, so a
    person's whereabouts go to account channels only.
    """

    __tablename__ = "channels"
    __table_args__ = (CheckConstraint("(account_id IS NULL) <> (role IS NULL)", name="one_owner"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    url: Mapped[bytes] = mapped_column(Sealed("channel.url"))
    """Apprise address, sealed: it may hold a password."""
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    role: Mapped[str | None] = mapped_column(String(16))
    domains: Mapped[list[str]] = mapped_column(JSON)
    """Empty: every domain that the owner may see."""
    minimum: Mapped[str] = mapped_column(String(16), default="info")
    """Least severity."""
    escalate_after_s: Mapped[float] = mapped_column(Float, default=0.0)
    """0: told at once. Else told only of what nobody acknowledged for so long."""
    language: Mapped[str] = mapped_column(String(8), default="zh-TW")
    enabled: Mapped[bool] = mapped_column(default=True)
    paced: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    held_until: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    failing_since: Mapped[datetime | None] = mapped_column(info=SINCE)
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    """These four: see ``notify.pacing``."""
    follow_ups: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Further purposes that it is told of what it was told before; see ``FollowUp``."""
    kind: Mapped[str | None] = mapped_column(String(16))
    """As policies name it (``escalation.policy.ChannelKind``); ``None``: not worked out yet."""
    hook_secret: Mapped[bytes | None] = mapped_column(Sealed("channel.hook_secret"))
    """Of a web hook: what its messages and its answers are signed with (``hook_signatures``)."""
    devices: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Not empty: a home's own channel, told of these devices and of whatever hangs on their
    gateway, whatever its owner may see otherwise."""

    def announces(self) -> tuple[Kind, str] | None:
        """That who hears of what has changed; how the channel does right now changes nothing."""
        state = inspect(self)
        deleted = state.session is not None and self in state.session.deleted
        own = (one for one in state.attrs if one.key not in _PACE)
        return CHANNELS if deleted or any(one.history.has_changes() for one in own) else None


class ReplyLink(Base):
    """A one-time right to answer one alert in the name of one channel; see ``reply_links``.

    The token itself is nowhere: it is made of ``nonce`` under the secret key each time a message
    is composed, and looked up by its digest.
    """

    __tablename__ = "reply_links"
    __table_args__ = (
        Index("ix_reply_links_alert_channel", "alert_id", "channel_id"),
        UniqueConstraint("channel_id", "request_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    nonce: Mapped[str] = mapped_column(String(32))
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"))
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    answers: Mapped[list[str]] = mapped_column(JSON)
    """What may be answered with it."""
    created: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(index=True, info=SINCE)
    used: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(String(16))
    """What was answered with it."""
    request_id: Mapped[str | None] = mapped_column(String(80))
    """Of the web hook's request that used it: the same one sent twice is one answer."""


class Delivery(Base):
    """One alert on its way to one channel: one row for each purpose and step of it."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("alert_id", "channel_id", "purpose", "step"),
        Index("ix_deliveries_due", "state", "due"),
        Index("ix_deliveries_told", "channel_id", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    """``waiting``, ``sent``, ``failed`` (given up) or ``skipped`` (no longer needed or allowed)."""
    attempts: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime] = mapped_column(info=SCHEDULED)
    purpose: Mapped[str] = mapped_column(String(16), default="raised", server_default="raised")
    """See ``Purpose``."""
    step: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """Tells deliveries of one purpose apart: why it is told again, which step of a policy."""
    escalation: Mapped[bool] = mapped_column(default=False)
    queued: Mapped[datetime | None]
    """When it was announced; an acknowledgement from before says nothing of it."""
    unanswered: Mapped[int] = mapped_column(default=0, server_default="0")
    perhaps_told: Mapped[bool] = mapped_column(default=False, server_default=false())
    leased_until: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    reason: Mapped[str | None] = mapped_column(String(24))
    """See ``notify.progress.Reason``."""
    at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(300))


class EscalationPolicy(Base):
    """Who is called of which alerts, step by step, as somebody wrote it down.

    The columns from ``household`` to ``severity`` say which alerts it answers for; an empty one
    says nothing. No two policies answer for the same.
    """

    __tablename__ = "escalation_policies"
    __table_args__ = (UniqueConstraint("household", "district", "kind", "domain", "severity"),)

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """See ``escalation.policy.Policy``."""
    household: Mapped[str] = mapped_column(String(48), default="")
    district: Mapped[str] = mapped_column(String(40), default="")
    kind: Mapped[str] = mapped_column(String(40), default="")
    domain: Mapped[str] = mapped_column(String(32), default="")
    severity: Mapped[str] = mapped_column(String(16), default="")
    changed: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(64))


class Escalation(Base):
    """How far the policy of one alert has got. ``version`` rises with each change: of two
    processes that read the same state one writes, and the other reads again."""

    __tablename__ = "escalations"

    alert_id: Mapped[str] = mapped_column(
        ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(default=0)
    policy: Mapped[str] = mapped_column(String(80))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The policy as it was when this round began; what is changed later counts for later ones."""
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    """See ``escalation.progress.State``."""
    due: Mapped[datetime | None] = mapped_column(index=True, info=SCHEDULED)
    """When it is to be looked at; ``None``: something has to happen first."""


class EscalationAnswer(Base):
    """What somebody said to an alert: kept for good, whoever says something else later."""

    __tablename__ = "escalation_answers"

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    who: Mapped[str] = mapped_column(String(96))
    """A user name, or ``channel NAME`` of whoever stands behind a channel without an account."""
    answer: Mapped[str] = mapped_column(String(16))
    """``accepted`` or ``declined``."""
    at: Mapped[datetime]
    via: Mapped[str] = mapped_column(String(16))
    """``page``, ``link`` or ``webhook``."""


class EndTold(Base):
    """What an account was told last of a right that ends: see ``ends_told``."""

    __tablename__ = "ends_told"
    __table_args__ = (UniqueConstraint("what", "account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(80))
    """``EndsSoon.what``."""
    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    ends: Mapped[datetime]
    """As it was then; what ends at another moment is told anew."""
    step: Mapped[str] = mapped_column(String(8))
    """``ends_soon.Step``."""
    at: Mapped[datetime]
    told: Mapped[str] = mapped_column(String(200))
    """How it went, as ``own_channels`` says it."""
    tries: Mapped[int]
    again: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    """When it is sent again after it failed."""


class PushKey(Base):
    """The one key that signs for push services (RFC 8292), made at its first use. Whoever had it
    replaced would end every browser's subscription."""

    __tablename__ = "push_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    """Always 1."""
    private: Mapped[bytes] = mapped_column(Sealed("push.private"))
    made: Mapped[datetime]


class PushSubscription(Base):
    """A browser that is told: its address is the channel's. Gone with the sign-in that it belongs
    to, the account, or when its service says so."""

    __tablename__ = "push_subscriptions"

    channel_id: Mapped[int] = mapped_column(
        ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    endpoint_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """Under the secret key: one browser is one subscription, and the table tells no address."""
    session_sha256: Mapped[str] = mapped_column(String(64), index=True)
    """Of the session in which it was asked for last. Not a foreign key: one that has run out by
    itself leaves a home its alarms; who signs out ends both."""
    since: Mapped[datetime | None] = mapped_column(info=SINCE)
    """When it was asked for last: whoever did so longest ago makes room. ``None``: before 0079."""
