"""Districts over HTTP: which there are, what stands where, and who is limited to which."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import districts
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency, require
from vigil_cloud.identity.household_schema import (
    DistrictBody,
    DistrictEntry,
    DistrictId,
    DistrictList,
    Limits,
    PlaceBody,
    PositionBody,
)
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import Username
from vigil_cloud.identity.service import account_named
from vigil_cloud.services import Services
from vigil_schemas.types import DeviceId, GatewayId

router = APIRouter(tags=["districts"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]


@router.get("/districts", operation_id="list_districts")
def list_districts(_reader: CurrentAccount, services: ServicesDependency) -> DistrictList:
    """The parts of the city."""
    with services.sessions() as session:
        found = districts.districts(session)
    return DistrictList(
        districts=[
            DistrictEntry(
                district=one.district,
                name=one.name,
                name_zh=one.name_zh,
                outline=one.outline
                and [PositionBody(latitude=lat, longitude=lon) for lat, lon in one.outline],
            )
            for one in found
        ]
    )


@router.put("/districts/{district}", status_code=204, operation_id="put_district")
def put_district(
    district: Annotated[DistrictId, Path()],
    body: DistrictBody,
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """Add one, or call it otherwise."""
    with writing(services.sessions) as session:
        by, now = administrator.username, services.now()
        districts.put(session, district, body.name, body.name_zh, by=by, now=now)
        if "outline" in body.model_fields_set:
            corners = [(one.latitude, one.longitude) for one in body.outline or ()]
            districts.outline(session, district, corners, by=by, now=now)


@router.delete("/districts/{district}", status_code=204, operation_id="remove_district")
def remove_district(
    district: Annotated[DistrictId, Path()],
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """409 while accounts, devices, gateways or households rest on it."""
    with writing(services.sessions) as session:
        districts.remove(session, district, by=administrator.username, now=services.now())


@router.put("/accounts/{username}/districts", status_code=204, operation_id="put_account_districts")
def put_account_districts(
    username: Annotated[Username, Path()],
    body: Limits,
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """The account sees these alone from now on, or the whole city; also on open pages."""
    with writing(services.sessions) as session:
        account = account_named(session, username)
        by, now = administrator.username, services.now()
        districts.limit(session, account, body.districts or [], by=by, now=now)
    services.changed.announce()


@router.put("/devices/{device}/district", status_code=204, operation_id="put_device_district")
def put_device_district(
    device: Annotated[DeviceId, Path()],
    body: PlaceBody,
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """Where the device stands, also before it is heard of. Its open alerts go with it."""
    _place(services, "device", device, body.district, administrator)


@router.put("/gateways/{gateway}/district", status_code=204, operation_id="put_gateway_district")
def put_gateway_district(
    gateway: Annotated[GatewayId, Path()],
    body: PlaceBody,
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """The same of a gateway: who sees it and the alerts about itself."""
    _place(services, "gateway", gateway, body.district, administrator)


def _place(
    services: Services,
    kind: districts.Kind,
    thing: str,
    district: str | None,
    administrator: Reader,
) -> None:
    with writing(services.sessions) as session:
        by, now = administrator.username, services.now()
        districts.place(session, kind, thing, district, by=by, now=now)
    services.changed.announce()
