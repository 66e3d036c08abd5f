"""Escalation policies over HTTP, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.escalation import policies
from vigil_cloud.notify.escalation.policies import PolicyList
from vigil_cloud.notify.escalation.policy import BadPolicy, Policy

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


@router.put("/{name}", status_code=204, operation_id="put_escalation_policy")
def put_escalation_policy(
    name: PolicyName, body: Policy, administrator: Administrator, services: ServicesDependency
) -> None:
    """Add it, or change the one of this name. Escalations that run go on as they began."""
    if body.name != name:
        raise BadPolicy(f"name: the policy is called {body.name!r} and the address says {name!r}")
    with writing(services.sessions) as session:
        policies.put(session, body, by=administrator.username, now=services.now())


@router.delete("/{name}", status_code=204, operation_id="remove_escalation_policy")
def remove_escalation_policy(
    name: PolicyName, administrator: Administrator, services: ServicesDependency
) -> None:
    """Its alerts are told as channels ask for it, or by a more general policy."""
    with writing(services.sessions) as session:
        policies.remove(session, name, by=administrator.username, now=services.now())
