"""Noise, described for the platform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, not_

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.descriptor import Expiring
from vigil_cloud.domain.port import ReadingHandler
from vigil_cloud.identity.roles import PUBLIC_VIEW, Role
from vigil_cloud.noise.cases import exceedance_case
from vigil_cloud.noise.detail import ExceedanceDetail
from vigil_cloud.noise.hours import LEVEL_HOURS, LevelHours
from vigil_cloud.noise.models import Exceedance, LevelHour
from vigil_cloud.noise.overruling_routes import router as overruling_router
from vigil_cloud.noise.owner_routes import router as owner_router
from vigil_cloud.noise.register_ends import ends_job
from vigil_cloud.noise.register_routes import router as register_router
from vigil_cloud.noise.review_routes import router as review_router
from vigil_cloud.noise.routes import router
from vigil_cloud.noise.seeding import SEED
from vigil_cloud.noise.service import NoiseHandler
from vigil_schemas.noise import CONTRACT


def _hours(now: Callable[[], datetime]) -> Sequence[ReadingHandler]:
    del now  # which hour a reading belongs to, its own time says
    return (LevelHours(),)


def _past(before: datetime) -> ColumnElement[bool]:
    return LevelHour.hour < before


def _over(before: datetime) -> ColumnElement[bool]:
    """What was measured, with the plates that a machine read, goes after its alert, which stays
    until it was looked at and as long as a case rests on it."""
    kept = exists().where(AlertRow.id == Exceedance.alert_id)
    return and_(Exceedance.ended < before, not_(kept))


DOMAIN: Final = CloudDomain(
    contract=CONTRACT,
    title="Noise",
    title_zh="噪音",
    alert_roles=frozenset({Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR}),
    personal_roles=frozenset({Role.INSPECTOR, Role.REVIEWER, Role.POLICE}),
    evidence_roles=frozenset({Role.INSPECTOR, Role.REVIEWER}),  # who finds a wrong veto
    device_roles=PUBLIC_VIEW,  # they stand in public view
    shelve_roles=frozenset({Role.INSPECTOR, Role.MAINTAINER, Role.ADMINISTRATOR}),
    details=(ExceedanceDetail,),
    handlers=(NoiseHandler(),),
    reading_handlers=_hours,
    jobs=lambda _settings: (LEVEL_HOURS, ends_job()),
    routers=(router, register_router, owner_router, review_router, overruling_router),
    seed=SEED,
    case_kinds=(exceedance_case(),),
    expiring=(
        Expiring("exceedances", lambda kept: kept.alerts_days, Exceedance, Exceedance.id, _over),
        Expiring("level hours", lambda kept: kept.alerts_days, LevelHour, LevelHour.id, _past),
    ),
)
