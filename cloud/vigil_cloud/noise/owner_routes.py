"""The owner of a vehicle that was fined, over HTTP. Each question is written down with its reason
in the case's history before it is answered; the answer is not kept. The register is asked outside
of every transaction: alarms wait for no other office's server."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from vigil_cloud.cases import service
from vigil_cloud.cases.errors import CaseForbidden, CaseUnknown
from vigil_cloud.cases.routes import BenchDependency, CaseId
from vigil_cloud.cases.schema import Reason
from vigil_cloud.identity.roles import Role
from vigil_cloud.noise.judging import FINE, PLATE
from vigil_cloud.noise.owners import FileRegister, NoPlateDecided, Owner, VehicleRegister
from vigil_schemas.noise import DOMAIN

router = APIRouter(prefix="/noise", tags=["noise"])
_ASKS = frozenset({Role.INSPECTOR, Role.REVIEWER})


class AskOwner(BaseModel):
    """Why the owner is to be known."""

    model_config = ConfigDict(strict=True, extra="forbid")

    reason: Reason


class OwnerAnswer(BaseModel):
    """What the register of vehicles says."""

    plate: str
    owner: Owner | None
    """Null: it knows no such plate."""


def _register(request: Request) -> VehicleRegister:
    given: VehicleRegister | None = getattr(request.app.state, "vehicle_register", None)
    return given or FileRegister(request.app.state.services.settings.vehicle_register_file)


@router.post("/cases/{case_id}/owner", operation_id="look_up_vehicle_owner")
def look_up_vehicle_owner(
    case_id: CaseId,
    body: AskOwner,
    bench: BenchDependency,
    vehicles: Annotated[VehicleRegister, Depends(_register)],
) -> OwnerAnswer:
    """Whose the vehicle is that was fined."""
    with bench.writing() as desk:
        plate = agreed_plate(_asked_of(desk, case_id))
    found = vehicles.owner(plate)
    with bench.writing() as desk:
        held = _asked_of(desk, case_id)
        if agreed_plate(held) != plate:
            raise NoPlateDecided("The case was decided anew meanwhile.")
        detail = {"what": "owner", "found": found is not None}
        service.told(desk, held.row, "noted", detail, body.reason)
    bench.services.changed.announce()
    return OwnerAnswer(plate=plate, owner=found)


def _asked_of(desk: service.Desk, case_id: str) -> service.Held:
    held = service.hold(desk, case_id, "note", None)
    if held.kind.domain != DOMAIN:
        raise CaseUnknown("There is no such case for you.")
    if not desk.reader.has(*_ASKS):
        raise CaseForbidden("owner", _ASKS)
    return held


def agreed_plate(held: service.Held) -> str:
    """The plate on which a decided fine rests, until the case is closed: one that was revoked, paid
    or filed asks for nobody any more. Raises ``NoPlateDecided``."""
    if held.row.state == "closed":
        raise NoPlateDecided("The case is closed: nobody is looked up for it any more.")
    if held.row.outcome == FINE and held.row.state != "appealed":
        said = [vote.entries for vote in held.standing.now if vote.outcome == FINE]
        for entries in said:
            if said.count(entries) >= held.kind.rule.needed:
                return dict(entries)[PLATE]
    raise NoPlateDecided("No plate has been decided in this case.")
