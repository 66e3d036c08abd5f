"""Smoke alarms, described for the platform."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.config import Settings
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.descriptor import Expiring, LifeSafety
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.port import Job
from vigil_cloud.smoke.answers import FireAtHome
from vigil_cloud.smoke.cases import fire_case
from vigil_cloud.smoke.damaged import READING
from vigil_cloud.smoke.detail import (
    CodeLockedDetail,
    ConditionDetail,
    MovedDetail,
    NotWatchedDetail,
    TestDueDetail,
)
from vigil_cloud.smoke.fire_routes import router as fire_router
from vigil_cloud.smoke.fires import TOLD_AT_HOME
from vigil_cloud.smoke.home_routes import router as home_router
from vigil_cloud.smoke.homes import HomesOnFire
from vigil_cloud.smoke.instructions import INSTRUCTIONS
from vigil_cloud.smoke.live import Watch
from vigil_cloud.smoke.models import AlarmCondition, Fire, FireAlarm
from vigil_cloud.smoke.news import FIRES
from vigil_cloud.smoke.programme import file_routes, fit_routes, own_routes
from vigil_cloud.smoke.programme import routes as programme
from vigil_cloud.smoke.programme.personal import HomesOfProgramme
from vigil_cloud.smoke.programme.progress import OVER
from vigil_cloud.smoke.programme.reminders import programme_job
from vigil_cloud.smoke.programme_models import ProgrammeHome
from vigil_cloud.smoke.routes import router
from vigil_cloud.smoke.self_tests import smoke_job
from vigil_cloud.smoke.service import SmokeHandler
from vigil_cloud.smoke.unwatched import unwatched_job
from vigil_cloud.smoke.verdict import TOLD_AGAIN
from vigil_schemas.smoke import CONTRACT

_HOME: Final = frozenset({Role.DISPATCHER, Role.MAINTAINER, Role.ADMINISTRATOR})


def _over(before: datetime) -> ColumnElement[bool]:
    """Fires go after their alerts and their case."""
    alarm = exists().where(FireAlarm.fire == Fire.id, AlertRow.id == FireAlarm.alert_id)
    kept = or_(
        exists().where(AlertRow.id == Fire.alert_id),
        exists().where(CaseRow.id == Fire.case_id),
        alarm,
    )
    return and_(Fire.opened < before, Fire.phase == "over", not_(Fire.to_do), not_(kept))


def _past(before: datetime) -> ColumnElement[bool]:
    """Conditions go after their alert; what no fire could be opened for yet stays."""
    kept = exists().where(AlertRow.id == AlarmCondition.alert_id)
    ended = func.coalesce(AlarmCondition.over_heard, AlarmCondition.cleared)
    return and_(ended < before, not_(AlarmCondition.fire_owed), not_(kept))


def _left(before: datetime) -> ColumnElement[bool]:
    """Homes that left the programme, with all that is kept of them."""
    return and_(ProgrammeHome.changed < before, ProgrammeHome.phase.in_(sorted(OVER)))


def _jobs(_settings: Settings) -> Sequence[Job]:
    return (smoke_job(), Watch().job(), programme_job(), unwatched_job())


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
    instructions=INSTRUCTIONS,
    details=(ConditionDetail, CodeLockedDetail, MovedDetail, NotWatchedDetail, TestDueDetail),
    handlers=(SmokeHandler(),),
    jobs=_jobs,
    routers=(
        *(router, fire_router, home_router),
        *(own_routes.router, programme.router, fit_routes.router, file_routes.router),
    ),
    imports=("/smoke/programme/photos", "/smoke/programme/import"),
    feed_kinds=(FIRES,),
    case_kinds=(fire_case(),),
    told_by={"homes": ("home.",)},
    personal_records=(HomesOnFire(), HomesOfProgramme()),
    expiring=(
        Expiring("fires", lambda kept: kept.alerts_days, Fire, Fire.id, _over),
        Expiring(
            "smoke conditions",
            lambda kept: kept.alerts_days,
            AlarmCondition,
            AlarmCondition.id,
            _past,
        ),
        Expiring(
            "programme homes", lambda kept: kept.alerts_days, ProgrammeHome, ProgrammeHome.id, _left
        ),
    ),
)
