"""Irrigation, described for the platform: a domain of the cloud alone, that hears no device."""

from __future__ import annotations

from typing import Final

from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.identity.roles import Role
from vigil_cloud.irrigation.detail import GateDetail
from vigil_cloud.irrigation.port import IRRIGATION
from vigil_cloud.irrigation.routes import router
from vigil_schemas.contract import DomainContract

DOMAIN: Final = CloudDomain(
    contract=DomainContract(name=IRRIGATION, observes=False),
    title="Irrigation",
    title_zh="灌溉",
    alert_roles=frozenset({Role.IRRIGATION, Role.INSPECTOR, Role.ADMINISTRATOR}),
    shelve_roles=frozenset(),  # there is no device to put aside
    details=(GateDetail,),
    routers=(router,),
)
