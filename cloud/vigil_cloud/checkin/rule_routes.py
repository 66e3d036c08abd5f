"""Rules of one person over HTTP: what a guardian wants to be told."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy import select

from vigil_cloud.alerts import feed
from vigil_cloud.checkin.models import PersonRule
from vigil_cloud.checkin.relatives import SEEN, end_told
from vigil_cloud.checkin.rule_kinds import KINDS, RuleBody
from vigil_cloud.checkin.rules import end_for, put_rule, quiet, read
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit, consents, persons
from vigil_cloud.identity.dependencies import CurrentAccount, PersonKey, ServicesDependency

router = APIRouter(prefix="/people", tags=["people"])
RuleName = Annotated[
    Literal[
        "seen", "unseen", "left-zone", "at-night", "unusual", "amulet-silent", "battery-low",
        "not-worn",
    ],
    Path(),
]  # fmt: skip


class RuleEntry(RuleBody):
    """As it is kept."""

    standing: bool
    """An alert stands by it."""
    quiet_now: bool
    held: bool
    """It came to hold in the quiet hours and is told at their end."""
    preset: bool
    """Nobody has chosen it: the person began with it at enrolment."""


class RuleList(BaseModel):
    """In the order of their kinds."""

    rules: list[RuleEntry]
    kinds: list[str] = Field(default_factory=lambda: list(KINDS))
    """All there are."""


@router.get("/{key}/rules", operation_id="list_person_rules")
def list_person_rules(
    key: PersonKey, reader: CurrentAccount, services: ServicesDependency
) -> RuleList:
    """What the person's people are told of (guardian)."""
    now = services.now()
    with services.sessions() as session:
        consents.require_guardian(session, reader, key)
        rows = session.scalars(select(PersonRule).where(PersonRule.person_key == key)).all()
    rows = sorted(rows, key=lambda row: KINDS.index(row.kind))
    return RuleList(
        rules=[
            RuleEntry(
                rule=read(row),
                quiet_from=row.quiet_from,
                quiet_until=row.quiet_until,
                standing=row.reference is not None,
                quiet_now=quiet(row, now),
                held=row.held is not None,
                preset=row.preset,
            )
            for row in rows
        ]
    )


@router.put("/{key}/rules", status_code=204, operation_id="put_person_rule")
def put_person_rule(
    key: PersonKey, body: RuleBody, reader: CurrentAccount, services: ServicesDependency
) -> None:
    """Set a rule, in place of an earlier one of its kind (guardian). What stood by that is over."""
    now = services.now()
    with writing(services.sessions) as session:
        consents.require_guardian(session, reader, key)
        persons.require_enrolled(session, key)
        put_rule(session, key, body, by=reader.username, now=now)
    services.changed.announce()


@router.delete("/{key}/rules/{kind}", status_code=204, operation_id="delete_person_rule")
def delete_person_rule(
    key: PersonKey, kind: RuleName, reader: CurrentAccount, services: ServicesDependency
) -> None:
    """Nobody is told of this any more (guardian). Idempotent."""
    now = services.now()
    with writing(services.sessions) as session:
        consents.require_guardian(session, reader, key)
        feed.lock(session)
        row = session.get(PersonRule, (key, kind))
        if row is None:
            return
        end_for(session, row, now, now)
        if kind == SEEN:
            end_told(session, key, now)
        session.delete(row)
        audit.append(
            session, at=now, account=reader.username, action="rule.removed", subject=kind,
            person_key=key,
        )  # fmt: skip
    services.changed.announce()
