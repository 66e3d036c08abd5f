"""Irrigation, described for the platform: a domain of the cloud alone, that hears no device."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, not_

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.domain.descriptor import Expiring
from vigil_cloud.identity.roles import Role
from vigil_cloud.irrigation.detail import GateDetail
from vigil_cloud.irrigation.models import GateOrder
from vigil_cloud.irrigation.port import IRRIGATION
from vigil_cloud.irrigation.routes import router
from vigil_schemas.contract import DomainContract


def _over(before: datetime) -> ColumnElement[bool]:
    """Orders go after their alerts, which stay until they are over and seen."""
    kept = exists().where(AlertRow.id == GateOrder.alert_id)
    return and_(GateOrder.released < before, not_(kept))


DOMAIN: Final = CloudDomain(
    contract=DomainContract(name=IRRIGATION, observes=False),
    title="Irrigation",
    title_zh="灌溉",
    alert_roles=frozenset({Role.IRRIGATION, Role.INSPECTOR, Role.ADMINISTRATOR}),
    shelve_roles=frozenset(),  # there is no device to put aside
    details=(GateDetail,),
    routers=(router,),
    expiring=(
        Expiring("gate orders", lambda kept: kept.alerts_days, GateOrder, GateOrder.id, _over),
    ),
)
