"""Every gateway with its health, what was refused of it and what the platform says of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import standing
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.work import SEVERITIES
from vigil_cloud.capacity.dropped import dropped_of
from vigil_cloud.devices.models import Gateway, GatewayRevocation
from vigil_cloud.devices.routes import Operator
from vigil_cloud.devices.visibility import visible_gateways
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.jobs.gateway_watch import OF_ITS_HEALTH, OF_THE_GATEWAY
from vigil_cloud.refusals.models import DeadLetter
from vigil_schemas.types import UtcDatetime

router = APIRouter()
GatewayState = Literal["online", "offline", "unknown"]
SECOND_BOX_SHOWN: Final = timedelta(days=1)
"""So long after a second box last spoke under a gateway's name."""


class GatewayEntry(BaseModel):
    """A gateway as its maintainers see it."""

    gateway: str
    state: GatewayState
    session: int | None
    software: str
    last_seen: UtcDatetime | None
    health: dict[str, Any] | None
    """The last ``GatewayHealth`` as it was sent."""
    health_time: UtcDatetime | None
    clock_offset_s: float | None
    """Its clock against ours, positive where it is ahead; null where it cannot be told."""
    lost: int
    lost_events: int
    """Events that its full outbox gave up for alarms."""
    second_box_seen: UtcDatetime | None
    """When a second box last spoke under this name (a clone of its disk); null after a day."""
    dead_letters: int
    out_of_service_until: UtcDatetime | None
    alerts: list[StandingAlert]
    """What the platform has to say of it now, the most severe first."""
    dropped: dict[str, int]
    """What it sent beyond its share, by kind: ``dead-letters``, ``alarm-dead-letters``,
    ``evidence``, ``devices``, ``parameters``; ``alerts-joined`` are alarms told in a counted
    alert, ``alarms-put-off`` are those that it has to send again."""
    conflicts: list[str]
    """Devices that it describes although they belong to another gateway."""
    revoked: UtcDatetime | None
    """When it was thrown out: nothing that it sends is taken."""


class GatewayList(BaseModel):
    """Gateways that the reader may see."""

    gateways: list[GatewayEntry]


class StandingAlert(BaseModel):
    """A platform alert of this gateway that is not over."""

    id: str
    kind: str
    severity: Severity
    title: str
    title_zh: str


@router.get("/gateways", tags=["gateways"])
def list_gateways(operator: Operator, services: ServicesDependency) -> GatewayList:
    """All gateways with their health."""
    with services.sessions() as session:
        return GatewayList(gateways=entries(session, services.now(), operator))


def entries(session: Session, now: datetime, reader: Reader | None = None) -> list[GatewayEntry]:
    """Every gateway, by name; those of the reader's districts, where one asks."""
    refused = select(DeadLetter.gateway, func.sum(DeadLetter.count)).group_by(DeadLetter.gateway)
    counts = {gateway: int(count) for gateway, count in session.execute(refused)}
    alerts = _standing_alerts(session)
    revoked = {row.gateway: row.at for row in session.scalars(select(GatewayRevocation))}
    dropped = dropped_of(session)
    which = true() if reader is None else visible_gateways(reader)
    return [
        GatewayEntry(
            gateway=row.gateway,
            state=_gateway_state(row),
            session=row.session,
            software=row.software,
            last_seen=row.last_seen,
            health=row.health,
            health_time=row.health_time,
            clock_offset_s=row.clock_offset_s,
            lost=row.lost,
            lost_events=row.lost_events,
            second_box_seen=_lately(row.second_box_seen, now),
            out_of_service_until=_planned(row.out_of_service_until, now),
            alerts=alerts[row.gateway],
            conflicts=row.conflicts,
            revoked=revoked.get(row.gateway),
            dead_letters=counts.get(row.gateway, 0),
            dropped=dropped.get(row.gateway, {}),
        )
        for row in session.scalars(select(Gateway).where(which).order_by(Gateway.gateway))
    ]


def _standing_alerts(session: Session) -> Mapping[str, list[StandingAlert]]:
    found: dict[str, list[StandingAlert]] = defaultdict(list)
    rows = standing(session, *OF_THE_GATEWAY, *OF_ITS_HEALTH)
    for row in sorted(rows, key=lambda row: -SEVERITIES.index(row.severity)):
        found[row.gateway].append(StandingAlert.model_validate(row, from_attributes=True))
    return found


def _planned(until: datetime | None, now: datetime) -> datetime | None:
    return until if until is not None and until > now else None


def _lately(seen: datetime | None, now: datetime) -> datetime | None:
    return seen if seen is not None and seen > now - SECOND_BOX_SHOWN else None


def _gateway_state(row: Gateway) -> GatewayState:
    if row.offline:
        return "offline"
    return "unknown" if row.last_seen is None else "online"
