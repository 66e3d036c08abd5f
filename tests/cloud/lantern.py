"""A fifth domain that exists in the tests alone: a lantern that is lit, or is not."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.alarms import (
    AlarmReading,
    DamagedAlarm,
    name_of,
    truth,
    without_faults,
)
from vigil_cloud.domain.descriptor import Look
from vigil_cloud.domain.detail import AlertDetail, Personal
from vigil_cloud.domain.port import Received
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_schemas.contract import DomainContract
from vigil_schemas.types import Model

NAME: Final = "lantern"
SEES_ALERTS: Final = frozenset({Role.REVIEWER, Role.POLICE})
SEES_NAMES: Final = frozenset({Role.POLICE})
SEES_DEVICES: Final = frozenset({Role.REVIEWER, Role.POLICE, Role.VOLUNTEER})


class LanternLit(Model):
    """It was lit, or went out."""

    TYPE: ClassVar[str] = "city.vigil.lantern.lit.v1"

    lit: bool
    lit_by: str | None = None


class LanternDetail(AlertDetail):
    """What is said of a lantern, and who lit it."""

    type: Literal["lantern-lit"] = "lantern-lit"
    lit: bool
    lit_by: Annotated[str | None, Personal] = None


class LanternFallen(Model):
    """It fell: an alarm."""

    TYPE: ClassVar[str] = "city.vigil.lantern.fallen.v1"

    fall: Annotated[str, Field(min_length=8, max_length=64)]
    burning: bool
    metres: Annotated[float, Field(ge=0, le=100)] | None = None


def read_fallen(alarm: DamagedAlarm) -> LanternFallen:
    """What cannot be read burns."""
    values, burning = alarm.values, truth(alarm.values.get("burning"))
    if burning is None:
        alarm.doubts.append("data.burning: cannot be read")
    values |= {"fall": name_of(alarm, "fall"), "burning": burning is not False}
    return without_faults(LanternFallen, values, alarm.doubts)


class LanternHandler:
    types: frozenset[str] = frozenset({LanternLit.TYPE, LanternFallen.TYPE})

    def handle(self, session: Session, message: Received) -> None:
        event = message.data
        feed.lock(session)
        if isinstance(event, LanternFallen):
            self._fallen(session, message, event)
            return
        assert isinstance(event, LanternLit)
        record(
            session,
            Occurrence(
                domain=NAME,
                reference=message.envelope.subject,
                kind="lit",
                gateway=message.gateway,
                device=message.envelope.subject,
                title="Lantern lit",
                title_zh="燈籠亮了",
                severity="minor",
                event_time=message.time,
                active=event.lit,
                detail=event.model_dump(mode="json", exclude_none=True),
                marks=message.marks,
            ),
            message.received,
        )

    @staticmethod
    def _fallen(session: Session, message: Received, event: LanternFallen) -> None:
        record(
            session,
            Occurrence(
                domain=NAME,
                reference=event.fall,
                kind="fallen",
                gateway=message.gateway,
                device=message.envelope.subject,
                title="Lantern fell",
                title_zh="燈籠掉落",
                severity="critical" if event.burning else "minor",
                event_time=message.time,
                active=True,
                detail=event.model_dump(mode="json"),
                marks=message.marks,
                tell_again="oil spilt 3" if event.metres == 3 else None,
            ),
            message.received,
        )


router = APIRouter(prefix="/lantern", tags=["lantern"])


@router.get("/lit", operation_id="count_lit_lanterns")
def lit(
    _reader: Annotated[Reader, Depends(require_alerts_of(NAME))], services: ServicesDependency
) -> int:
    query = select(func.count()).where(AlertRow.domain == NAME, AlertRow.active)
    with services.sessions() as session:
        return session.scalar(query) or 0


LANTERN: Final = CloudDomain(
    contract=DomainContract(name=NAME, events=(LanternLit, LanternFallen), alarms=(LanternFallen,)),
    title="Lanterns",
    title_zh="燈籠",
    look=Look("M8 8h8v9H8V8ZM12 4v4M10 20h4", "#8a4b00", "#ffc27a"),
    alert_roles=SEES_ALERTS,
    personal_roles=SEES_NAMES,
    details=(LanternDetail,),
    device_roles=SEES_DEVICES,
    alarm_reading=AlarmReading(
        read=read_fallen,
        keys=frozenset({"fall", "burning", "metres"}),
        signs=re.compile("lantern"),
        names=("fall",),
        says=("burning", "metres"),
    ),
    told_again={"oil spilt": ("litres of oil were spilt", "燈油外溢（公升）")},
    handlers=(LanternHandler(),),
    routers=(router,),
)
