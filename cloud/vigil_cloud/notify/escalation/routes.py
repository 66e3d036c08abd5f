"""Escalation policies over HTTP, for administrators."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.mistakes import Mistake
from vigil_cloud.notify.escalation import policies
from vigil_cloud.notify.escalation.policies import PolicyList
from vigil_cloud.notify.escalation.policy import (
    LONGEST_S,
    MOST_PERSONS,
    BadPolicy,
    ChannelKind,
    Person,
    Policy,
)
from vigil_cloud.notify.escalation.progress import Answer
from vigil_cloud.notify.escalation.simulation import Reply, answered, simulate
from vigil_cloud.parameters import Foreseeable
from vigil_schemas.types import UtcDatetime


class SimulatedAnswer(BaseModel):
    """How somebody would answer a call through one channel; who is not there does not answer."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    person: Person
    """As the policy names them."""
    channel: ChannelKind
    delay_s: Annotated[float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False)]
    """From the call."""
    answer: Answer


class SimulationRequest(BaseModel):
    """A policy to be tried out."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    policy: Policy
    answers: Annotated[list[SimulatedAnswer], Field(max_length=MOST_PERSONS)] = []
    at: Foreseeable | None = None
    """When the alert is raised, for rotas and quiet hours; null: now."""
    severity: Literal["critical", "major", "minor"] = "critical"
    """Quiet hours put off what is not critical."""


class SimulatedCall(BaseModel):
    """One call."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    after_s: float
    """Seconds from the alert."""
    step: int
    """From 1; the last is the fallback."""
    fallback: bool
    channel: ChannelKind
    person: str
    outcome: Literal["accepted", "declined", "none"]
    answered_s: float | None
    """When the answer comes, in seconds from the alert."""


class SimulatedEscalation(BaseModel):
    """What a policy would do, in order."""

    started: UtcDatetime
    calls: list[SimulatedCall]


router = APIRouter(prefix="/escalation-policies", tags=["escalation"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]
PolicyName = Annotated[str, Path(max_length=80, pattern=r"^[^\x00-\x1f/]+$")]


@router.get("", operation_id="list_escalation_policies")
def list_escalation_policies(
    _administrator: Administrator, services: ServicesDependency
) -> PolicyList:
    """Every policy, the most special first: of two that answer for an alert the first counts."""
    with services.sessions() as session:
        return PolicyList(policies=policies.stored(session))


@router.post("/simulate", operation_id="simulate_escalation_policy")
def simulate_escalation_policy(
    body: SimulationRequest, _administrator: Administrator, services: ServicesDependency
) -> SimulatedEscalation:
    """What a policy would do, stored or not: who is called when, and what comes of it. Nothing is
    written and nobody is called."""
    replies: dict[tuple[str, str], Reply] = {}
    for number, one in enumerate(body.answers):
        who = one.person, one.channel
        if who in replies:
            text = f"answers: a second answer of {one.person} by {one.channel}"
            raise BadPolicy([Mistake(f"answers.{number}.person", "named-twice", text, one.person)])
        replies[who] = Reply(one.delay_s, one.answer)
    started = body.at or services.now().replace(microsecond=0)
    calls = simulate(body.policy, replies, started, critical=body.severity == "critical")
    return SimulatedEscalation(
        started=started,
        calls=[
            SimulatedCall(
                after_s=call.t,
                step=call.step,
                fallback=call.step == len(body.policy.steps),
                channel=call.channel,
                person=call.person,
                outcome=call.outcome,
                answered_s=answered(call, replies),
            )
            for call in calls
        ],
    )


@router.put("/{name}", status_code=204, operation_id="put_escalation_policy")
def put_escalation_policy(
    name: PolicyName, body: Policy, administrator: Administrator, services: ServicesDependency
) -> None:
    """Add it, or change the one of this name. Escalations that run go on as they began."""
    if body.name != name:
        text = f"name: the policy is called {body.name!r} and the address says {name!r}"
        raise BadPolicy([Mistake("name", "other-name", text, name)])
    with writing(services.sessions) as session:
        policies.put(session, body, by=administrator.username, now=services.now())


@router.delete("/{name}", status_code=204, operation_id="remove_escalation_policy")
def remove_escalation_policy(
    name: PolicyName, administrator: Administrator, services: ServicesDependency
) -> None:
    """Its alerts are told as channels ask for it, or by a more general policy."""
    with writing(services.sessions) as session:
        policies.remove(session, name, by=administrator.username, now=services.now())
