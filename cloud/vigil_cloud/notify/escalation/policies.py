"""The stored policies: put, taken away, and which of them answers for an alert."""

from __future__ import annotations

from collections.abc import Sequence
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
    found = []
    for row in _rows(session):
        with suppress(NotUnderstood):
            policy = read(row.name, row.document)
            found.append(
                StoredPolicy(policy=policy, changed=row.changed, changed_by=row.changed_by)
            )
    return found


def put(session: Session, policy: Policy, *, by: str, now: datetime) -> None:
    """Add it, or change the one of this name. Escalations that run go on as they began. Raises
    ``BadPolicy`` where another answers for the same alerts, or where a person is unknown."""
    _check_persons(session, policy)
    match = policy.match.model_dump()
    same = select(EscalationPolicy.name).filter_by(**match)
    other = session.scalar(same.where(EscalationPolicy.name != policy.name))
    if other is not None:
        raise BadPolicy(f"match: the policy {other!r} answers for the same alerts already")
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
    named = policy.persons
    accounts = {one for one in named if not one.startswith(SELECTORS)}
    query = select(Account.username).where(Account.username.in_(accounts), Account.active)
    unknown = [f"account {one!r}" for one in sorted(accounts - set(session.scalars(query)))]
    for person in sorted(named - accounts):
        selector, _, rest = person.partition(":")
        match selector:
            case "role" | "district" if rest not in set(Role):
                unknown.append(f"role {rest!r}")
            case "household" if rest not in {"*", *Relation}:
                unknown.append(f"relation {rest!r}")
            case "channel":
                query = select(Channel.name).where(Channel.name == rest, Channel.enabled)
                if session.scalar(query) is None:
                    unknown.append(f"channel {rest!r}")
    if unknown:
        raise BadPolicy(f"persons: there is no {', no '.join(unknown)}")
