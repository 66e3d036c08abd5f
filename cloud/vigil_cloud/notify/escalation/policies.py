"""The stored policies: put, taken away, and which of them answers for an alert."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.api_errors import NotFound
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.mistakes import Mistake
from vigil_cloud.notify.escalation.gaps import PolicyGap, Reachable, ends_nowhere, named, tell
from vigil_cloud.notify.escalation.policy import SELECTORS, BadPolicy, Policy
from vigil_cloud.notify.models import Channel, EscalationPolicy
from vigil_cloud.notify.untold import amiss, clear_told
from vigil_schemas.types import UtcDatetime

_BY_WEIGHT: Final = ("household", "district", "kind", "domain", "severity")
"""What makes a policy more special than another, the weightiest first."""


class StoredPolicy(BaseModel):
    """A policy, and who wrote it when."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    policy: Policy
    changed: UtcDatetime
    changed_by: str
    gaps: list[PolicyGap] = []
    """Whom it names and who cannot be called as things are."""
    ends_nowhere: bool = False
    """Of its fallback nobody can be called."""


class NotUnderstood(Exception):
    """A stored policy that this release cannot read, such as one of a later release."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class PolicyList(BaseModel):
    """The most special first: of two that answer for an alert the first counts."""

    policies: list[StoredPolicy]


def read(name: str, document: object) -> Policy:
    """As it was stored. Raises ``NotUnderstood``."""
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise NotUnderstood(name) from error


def stored(session: Session) -> list[StoredPolicy]:
    """All that this release understands, the most special first; of what it does not, the
    platform raises an alert as soon as it would be needed."""
    known: list[tuple[EscalationPolicy, Policy]] = []
    for row in _rows(session):
        with suppress(NotUnderstood):
            known.append((row, read(row.name, row.document)))
    if not known:
        return []
    reachable = Reachable(session, [policy for _, policy in known])
    return [_stored(row, policy, reachable.gaps(policy)) for row, policy in known]


def _stored(row: EscalationPolicy, policy: Policy, gaps: list[PolicyGap]) -> StoredPolicy:
    return StoredPolicy(
        policy=policy,
        changed=row.changed,
        changed_by=row.changed_by,
        gaps=gaps,
        ends_nowhere=ends_nowhere(policy, gaps),
    )


def worded(one: StoredPolicy) -> str:
    """Its gaps in a line, for operators."""
    gaps = ", ".join(f"step {gap.step} {gap.person} ({gap.why})" for gap in one.gaps)
    return f"ends nowhere: {gaps}" if one.ends_nowhere else gaps


def check(session: Session, now: datetime) -> bool:
    """Tell of policies that name somebody who can be called no longer; see ``gaps.tell``."""
    return tell(session, ((one.policy, one.gaps) for one in stored(session)), now)


def put(session: Session, policy: Policy, *, by: str, now: datetime) -> None:
    """Add it, or change the one of this name. Escalations that run go on as they began. Raises
    ``BadPolicy`` where another answers for the same alerts, or where a person is unknown."""
    _check_persons(session, policy)
    match = policy.match.model_dump()
    same = select(EscalationPolicy.name).filter_by(**match)
    other = session.scalar(same.where(EscalationPolicy.name != policy.name))
    if other is not None:
        text = f"match: the policy {other!r} answers for the same alerts already"
        raise BadPolicy([Mistake("match", "match-taken", text, other)])
    row = session.get(EscalationPolicy, policy.name)
    done = "changed" if row is not None else "added"
    if row is None:
        row = EscalationPolicy(name=policy.name)
        session.add(row)
    row.document = policy.model_dump(mode="json")
    for column, value in match.items():
        setattr(row, column, value)
    row.changed, row.changed_by = now, by
    session.flush()
    check(session, now)
    audit.append(
        session,
        at=now,
        account=by,
        action=f"escalation-policy.{done}",
        subject=policy.name,
        detail=row.document,
    )


def remove(session: Session, name: str, *, by: str, now: datetime) -> None:
    """Escalations that run go on. Raises ``NotFound``."""
    if session.get(EscalationPolicy, name) is None:
        raise NotFound(f"There is no policy {name!r}.")
    session.execute(delete(EscalationPolicy).where(EscalationPolicy.name == name))
    clear_told(session, {amiss(name)}, now)
    check(session, now)
    audit.append(session, at=now, account=by, action="escalation-policy.removed", subject=name)


class Chooser:
    """Which policy answers for which alert; read once for many alerts, one statement."""

    def __init__(self, session: Session) -> None:
        self._rows = _rows(session)

    def choose(self, alert: AlertRow, severity: str) -> Policy | None:
        """The most special one; ``None``: everybody who may hear of it is told at once, as their
        channels ask for it. What only informs, and what is told to a home alone or as a test, is
        never escalated. ``severity``: as it is announced. Raises ``NotUnderstood``."""
        if severity == "info" or alert.audience != "all":
            return None
        said = {
            "household": alert.household or "",
            "district": alert.district or "",
            "kind": alert.kind,
            "domain": alert.domain,
            "severity": severity,
        }
        for row in self._rows:
            wanted = {name: value for name in _BY_WEIGHT if (value := getattr(row, name))}
            if wanted.items() <= said.items():
                return read(row.name, row.document)
        return None


def _rows(session: Session) -> Sequence[EscalationPolicy]:
    rows = session.scalars(select(EscalationPolicy).order_by(EscalationPolicy.name)).all()
    return sorted(rows, key=lambda row: [not getattr(row, name) for name in _BY_WEIGHT])


def _check_persons(session: Session, policy: Policy) -> None:
    """That everybody who is named is there, as far as it can be known beforehand."""
    unknown = _unknown(session, policy.persons)
    wrong = [
        (_place(policy, number), person)
        for number, step in enumerate(policy.steps)
        for person in named(policy, step)
        if person in unknown
    ]
    placed = {person for _, person in wrong}
    wrong += [("rota", person) for person in sorted(unknown.keys() - placed)]
    if wrong:
        raise BadPolicy(
            [
                Mistake(place, f"unknown-{unknown[person][0]}", text, person)
                for place, person in wrong
                for text in [f"persons: there is no {unknown[person][1]}"]
            ]
        )


def _place(policy: Policy, number: int) -> str:
    last = number == len(policy.steps) - 1
    where = "fallback" if last else f"step.{number}"
    return f"{where}.{'persons' if policy.steps[number].rota is None else 'rota'}"


def _unknown(session: Session, persons: Collection[str]) -> dict[str, tuple[str, str]]:
    """Who is not there: in one word what they would be, and in words."""
    accounts = {one for one in persons if not one.startswith(SELECTORS)}
    query = select(Account.username).where(Account.username.in_(accounts), Account.active)
    missing = accounts - set(session.scalars(query))
    unknown = {one: ("account", f"account {one!r}") for one in missing}
    for person in sorted(set(persons) - accounts):
        selector, _, rest = person.partition(":")
        match selector:
            case "role" | "district" if rest not in set(Role):
                unknown[person] = "role", f"role {rest!r}"
            case "household" if rest not in {"*", *Relation}:
                unknown[person] = "relation", f"relation {rest!r}"
            case "channel":
                named_so = select(Channel.name).where(Channel.name == rest, Channel.enabled)
                if session.scalar(named_so) is None:
                    unknown[person] = "channel", f"channel {rest!r}"
    return unknown
