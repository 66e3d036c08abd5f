"""Water, described for the platform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.port import ReadingHandler
from vigil_cloud.identity.roles import Role
from vigil_cloud.water.cases import inspection
from vigil_cloud.water.condition import PROBE_HOURS, ProbeCondition
from vigil_cloud.water.detail import ExcursionDetail
from vigil_cloud.water.routes import router
from vigil_cloud.water.service import WaterHandler
from vigil_schemas.water import CONTRACT


def _readings(now: Callable[[], datetime]) -> Sequence[ReadingHandler]:
    return (ProbeCondition(now),)


DOMAIN: Final = CloudDomain(
    contract=CONTRACT,
    title="Water",
    title_zh="水質",
    alert_roles=frozenset({Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR}),
    device_roles=frozenset(Role),  # they stand in public view
    shelve_roles=frozenset({Role.INSPECTOR, Role.MAINTAINER, Role.ADMINISTRATOR}),
    details=(ExcursionDetail,),
    handlers=(WaterHandler(),),
    reading_handlers=_readings,
    work_kinds=(PROBE_HOURS,),
    routers=(router,),
    case_kinds=(inspection(),),
)
