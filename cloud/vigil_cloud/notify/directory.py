"""Which channels may and want to hear of an alert: asked when it is planned, and before it is sent.

A directory is read once, with a few statements, for as many alerts as are worked on together.
Channels are grouped by what their owners may see, so that an alert costs as much as it has
hearers and not as there are accounts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, cast

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform_kinds import HOME_KINDS
from vigil_cloud.alerts.visibility import may_see, subject_of
from vigil_cloud.alerts.work import SEVERITIES
from vigil_cloud.devices.models import Device
from vigil_cloud.domain.registry import lives_lost
from vigil_cloud.domain.rights import PLATFORM, PLATFORM_ROLES, is_described, may
from vigil_cloud.identity.models import Account, Consent
from vigil_cloud.identity.reader import Home, Reader, districts_of, homes_of
from vigil_cloud.identity.rights import Operation
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.models import Channel

CHANNEL_FAILING: Final = "channel-failing"
_COLUMNS: Final = (
    Channel.id,
    Channel.name,
    Channel.account_id,
    Channel.role,
    Channel.domains,
    Channel.minimum,
    Channel.escalate_after_s,
    Channel.devices,
    Channel.follow_ups,
    Account.roles,
    Account.active,
)


@dataclass(frozen=True, slots=True)
class Hearer:
    """A channel without its address."""

    id: int
    name: str
    account_id: int | None
    domains: tuple[str, ...]
    minimum: str
    escalate_after_s: float
    devices: tuple[str, ...]
    """Of a home: its own channel hears of these, whatever its owner may see otherwise."""
    follow_ups: tuple[str, ...] = ()

    def wants(self, domain: str, severity: str) -> bool:
        """Domain and severity as subscribed; only critical alerts escalate."""
        if self.domains and domain not in self.domains:
            return False
        if self.escalate_after_s > 0 and severity != "critical":
            return False
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.minimum)


class Directory:
    """Everybody who can be told something, at one moment.

    ``persons``: those that the alerts in question are about. ``channel_id``: this one alone.
    """

    def __init__(
        self,
        session: Session,
        now: datetime,
        *,
        persons: Collection[str] = (),
        channel_id: int | None = None,
    ) -> None:
        self._session = session
        self._alone = channel_id is not None
        self._groups: dict[Reader, list[Hearer]] = defaultdict(list)
        """By what the owner may see but for consents, which are single persons'."""
        self._of_account: dict[int, list[tuple[Reader, Hearer]]] = defaultdict(list)
        self._homes: list[Hearer] = []
        self._at_home: dict[str, set[tuple[int, Home]]] = defaultdict(set)
        """By household and by device: the accounts that belong to it."""
        self._devices_of: dict[int, set[str]] = {}
        """By account: what stands in its homes."""
        query = select(*_COLUMNS).outerjoin(Account, Account.id == Channel.account_id)
        query = query.where(Channel.enabled)
        if channel_id is not None:
            query = query.where(Channel.id == channel_id)
        rows = session.execute(query.order_by(Channel.id)).all()
        accounts = {row.account_id for row in rows if row.account_id is not None}
        self._districts = districts_of(session, sorted(accounts))
        for row in rows:
            self._add(cast("Row[Any]", row))
        self._add_homes(session, sorted(accounts), now)
        self._consented = _consents(session, now, persons, self._of_account if self._alone else ())

    def _add(self, row: Row[Any]) -> None:
        if row.account_id is not None and not row.active:
            return
        hearer = Hearer(
            row.id,
            row.name,
            row.account_id,
            tuple(row.domains),
            row.minimum,
            row.escalate_after_s,
            tuple(row.devices),
            tuple(row.follow_ups),
        )
        if hearer.devices:
            self._homes.append(hearer)
            return
        roles = frozenset(Role(role) for role in row.roles or [row.role])
        reader = Reader(0, "", roles, districts=frozenset(self._districts.get(row.account_id, ())))
        self._groups[reader].append(hearer)
        if row.account_id is not None:
            self._of_account[row.account_id].append((reader, hearer))

    def _add_homes(self, session: Session, accounts: Collection[int], now: datetime) -> None:
        for account, homes in homes_of(session, accounts, now).items():
            self._devices_of[account] = {device for home in homes for device in home.devices}
            for home in homes:
                for key in (f"household {home.household}", *home.devices):
                    self._at_home[key].add((account, home))

    def hearers(
        self, alert: AlertRow, *, severity: str, audience: str, home_of: str = ""
    ) -> list[Hearer]:
        """By id: who may hear of the alert and wants to, as severe as it was. ``home_of``: only
        the home of this device."""
        found = {
            hearer.id: hearer
            for hearer in self._allowed(alert, audience)
            if (not home_of or self._is_home_of(hearer, home_of))
            and hearer.wants(alert.domain, severity)
        }
        return [found[number] for number in sorted(found)]

    def _is_home_of(self, hearer: Hearer, device: str) -> bool:
        return device in hearer.devices or device in self._devices_of.get(
            hearer.account_id or 0, ()
        )

    def may_hear(self, alert: AlertRow) -> bool:
        """Whether the one channel of this directory may hear of the alert."""
        return any(True for _ in self._allowed(alert, alert.audience))

    def _allowed(self, alert: AlertRow, audience: str) -> Iterator[Hearer]:
        failing = alert.detail["subject"] if alert.kind == CHANNEL_FAILING else None
        for hearer in self._by_rights(alert, audience):
            if hearer.name != failing:  # it would not hear that it hears nothing
                yield hearer

    def _by_rights(self, alert: AlertRow, audience: str) -> Iterator[Hearer]:
        yield from (home for home in self._homes if self._concerns(alert, home))
        yield from self._by_household(alert)
        if audience == "home":
            return
        for reader, members in self._groups.items():
            if _includes(audience, reader) and may_see(reader, alert):
                yield from members
        for account in self._consented.get(alert.person_key or "", ()):
            for reader, hearer in self._of_account.get(account, ()):
                # A consent counts for whoever is family, and for nobody else.
                if Role.FAMILY in reader.roles and alert.person_key and _includes(audience, reader):
                    told = replace(reader, consented=frozenset({alert.person_key}))
                    if may_see(told, alert):
                        yield hearer

    def _by_household(self, alert: AlertRow) -> Iterator[Hearer]:
        """Those whose home it is, whoever else is told: they are the first to be warned."""
        there = set(self._at_home.get(f"household {alert.household}", ()))
        if alert.kind == MANY:  # each home hears of its own alarm among them
            for device in alert.detail["devices"]:
                there |= self._at_home.get(device, set())
        for account, home in there:
            subject = replace(subject_of(alert), household=home.household)
            for reader, hearer in self._of_account.get(account, ()):
                told = replace(reader, homes=frozenset({home}))
                if may(told, Operation.SEE, subject):
                    yield hearer

    def _concerns(self, alert: AlertRow, home: Hearer) -> bool:
        if not is_described(alert.domain):
            return False  # of a domain that nobody described, nobody is told
        if alert.person_key is not None:
            return False  # whereabouts are opened by consents alone
        if alert.device in home.devices:
            return True
        if alert.kind == MANY and not set(home.devices).isdisjoint(alert.detail["devices"]):
            return True
        here = any(self._gateway_of.get(device) == alert.gateway for device in home.devices)
        if alert.domain == PLATFORM:
            return here and not alert.device and alert.kind in HOME_KINDS
        # An alarm that nobody has given to a home yet rings in one of those on its gateway.
        return here and bool(lives_lost({alert.domain})) and alert.device not in self._given

    @cached_property
    def _gateway_of(self) -> dict[str, str]:
        """Of the homes' devices."""
        devices = sorted({device for home in self._homes for device in home.devices})
        query = select(Device.device, Device.gateway).where(Device.device.in_(devices))
        return {row.device: row.gateway for row in self._session.execute(query)}

    @cached_property
    def _given(self) -> frozenset[str]:
        """Devices that some home has."""
        if not self._alone:
            return frozenset(device for home in self._homes for device in home.devices)
        homes = self._session.scalars(select(Channel.devices).where(Channel.enabled))
        return frozenset(device for devices in homes for device in devices)


def _includes(audience: str, reader: Reader) -> bool:
    return audience != "home-and-maintainers" or reader.has(*PLATFORM_ROLES)


def _consents(
    session: Session, now: datetime, persons: Collection[str], accounts: Collection[int]
) -> dict[str, set[int]]:
    """Accounts that hold a valid consent, by person."""
    found: dict[str, set[int]] = defaultdict(set)
    if not persons:
        return found
    query = select(Consent.person_key, Consent.account_id).where(
        Consent.person_key.in_(sorted(persons)), Consent.revoked.is_(None), Consent.expires > now
    )
    if accounts:
        query = query.where(Consent.account_id.in_(sorted(accounts)))
    for row in session.execute(query):
        found[row.person_key].add(row.account_id)
    return found
