"""Photographs of patrols over HTTP, for those who keep the register."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from vigil_cloud.aed import patrol_photos, register
from vigil_cloud.aed.register_routes import Keeper
from vigil_cloud.aed.schema import PatrolPhotoEntry, SiteId
from vigil_cloud.cases import photographs
from vigil_cloud.cases.errors import PhotographTooLarge
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import IdempotencyKey, ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import Whole
from vigil_cloud.services import Services

router = APIRouter(prefix="/aed", tags=["aed"])
_LARGEST: Final = 4 * 1024 * 1024
_JPEG: Final = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/patrol-photos",
    status_code=201,
    operation_id="add_aed_patrol_photo",
    openapi_extra={"requestBody": {"required": True, "content": {"image/jpeg": _JPEG}}},
)
async def add_photo(
    request: Request,
    keeper: Keeper,
    services: ServicesDependency,
    site: Annotated[str, Query(pattern=r"^[\w][\w.-]{0,39}$")],
    key: IdempotencyKey = None,
) -> PatrolPhotoEntry:
    """A photograph of the AED, of the patrol that whoever sends it tells within two hours. It is
    written anew: nothing but the picture is kept of the file."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _LARGEST:
            raise PhotographTooLarge(_LARGEST, "bytes")
    return await run_in_threadpool(_keep, services, keeper, site, bytes(received), key)


def _keep(
    services: Services, keeper: Reader, site: str, received: bytes, key: str | None
) -> PatrolPhotoEntry:
    picture = photographs.prepare(received).content
    cipher, now = Cipher(services.settings.secret), services.now()
    with writing(services.sessions) as session:
        register.find(session, site)
        by = keeper.username
        row = patrol_photos.add(session, cipher, site, picture, by=by, now=now, key=key)
        return PatrolPhotoEntry(photo=row.id, at=row.at)


@router.get(
    "/sites/{site}/photos/{photo}",
    operation_id="get_aed_patrol_photo",
    response_class=Response,
    responses={200: {"description": "The picture", "content": {"image/jpeg": _JPEG}}},
)
def get_photo(
    site: SiteId,
    photo: Annotated[Whole, Path(ge=1, le=2**31 - 1)],
    _keeper: Keeper,
    services: ServicesDependency,
) -> Response:
    """One photograph of a patrol."""
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        content = patrol_photos.picture(session, cipher, site, photo)
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "no-store"})
