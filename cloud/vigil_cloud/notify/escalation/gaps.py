"""Whom a policy names and who can be called no longer: looked at whenever that may have changed.

A policy is checked when it is stored, and accounts and channels are closed later: then it has a
step, or an end, that calls nobody. Whoever runs the platform is told at that moment (the
``policy-gap`` alert, the answer of the command that closes, ``alerts policy list`` and the page),
and not by a fire.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import String, bindparam, cast, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.database.changes import CHANNELS, RIGHTS, number_of
from vigil_cloud.identity.models import Account
from vigil_cloud.notify.escalation.policy import SELECTORS, ChannelKind, Policy, Rota, Step
from vigil_cloud.notify.models import Channel

KIND: Final[PlatformKind] = "policy-gap"
Why = Literal["no-account", "account-closed", "channel-closed", "no-channel", "nobody"]
"""``no-channel``: the account has no channel of the kind that the step calls by. ``nobody``: no
account with that role can be called so, and no channel of the role."""
_NAME: Final = 40


class PolicyGap(BaseModel):
    """Somebody whom a step names and who cannot be called by it."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    step: int
    """From 1; the last is the fallback."""
    person: str
    why: Why


_ACTIVE: Final = select(cast(Account.roles, String)).where(Account.active).distinct()
_NAMED: Final = select(Account.username, Account.active).where(
    Account.username.in_(bindparam("names", expanding=True))
)
_WORKS: Final = Channel.enabled & (Channel.account_id.is_(None) | Account.active)
_CHANNELS: Final = (
    select(Channel.name)
    .outerjoin(Account, Account.id == Channel.account_id)
    .where(_WORKS, Channel.name.in_(bindparam("names", expanding=True)))
)
_OF_ACCOUNT: Final = (
    select(Account.username, Channel.kind)
    .join(Account, Account.id == Channel.account_id)
    .where(_WORKS, Account.username.in_(bindparam("names", expanding=True)))
)
_BY_ROLE: Final = (
    select(cast(Account.roles, String), Channel.kind)
    .join(Account, Account.id == Channel.account_id)
    .where(_WORKS)
    .distinct()
)
_OF_ROLE: Final = (
    select(Channel.role, Channel.kind)
    .where(Channel.enabled, Channel.account_id.is_(None))
    .distinct()
)


class Reachable:
    """Accounts and channels that policies name, as they are now: a fixed number of statements, of
    which each answers with few rows in a city of thousands of accounts."""

    def __init__(self, session: Session, policies: Iterable[Policy]) -> None:
        persons = {one for each in policies for step in each.steps for one in named(each, step)}
        accounts = [one for one in persons if not one.startswith(SELECTORS)]
        channels = [one.partition(":")[2] for one in persons if one.startswith("channel:")]
        session.flush()
        ask = session.connection().execute
        self._active = {name: bool(active) for name, active in ask(_NAMED, {"names": accounts})}
        self._channels = set(ask(_CHANNELS, {"names": channels}).scalars())
        # What an older release added has no kind for a moment: it may be of any.
        self._of_account = {(name, kind) for name, kind in ask(_OF_ACCOUNT, {"names": accounts})}
        self._roles = {role for roles in ask(_ACTIVE).scalars() for role in json.loads(roles)}
        self._by_role = {(role, kind) for role, kind in ask(_OF_ROLE)} | {
            (role, kind) for roles, kind in ask(_BY_ROLE) for role in json.loads(roles)
        }

    def gaps(self, policy: Policy) -> list[PolicyGap]:
        """In the order of the steps."""
        return [
            PolicyGap(step=number, person=person, why=why)
            for number, step in enumerate(policy.steps, 1)
            for person in named(policy, step)
            if (why := self._why_not(person, step.channel)) is not None
        ]

    def _why_not(self, person: str, channel: ChannelKind) -> Why | None:
        selector, _, rest = person.partition(":")
        if not person.startswith(SELECTORS):
            return self._account(person, channel)
        match selector:
            case "channel":
                return None if rest in self._channels else "channel-closed"
            case "role" | "district":
                return None if self._somebody(rest, channel) else "nobody"
        return None  # who belongs to a home is known when it burns there

    def _account(self, name: str, channel: ChannelKind) -> Why | None:
        if not self._active.get(name, False):
            return "account-closed" if name in self._active else "no-account"
        had = {(name, channel), (name, None)} & self._of_account
        return None if channel == "page" or had else "no-channel"

    def _somebody(self, role: str, channel: ChannelKind) -> bool:
        if channel == "page":
            return role in self._roles
        return bool({(role, channel), (role, None)} & self._by_role)


def named(policy: Policy, step: Step) -> tuple[str, ...]:
    """Everybody whom a step may call, whoever has the turn."""
    if step.rota is None:
        return step.persons
    rota = policy.rota[step.rota] if isinstance(step.rota, str) else step.rota
    return tuple(dict.fromkeys(rota.persons)) if isinstance(rota, Rota) else ()


def ends_nowhere(policy: Policy, gaps: Iterable[PolicyGap]) -> bool:
    """Whether of the fallback nobody can be called; of a rota at any turn."""
    last = len(policy.steps)
    lost = {gap.person for gap in gaps if gap.step == last}
    return lost >= set(named(policy, policy.fallback))


class Watched:
    """Whether anything may have changed since the last look of this process."""

    def __init__(self) -> None:
        self._numbers = (-1, -1)

    def waiting(self, session: Session, _now: datetime) -> bool:
        """Two reads."""
        numbers = number_of(session, RIGHTS), number_of(session, CHANNELS)
        changed, self._numbers = numbers != self._numbers, numbers
        return changed


def tell(
    session: Session, found: Iterable[tuple[Policy, Sequence[PolicyGap]]], now: datetime
) -> bool:
    """Raise what is amiss with each policy, and clear what is over. Whether anything changed.
    Idempotent, in the caller's transaction; locks the feed where something is amiss."""
    changed = False
    amiss = {_subject(policy.name): (policy, gaps) for policy, gaps in found if gaps}
    before = {str(row.detail["subject"]): row for row in standing(session, KIND)}
    for subject, (policy, gaps) in amiss.items():
        told = _told(gaps)
        if subject in before and before[subject].detail.get("explanation") == told:
            continue
        changed = True
        nowhere = ends_nowhere(policy, gaps)
        severity: Severity = "major" if nowhere else "minor"
        name = policy.name
        raise_platform(
            session,
            KIND,
            subject,
            severity=severity,
            title=f"Escalation policy {name} ends nowhere"
            if nowhere
            else f"Escalation policy {name} names somebody who cannot be called",
            title_zh=f"逐級通報規則 {name} 最後無人可通知"
            if nowhere
            else f"逐級通報規則 {name} 有無法通知的對象",
            detail={"explanation": told, "policy": name},
            again=f"changed at {now:%Y-%m-%d %H:%M:%S}" if subject in before else None,
            now=now,
        )
    gone = before.keys() - amiss.keys()
    for subject in sorted(gone):
        clear_platform(session, KIND, subject, now=now)
    return changed or bool(gone)


def _told(gaps: Sequence[PolicyGap]) -> str:
    return "; ".join(f"step {gap.step}: {gap.person} ({gap.why})" for gap in gaps)[:400]


def _subject(name: str) -> str:
    """Whole within 60 characters; of a longer name its beginning and a digest."""
    if len(name) <= _NAME:
        return f"policy {name}"
    return f"policy {name[:_NAME]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
