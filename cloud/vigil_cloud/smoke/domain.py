"""Smoke alarms, described for the platform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vigil_cloud.config import Settings
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.descriptor import LifeSafety
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.port import Job
from vigil_cloud.smoke.answers import FireAtHome
from vigil_cloud.smoke.cases import fire_case
from vigil_cloud.smoke.damaged import READING
from vigil_cloud.smoke.detail import CodeLockedDetail, ConditionDetail
from vigil_cloud.smoke.fire_routes import router as fire_router
from vigil_cloud.smoke.fires import TOLD_AT_HOME
from vigil_cloud.smoke.home_routes import router as home_router
from vigil_cloud.smoke.homes import HomesOnFire
from vigil_cloud.smoke.live import Watch
from vigil_cloud.smoke.news import FIRES
from vigil_cloud.smoke.routes import router
from vigil_cloud.smoke.service import SmokeHandler, smoke_job
from vigil_cloud.smoke.verdict import TOLD_AGAIN
from vigil_schemas.smoke import CONTRACT

_HOME: Final = frozenset({Role.DISPATCHER, Role.MAINTAINER, Role.ADMINISTRATOR})


def _jobs(_settings: Settings) -> Sequence[Job]:
    return (smoke_job(), Watch().job())


DOMAIN: Final = CloudDomain(
    contract=CONTRACT,
    title="Smoke",
    title_zh="火警",
    alert_roles=_HOME,
    device_roles=_HOME,  # they stand in homes
    household_roles=TOLD_AT_HOME,
    false_alarms=True,
    at_home=FireAtHome(),
    life_safety=LifeSafety(
        "its smoke alarms cannot be heard", "其下住宅用火災警報器的訊號無法送達", in_homes=True
    ),
    alarm_reading=READING,
    told_again=TOLD_AGAIN,
    details=(ConditionDetail, CodeLockedDetail),
    handlers=(SmokeHandler(),),
    jobs=_jobs,
    routers=(router, fire_router, home_router),
    feed_kinds=(FIRES,),
    case_kinds=(fire_case(),),
    personal_records=(HomesOnFire(),),
)
