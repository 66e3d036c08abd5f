"""Which channels may and want to hear of an alert: asked when it is planned, and before it is sent.

A directory is read once, with a few statements, for as many alerts as are worked on together.
Channels are grouped by what their owners may see, so that an alert costs as much as it has
hearers and not as there are accounts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform_kinds import HOME_KINDS
from vigil_cloud.alerts.visibility import may_see, subject_of
from vigil_cloud.devices.models import Device
from vigil_cloud.domain.registry import lives_lost
from vigil_cloud.domain.rights import PLATFORM, PLATFORM_ROLES, is_described, may
from vigil_cloud.identity.disclosures import disclosed_at
from vigil_cloud.identity.models import Disclosure
from vigil_cloud.identity.reader import Reader, Relation, granted_by
from vigil_cloud.identity.rights import Operation
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.people import Hearer, People

CHANNEL_FAILING: Final = "channel-failing"


class Directory:
    """Everybody who can be told something, at one moment.

    ``persons``: those that the alerts in question are about. ``channel_id``: this one alone.
    ``people``: as read before, where nothing has changed since.
    """

    def __init__(
        self,
        session: Session,
        now: datetime,
        *,
        persons: Collection[str] = (),
        channel_id: int | None = None,
        people: People | None = None,
    ) -> None:
        self._session = session
        self._alone = channel_id is not None
        self._people = people or People(session, now, channel_id=channel_id)
        only = self._people.of_account if self._alone else ()
        self._consented = granted_by(session, persons, now, only)
        self._disclosed = _disclosures(session, now, persons, only)

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
        return device in hearer.devices or device in self._people.devices_of.get(
            hearer.account_id or 0, ()
        )

    def allowed(self, alert: AlertRow) -> list[Hearer]:
        """By id: who may hear of it, whatever they want to hear: a policy decides that."""
        found = {hearer.id: hearer for hearer in self._allowed(alert, alert.audience)}
        return [found[number] for number in sorted(found)]

    def may_hear(self, alert: AlertRow) -> bool:
        """Whether the one channel of this directory may hear of the alert."""
        return any(True for _ in self._allowed(alert, alert.audience))

    def _allowed(self, alert: AlertRow, audience: str) -> Iterator[Hearer]:
        if alert.kind != CHANNEL_FAILING:
            yield from self._by_rights(alert, audience)
            return
        failing = alert.detail["subject"]
        for hearer in (*self._by_rights(alert, audience), *self._of_owner(failing)):
            if hearer.name != failing:  # it would not hear that it hears nothing
                yield hearer

    def _of_owner(self, channel: str) -> Iterator[Hearer]:
        """Whose channel it is, by every channel of theirs: they believe that they are told."""
        owner = self._session.scalar(select(Channel.account_id).where(Channel.name == channel))
        for _, hearer in self._people.of_account.get(owner or 0, ()):
            yield hearer

    def _by_rights(self, alert: AlertRow, audience: str) -> Iterator[Hearer]:
        yield from (home for home in self._people.homes if self._concerns(alert, home))
        yield from self._by_household(alert, audience)
        if audience in {"residents", "home"}:
            return
        for reader, members in self._people.groups.items():
            if _includes(audience, reader) and may_see(reader, alert):
                yield from members
        yield from self._by_person(alert, audience)

    def _by_person(self, alert: AlertRow, audience: str) -> Iterator[Hearer]:
        """Those who may know where the person is: by consent, or by an open case."""
        person = alert.person_key or ""
        consented = self._consented.get(person, {})
        disclosed = self._disclosed.get(alert.case_id or "", {})
        for account in consented.keys() | disclosed.keys():
            for reader, hearer in self._people.of_account.get(account, ()):
                if not _includes(audience, reader):
                    continue
                # A consent counts for whoever is family, and for nobody else.
                family = account in consented and Role.FAMILY in reader.roles
                # Each disclosure counts for whoever holds its role.
                by_case = not reader.roles.isdisjoint(disclosed.get(account, ()))
                told = replace(
                    reader,
                    consented=frozenset({consented[account]} if family else ()),
                    disclosed=frozenset({alert.case_id or ""} if by_case else ()),
                )
                if may_see(told, alert):
                    yield hearer

    def _by_household(self, alert: AlertRow, audience: str) -> Iterator[Hearer]:
        """Those whose home it is, whoever else is told: they are the first to be warned."""
        there = set(self._people.at_home.get(f"household {alert.household}", ()))
        if alert.kind == MANY:  # each home hears of its own alarm among them
            for device in alert.detail["devices"]:
                there |= self._people.at_home.get(device, set())
        for account, home in there:
            if audience == "residents" and home.relation is not Relation.RESIDENT:
                continue
            subject = replace(subject_of(alert), household=home.household)
            for reader, hearer in self._people.of_account.get(account, ()):
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
        in_homes = any(one.in_homes for one in lives_lost({alert.domain}))
        return here and in_homes and alert.device not in self._given

    @cached_property
    def _gateway_of(self) -> dict[str, str]:
        """Of the homes' devices."""
        devices = sorted({device for home in self._people.homes for device in home.devices})
        query = select(Device.device, Device.gateway).where(Device.device.in_(devices))
        return {row.device: row.gateway for row in self._session.execute(query)}

    @cached_property
    def _given(self) -> frozenset[str]:
        """Devices that some home has."""
        if not self._alone:
            return frozenset(device for home in self._people.homes for device in home.devices)
        homes = self._session.scalars(select(Channel.devices).where(Channel.enabled))
        return frozenset(device for devices in homes for device in devices)


def _includes(audience: str, reader: Reader) -> bool:
    return audience != "home-and-maintainers" or reader.has(*PLATFORM_ROLES)


def _disclosures(
    session: Session, now: datetime, persons: Collection[str], accounts: Collection[int]
) -> dict[str, dict[int, set[str]]]:
    """Accounts that an open case lets know where its person is, and as what, by case."""
    found: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    if not persons:
        return found
    query = select(Disclosure.case_id, Disclosure.account_id, Disclosure.role).where(
        Disclosure.person_key.in_(sorted(persons)), disclosed_at(now)
    )
    if accounts:
        query = query.where(Disclosure.account_id.in_(sorted(accounts)))
    for row in session.execute(query):
        found[row.case_id][row.account_id].add(row.role)
    return found
