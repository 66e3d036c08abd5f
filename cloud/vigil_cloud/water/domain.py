"""Water, described for the platform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, not_, or_

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.descriptor import Expiring
from vigil_cloud.domain.port import ReadingHandler
from vigil_cloud.identity.roles import PUBLIC_VIEW, Role
from vigil_cloud.water.cases import inspection
from vigil_cloud.water.condition import PROBE_HOURS, ProbeCondition
from vigil_cloud.water.detail import AnomalyDetail, ExcursionDetail
from vigil_cloud.water.detecting import WATER_DETECTION
from vigil_cloud.water.dry_run_routes import router as dry_run_router
from vigil_cloud.water.following import FOLLOW, LateReadings
from vigil_cloud.water.incident_routes import router as incident_router
from vigil_cloud.water.incidents import ALSO
from vigil_cloud.water.models import AnomalyRow, Excursion, Incident
from vigil_cloud.water.network_routes import router as network_router
from vigil_cloud.water.routes import router
from vigil_cloud.water.seed import SEED
from vigil_cloud.water.service import WaterHandler
from vigil_cloud.water.source_work import SOURCE_TRACE
from vigil_cloud.water.station_view import router as station_router
from vigil_schemas.water import CONTRACT


def _readings(now: Callable[[], datetime]) -> Sequence[ReadingHandler]:
    return (ProbeCondition(now), LateReadings(now))


def _over(before: datetime) -> ColumnElement[bool]:
    """Incidents go after their alerts, which stay until they are over and seen, and as long as a
    case rests on them."""
    kept = exists().where(AlertRow.id == Incident.alert_id)
    return and_(Incident.ended < before, not_(kept))


def _past(before: datetime) -> ColumnElement[bool]:
    """Excursions go after their incident and their alert."""
    kept = or_(
        exists().where(AlertRow.id == Excursion.alert_id),
        exists().where(Incident.id == Excursion.incident),
    )
    return and_(Excursion.ended < before, not_(kept))


def _found(before: datetime) -> ColumnElement[bool]:
    return AnomalyRow.found < before


DOMAIN: Final = CloudDomain(
    contract=CONTRACT,
    title="Water",
    title_zh="水質",
    alert_roles=frozenset({Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR}),
    device_roles=PUBLIC_VIEW,  # they stand in public view
    shelve_roles=frozenset({Role.INSPECTOR, Role.MAINTAINER, Role.ADMINISTRATOR}),
    details=(ExcursionDetail, AnomalyDetail),
    handlers=(WaterHandler(),),
    reading_handlers=_readings,
    seed=SEED,
    told_again={ALSO: ("another excursion of the same water", "同一水體另有異常")},
    work_kinds=(PROBE_HOURS, WATER_DETECTION, SOURCE_TRACE),
    jobs=lambda _settings: (FOLLOW,),
    imports=("/water/network/import", "/water/dry-run"),
    routers=(router, incident_router, network_router, dry_run_router, station_router),
    case_kinds=(inspection(),),
    expiring=(
        Expiring("water incidents", lambda kept: kept.alerts_days, Incident, Incident.id, _over),
        Expiring("excursions", lambda kept: kept.alerts_days, Excursion, Excursion.id, _past),
        Expiring("anomalies", lambda kept: kept.alerts_days, AnomalyRow, AnomalyRow.id, _found),
    ),
)
