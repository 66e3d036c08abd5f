"""Noise, described for the platform."""

from __future__ import annotations

from typing import Final

from vigil_cloud.descriptor import CloudDomain
from vigil_cloud.identity.roles import PUBLIC_VIEW, Role
from vigil_cloud.noise.cases import exceedance_case
from vigil_cloud.noise.detail import ExceedanceDetail
from vigil_cloud.noise.owner_routes import router as owner_router
from vigil_cloud.noise.register_routes import router as register_router
from vigil_cloud.noise.routes import router
from vigil_cloud.noise.seeding import SEED
from vigil_cloud.noise.service import NoiseHandler
from vigil_schemas.noise import CONTRACT

DOMAIN: Final = CloudDomain(
    contract=CONTRACT,
    title="Noise",
    title_zh="噪音",
    alert_roles=frozenset({Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR}),
    personal_roles=frozenset({Role.INSPECTOR, Role.REVIEWER, Role.POLICE}),
    device_roles=PUBLIC_VIEW,  # they stand in public view
    shelve_roles=frozenset({Role.INSPECTOR, Role.MAINTAINER, Role.ADMINISTRATOR}),
    details=(ExceedanceDetail,),
    handlers=(NoiseHandler(),),
    routers=(router, register_router, owner_router),
    seed=SEED,
    case_kinds=(exceedance_case(),),
)
