"""What citizens' phones report, over HTTP: without an account, and without saying who they are."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.checkin import phones
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_schemas.types import UtcDatetime

router = APIRouter(tags=["phones"])
KIND: Final = "phone-reports"
FROM_ONE_NETWORK: Final = 60
"""Requests in five minutes (``attempts.WINDOW``): many phones share a mobile network's address."""
OF_ALL: Final = 30_000
IDS: Final = "phone-ids"
IDS_FROM_ONE_NETWORK: Final = 600
IDS_OF_ALL: Final = 60_000
"""As many as are resolved meanwhile: fewer networks than a hundred keep nobody else's out."""
MOST: Final = 20


class _Body(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class HeardId(_Body):
    """A beacon whose id rotates, heard by a phone. WGS 84, degrees."""

    id: Annotated[str, StringConstraints(pattern=r"^eddystone-eid:[0-9a-f]{16}$")]
    at: UtcDatetime
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    accuracy_m: Annotated[float, Field(ge=0, le=2_000)]
    """It need not be better than some hundred metres; it is rounded to 200 m."""


class PhoneReports(_Body):
    """What one phone heard just now."""

    heard: Annotated[list[HeardId], Field(min_length=1, max_length=MOST)]


@router.post("/phone-reports", status_code=202, operation_id="report_from_phone")
def report_from_phone(body: PhoneReports, request: Request, services: ServicesDependency) -> None:
    """Beacons that a phone has heard; public, and limited. The answer is the same whether any of
    them is known here, and nothing of the phone is kept."""
    now = services.now()
    address = request.client.host if request.client else ""
    wanted = attempts.posts(KIND, "", address, each=FROM_ONE_NETWORK, together=OF_ALL)
    ids = attempts.posts(IDS, "", address, each=IDS_FROM_ONE_NETWORK, together=IDS_OF_ALL)
    with writing(services.sessions) as session:
        attempts.count(session, wanted, now)
        attempts.count(session, ids, now, many=len(body.heard))
    heard = [phones.Heard(**one.model_dump()) for one in body.heard]
    with services.sessions() as session:
        phones.check(session, heard, now)
    with writing(services.sessions) as session:
        phones.take(session, heard, now)
