"""Who there is to be told: channels, by what their owners may see.

Reading them costs as much as there are accounts, so the planner keeps what it read until an
announced number says that somebody's rights or some channel has changed, or until a membership
begins or ends by itself. What a consent opens is not kept, and before a message is sent the one
channel's rights are read anew (``leased_deliveries``): what is kept here can delay nobody's
revocation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.work import SEVERITIES
from vigil_cloud.database.changes import CHANNELS, RIGHTS, number_of
from vigil_cloud.identity.models import Account, HouseholdDevice, HouseholdMember
from vigil_cloud.identity.reader import Home, Reader, districts_of, homes_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.models import Channel

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
    Channel.kind,
    Account.username,
    Account.roles,
    Account.active,
)


_ROLES: Final = frozenset(Role)
"""A later release may have written others: whoever holds only those hears of nothing by a role,
and keeps nobody else from hearing."""


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
    username: str = ""
    """Whose it is; empty where it belongs to a role."""
    roles: frozenset[str] = frozenset()
    """The account's, or the one that it belongs to."""
    kind: str | None = None

    def wants(self, domain: str, severity: str) -> bool:
        """Domain and severity as subscribed; only critical alerts escalate."""
        if self.domains and domain not in self.domains:
            return False
        if self.escalate_after_s > 0 and severity != "critical":
            return False
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.minimum)


class People:
    """Everybody with a channel at one moment; with ``channel_id`` the owner of that one."""

    def __init__(self, session: Session, now: datetime, *, channel_id: int | None = None) -> None:
        self.groups: dict[Reader, list[Hearer]] = defaultdict(list)
        """By what the owner may see but for consents, which are single persons'."""
        self.of_account: dict[int, list[tuple[Reader, Hearer]]] = defaultdict(list)
        self.homes: list[Hearer] = []
        """Homes' own channels."""
        self.at_home: dict[str, set[tuple[int, Home]]] = defaultdict(set)
        """By household and by device: the accounts that belong to it."""
        self.devices_of: dict[int, set[str]] = {}
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
            row.username or "",
            frozenset([row.role] if row.account_id is None else row.roles),
            row.kind,
        )
        if hearer.devices:
            self.homes.append(hearer)
            return
        roles = frozenset(Role(role) for role in hearer.roles if role in _ROLES)
        reader = Reader(0, "", roles, districts=frozenset(self._districts.get(row.account_id, ())))
        self.groups[reader].append(hearer)
        if row.account_id is not None:
            self.of_account[row.account_id].append((reader, hearer))

    def _add_homes(self, session: Session, accounts: Collection[int], now: datetime) -> None:
        for account, homes in homes_of(session, accounts, now).items():
            self.devices_of[account] = {device for home in homes for device in home.devices}
            for home in homes:
                for key in (f"household {home.household}", *home.devices):
                    self.at_home[key].add((account, home))


class KnownPeople:
    """Everybody with a channel, read again when something has changed. Of one thread."""

    def __init__(self) -> None:
        self._people: People | None = None
        self._numbers: tuple[int, int] = (0, 0)
        self._since: datetime | None = None
        self._until: datetime | None = None

    def get(self, session: Session, now: datetime) -> People:
        """As they are now. Two statements where nothing has changed."""
        # Read before the people: what changes in between has a higher number, and is read again.
        numbers = number_of(session, RIGHTS), number_of(session, CHANNELS)
        if self._people is None or numbers != self._numbers or not self._holds(now):
            self._people = People(session, now)
            self._numbers = numbers
            self._since, self._until = now, _next_change(session, now)
        return self._people

    def forget(self) -> None:
        """What went wrong with them may be their fault."""
        self._people = None

    def _holds(self, now: datetime) -> bool:
        if self._since is None or now < self._since:
            return False
        return self._until is None or now < self._until


def _next_change(session: Session, now: datetime) -> datetime | None:
    """When the next membership begins or ends by itself."""
    moments = [
        session.scalar(select(func.min(moment)).where(moment > now))
        for table in (HouseholdMember, HouseholdDevice)
        for moment in (table.since, table.until)
    ]
    return min((moment for moment in moments if moment is not None), default=None)
