"""Which channels hear of an alert, and when: rows written in the alert's own transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts.domains import PLATFORM
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform_kinds import HOME_KINDS
from vigil_cloud.alerts.visibility import ROLES, may_see
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader, consented_accounts
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.models import Channel, Delivery
from vigil_schemas import smoke

SEVERITIES: Final = ("info", "minor", "major", "critical")
REMINDER: Final = "reminder"
"""The round of a delivery that says: it still stands. It is queued again and again."""
MAINTAINERS: Final = ROLES[PLATFORM]
CHANNEL_FAILING: Final = "channel-failing"
SETTLE: Final = timedelta(seconds=60)
"""So long a platform alert waits before it is told: what is over meanwhile is told to nobody, and
what befalls many gateways at once is told in one message."""
_CHANNELS: Final = (
    select(Channel, Account)
    .outerjoin(Account, Account.id == Channel.account_id)
    .order_by(Channel.id)
)


def enqueue(
    session: Session, alert: AlertRow, now: datetime, *, round: str = "", home_of: str = ""
) -> None:
    """One delivery per channel that may and wants to hear of it; ``round``: why again.
    ``home_of``: only the home's that this device is of.

    Channels that escalate are due later; whether they are still needed is decided then.
    The number of statements does not grow with the number of channels.
    """
    hearers = Hearers(session, alert, now)
    soonest = now + (SETTLE if alert.domain == PLATFORM else timedelta())
    rows = [
        {
            "alert_id": alert.id,
            "channel_id": channel.id,
            "state": "waiting",
            "queued": now,
            "round": round,
            "due": soonest + timedelta(seconds=channel.escalate_after_s),
            "escalation": channel.escalate_after_s > 0,
        }
        for channel, account in session.execute(_CHANNELS.where(Channel.enabled))
        if (not home_of or home_of in channel.devices)
        and wants(channel, alert)
        and hearers.include(channel, account)
    ]
    if rows:
        session.execute(insert(Delivery), rows)


def rearm(session: Session, alert: AlertRow, now: datetime) -> None:
    """The alert is open again: whom nobody told, because it was over, is told now."""
    session.execute(
        update(Delivery)
        .where(Delivery.alert_id == alert.id, Delivery.reason == "over")
        .values(state="waiting", due=now + SETTLE, queued=now, attempts=0, reason=None, error=None)
    )


def wake(session: Session, alert: AlertRow, now: datetime) -> None:
    """The alert is no longer shelved or out of service: what waited for that is looked at now."""
    session.execute(
        update(Delivery)
        .where(
            Delivery.alert_id == alert.id,
            Delivery.state == "waiting",
            Delivery.reason.in_(("shelved", "out-of-service")),
        )
        .values(due=now)
    )


def wants(channel: Channel, alert: AlertRow) -> bool:
    """Domain and severity as subscribed; only critical alerts escalate."""
    if channel.domains and alert.domain not in channel.domains:
        return False
    if channel.escalate_after_s > 0 and alert.severity != "critical":
        return False
    return SEVERITIES.index(alert.severity) >= SEVERITIES.index(channel.minimum)


def allowed(session: Session, channel: Channel, alert: AlertRow, now: datetime) -> bool:
    """Whether the channel may hear of this alert now. Asked again just before sending."""
    account = session.get(Account, channel.account_id) if channel.account_id else None
    return Hearers(session, alert, now).include(channel, account)


class Hearers:
    """Which channels may hear of one alert at one moment; asks the database once for each thing
    that the question needs, however many channels there are."""

    def __init__(self, session: Session, alert: AlertRow, now: datetime) -> None:
        self._session, self._alert, self._now = session, alert, now

    def include(self, channel: Channel, account: Account | None) -> bool:
        """A home's own channel hears of the home; any other of what its owner may see."""
        if channel.account_id is not None and (account is None or not account.active):
            return False
        if self._alert.kind == CHANNEL_FAILING and self._alert.detail["subject"] == channel.name:
            return False  # it would not hear that it hears nothing
        if channel.devices:
            return self._concerns(channel)
        if self._alert.audience == "home":
            return False
        reader = self._owner(channel, account)
        if self._alert.audience == "home-and-maintainers" and not reader.has(*MAINTAINERS):
            return False
        return may_see(reader, self._alert.domain, self._alert.person_key)

    def _concerns(self, home: Channel) -> bool:
        if self._alert.person_key is not None:
            return False  # whereabouts are opened by consents alone
        if self._alert.device in home.devices:
            return True
        if self._alert.kind == MANY and not set(home.devices).isdisjoint(
            self._alert.detail["devices"]
        ):
            return True
        here = self._alert.gateway in {self._gateways.get(device) for device in home.devices}
        if self._alert.domain == PLATFORM:
            return here and not self._alert.device and self._alert.kind in HOME_KINDS
        # An alarm that nobody has given to a home yet rings in one of those on its gateway.
        return here and self._alert.domain == smoke.DOMAIN and not self._given

    @cached_property
    def _gateways(self) -> dict[str, str]:
        rows = self._session.execute(
            select(Device.device, Device.gateway).where(Device.gateway == self._alert.gateway)
        )
        return {row.device: row.gateway for row in rows}

    @cached_property
    def _given(self) -> bool:
        homes = self._session.scalars(select(Channel.devices).where(Channel.enabled))
        return any(self._alert.device in devices for devices in homes)

    @cached_property
    def _consented(self) -> frozenset[int]:
        if self._alert.person_key is None:
            return frozenset()
        return consented_accounts(self._session, self._alert.person_key, self._now)

    def _owner(self, channel: Channel, account: Account | None) -> Reader:
        if account is None:
            assert channel.role is not None  # noqa: S101 - the table's own check
            return Reader(0, f"role:{channel.role}", frozenset({Role(channel.role)}))
        person = self._alert.person_key
        roles = frozenset(Role(role) for role in account.roles)
        told = person is not None and Role.FAMILY in roles and account.id in self._consented
        consented = frozenset({person}) if told and person is not None else frozenset[str]()
        return Reader(account.id, account.username, roles, consented)
