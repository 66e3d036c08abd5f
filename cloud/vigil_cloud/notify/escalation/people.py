"""Who the persons of a step are at the moment when they are called, and where they are reached.

A policy names people by account or by what they are to the alert. Whoever may not see the alert
is not among them, whatever the policy says: rights are asked here, and again before each message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.visibility import may_see
from vigil_cloud.identity.models import Account, HouseholdMember
from vigil_cloud.identity.reader import districts_of, member_at, readers_of
from vigil_cloud.notify.directory import Directory
from vigil_cloud.notify.escalation.policy import Policy, Step
from vigil_cloud.notify.escalation.progress import Target
from vigil_cloud.notify.people import Hearer, People

CHANNEL: Final = "channel "
"""How the name begins of whoever stands behind a channel that belongs to a role, such as a control
room behind a web hook."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An account, or what stands behind a channel without one."""

    person: str
    account_id: int | None
    roles: frozenset[str]
    channel: str = ""
    devices: frozenset[str] = frozenset()
    """Of a home's own channel."""


class StepPeople:
    """Everybody who can be called, at one moment: a few statements for many alerts."""

    def __init__(
        self, session: Session, alerts: Collection[AlertRow], people: People, now: datetime
    ) -> None:
        """``people``: with a channel, as they are now."""
        self._session = session
        self._now = now
        self._alerts = list(alerts)
        persons = {alert.person_key for alert in alerts if alert.person_key is not None}
        self._allowed: dict[str, list[Hearer]] = {}
        self._directory = Directory(session, now, persons=persons, people=people)

    def of_step(self, alert: AlertRow, policy: Policy, step: int) -> list[Target]:
        """Whom to call in a step (from 1), each address once."""
        wanted = policy.steps[step - 1]
        persons = policy.called(wanted, self._now)
        found = self._on_page if wanted.channel == "page" else self._by_channel
        targets = {
            (target.address, target.person): target
            for person in persons
            for target in found(alert, person, wanted)
        }
        by_address = {target.address or target.person: target for target in targets.values()}
        return list(by_address.values())

    def _by_channel(self, alert: AlertRow, person: str, step: Step) -> Iterable[Target]:
        named = person.startswith("channel:")
        for hearer in self._hearers(alert):
            if (named or hearer.kind == step.channel) and self._is(_of(hearer), person, alert):
                yield Target(_of(hearer).person, hearer.id)

    def _hearers(self, alert: AlertRow) -> list[Hearer]:
        """Found out once for all persons of all steps."""
        if alert.id not in self._allowed:
            self._allowed[alert.id] = self._directory.allowed(alert)
        return self._allowed[alert.id]

    def _on_page(self, alert: AlertRow, person: str, _step: Step) -> Iterable[Target]:
        meant = [
            account
            for account in self._accounts
            if self._is(
                _Candidate(account.username, account.id, frozenset(account.roles)), person, alert
            )
        ]
        readers = readers_of(self._session, meant, self._now) if meant else {}
        for account in meant:
            if may_see(readers[account.id], alert):
                yield Target(account.username, None)

    def _is(self, one: _Candidate, person: str, alert: AlertRow) -> bool:
        selector, separator, rest = person.partition(":")
        match selector if separator else "":
            case "role":
                return rest in one.roles
            case "district":
                here = self._districts.get(one.account_id or 0, set())
                return rest in one.roles and alert.district in here
            case "household":
                relations = self._relations(alert).get(one.account_id or 0, set())
                at_home = alert.device in one.devices
                return rest in relations or (rest == "*" and (bool(relations) or at_home))
            case "channel":
                return bool(one.channel) and one.channel == rest
        return one.account_id is not None and one.person == person

    def _relations(self, alert: AlertRow) -> dict[int, set[str]]:
        return self._members.get(alert.household or "", {})

    @cached_property
    def _accounts(self) -> Sequence[Account]:
        return self._session.scalars(
            select(Account).where(Account.active).order_by(Account.id)
        ).all()

    @cached_property
    def _districts(self) -> dict[int, set[str]]:
        ids = self._session.scalars(select(Account.id).where(Account.active)).all()
        return districts_of(self._session, ids)

    @cached_property
    def _members(self) -> dict[str, dict[int, set[str]]]:
        """By household and account: what the account is to it."""
        found: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        homes = sorted({alert.household for alert in self._alerts if alert.household})
        query = select(
            HouseholdMember.household, HouseholdMember.account_id, HouseholdMember.relation
        ).where(
            HouseholdMember.household.in_(homes),
            HouseholdMember.account_id.is_not(None),
            member_at(self._now),
        )
        for household, account_id, relation in self._session.execute(query):
            found[household][account_id or 0].add(relation)
        return found


def _of(hearer: Hearer) -> _Candidate:
    return _Candidate(
        hearer.username or f"{CHANNEL}{hearer.name}",
        hearer.account_id,
        hearer.roles,
        hearer.name,
        frozenset(hearer.devices),
    )
