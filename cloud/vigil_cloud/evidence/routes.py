"""Evidence over HTTP: gateways put sealed zips, people look at single files."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from pathlib import Path as FilePath
from typing import Annotated, ClassVar, Final

from anyio import open_file
from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.titles import in_case
from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.engine import writing
from vigil_cloud.evidence import reading, service
from vigil_cloud.evidence.again import EvidenceVerification, verified_again
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.evidence.verification import LARGEST_ZIP, EvidenceInvalid, EvidenceTooLarge
from vigil_cloud.identity import looks
from vigil_cloud.identity.dependencies import (
    AuthenticatedGateway,
    CurrentAccount,
    ServicesDependency,
)
from vigil_cloud.identity.reader import Reader
from vigil_cloud.services import Services
from vigil_schemas.types import Sha256

router = APIRouter(tags=["evidence"])

_SHOWN: Final = frozenset(
    {
        *("image/png", "image/jpeg", "image/webp", "audio/wav", "audio/x-wav", "audio/flac"),
        *("audio/ogg", "audio/mpeg", "audio/mp4", "audio/webm", "video/mp4", "video/webm"),
        *("application/json", "text/csv"),
    }
)
"""What a browser may show. Anything else is only saved: a gateway's file must not run here."""


UPLOADS_AT_ONCE: Final = 8
"""In this process: each may fill as much disk as the largest zip."""
_uploads = threading.BoundedSemaphore(UPLOADS_AT_ONCE)
_uploading: Counter[str] = Counter()
"""By gateway; touched by the event loop alone."""


class TooManyUploads(ApiError):
    """The disk and the processor take only so many at once; gateways come again."""

    code: ClassVar[str] = "too-many-uploads"
    remedy: ClassVar[str] = "Nothing: the gateway comes again."
    status: ClassVar[int] = 503


class EvidenceStored(BaseModel):
    """The zip is kept under its digest."""

    sha256: str
    stored: bool


@router.put(
    "/gateways/{gateway}/evidence/{sha256}",
    status_code=201,
    operation_id="put_evidence",
    responses={200: {"model": EvidenceStored, "description": "Already there"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_evidence(
    gateway: AuthenticatedGateway,
    sha256: Annotated[Sha256, Path()],
    request: Request,
    response: Response,
    services: ServicesDependency,
) -> EvidenceStored:
    """Verify and keep a sealed zip. 422 without Retry-After: never send it again."""
    if await run_in_threadpool(service.known, services, gateway, sha256):
        response.status_code = 200
        return EvidenceStored(sha256=sha256, stored=True)
    await run_in_threadpool(service.admit, services, gateway, _announced(request))
    most = services.settings.quotas.evidence_uploads
    if _uploading[gateway] >= most or not _uploads.acquire(blocking=False):
        raise TooManyUploads("Too many uploads at once; send it again later.", {"Retry-After": "5"})
    _uploading[gateway] += 1
    try:
        await _take_in(request, services, gateway, sha256)
    finally:
        _uploads.release()
        _uploading[gateway] -= 1
        if not _uploading[gateway]:
            del _uploading[gateway]
    return EvidenceStored(sha256=sha256, stored=True)


def _announced(request: Request) -> int:
    length = request.headers.get("Content-Length", "")
    return min(int(length), LARGEST_ZIP) if length.isascii() and length.isdigit() else 0


async def _take_in(request: Request, services: Services, gateway: str, sha256: str) -> None:
    path = await run_in_threadpool(service.new_upload, services)
    try:
        if await _receive(request, path, services) != sha256:
            raise EvidenceInvalid(
                "The body's SHA-256 is not the one in the address: it changed on the way.",
                {"Retry-After": "60"},
            )
        await run_in_threadpool(service.store, services, gateway, sha256, path)
    finally:
        await run_in_threadpool(path.unlink, missing_ok=True)


@router.get(
    "/evidence/{sha256}.zip",
    operation_id="get_evidence_package",
    response_class=Response,
    responses={
        200: {"description": "The sealed zip", "content": {"application/zip": {}}},
        206: {"description": "A part of it", "content": {"application/zip": {}}},
    },
)
def get_evidence_package(
    sha256: Annotated[Sha256, Path()],
    reader: CurrentAccount,
    services: ServicesDependency,
    range: Annotated[str | None, Header(pattern=r"^[ -~]*$", max_length=200)] = None,
) -> StreamingResponse:
    """The whole package as its gateway sealed it: `vigil-cloud evidence verify` checks it.

    Follows the rights of its alert, and where none names it those of its device's domain. Each
    look is written down.
    """
    with services.sessions() as session:
        row, alert = service.evidence_for(session, reader, sha256)
    size = services.objects.size(row.object_name)
    part = reading.requested(range, size)
    _note(services, reader, row, alert, f"{sha256}.zip")
    start, end = part or (0, size - 1)
    headers = _headers(f"{sha256}.zip", sha256, (start, end), size if part else None, shown=False)
    body = services.objects.read(row.object_name, start, end - start + 1)
    return StreamingResponse(body, 206 if part else 200, headers, "application/zip")


@router.get("/evidence/{sha256}.verification", operation_id="verify_evidence_package")
def verify_evidence_package(
    sha256: Annotated[Sha256, Path()], reader: CurrentAccount, services: ServicesDependency
) -> EvidenceVerification:
    """Verify the stored package now: every byte, its seal, and its place in the gateway's chain.

    Follows the rights of its alert, and where none names it those of its device's domain. Each
    look is written down.
    """
    with services.sessions() as session:
        row, alert = service.evidence_for(session, reader, sha256)
    _note(services, reader, row, alert, f"{sha256}.verification")
    return verified_again(services, row)


@router.get(
    "/evidence/{sha256}/{file}",
    operation_id="get_evidence_file",
    response_class=Response,
    responses={
        200: {"description": "The file", "content": {"application/octet-stream": {}}},
        206: {"description": "A part of it", "content": {"application/octet-stream": {}}},
    },
)
def get_evidence_file(
    sha256: Annotated[Sha256, Path()],
    file: Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")],
    reader: CurrentAccount,
    services: ServicesDependency,
    range: Annotated[str | None, Header(pattern=r"^[ -~]*$", max_length=200)] = None,
) -> StreamingResponse:
    """One file of the evidence, its manifest.json or manifest.sig.

    Follows the rights of its alert, and where none names it those of its device's domain. Each
    look is written down.
    """
    with services.sessions() as session:
        row, alert = service.evidence_for(session, reader, sha256)
    entry = service.file_in(services.objects, row, file)
    part = reading.requested(range, entry.size)
    services.objects.size(row.object_name)  # says now, not in the middle, that it is missing
    _note(services, reader, row, alert, f"{sha256}/{file}")
    start, end = part or (0, entry.size - 1)
    shown = entry.media_type in _SHOWN
    headers = _headers(file, entry.sha256, (start, end), entry.size if part else None, shown=shown)
    return StreamingResponse(
        reading.stream(services.objects, row.object_name, file, start, end - start + 1),
        206 if part is not None else 200,
        headers,
        entry.media_type if shown else "application/octet-stream",
    )


def _note(
    services: Services, reader: Reader, row: EvidenceRow, alert: AlertRow | None, what: str
) -> None:
    why: dict[str, str] = {"device": row.device}
    if alert is not None:
        why = {"alert": alert.id, **(in_case(alert.case_id) or {})}
    with writing(services.sessions) as session:
        looks.note(
            session,
            now=services.now(),
            account=reader.username,
            action="evidence.read",
            subject=what[:128],
            person_key=None if alert is None else alert.person_key,
            detail=why,
        )


def _headers(
    name: str, sha256: str, span: tuple[int, int], part_of: int | None, *, shown: bool
) -> dict[str, str]:
    start, end = span
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start + 1),
        "Content-Disposition": f'{"inline" if shown else "attachment"}; filename="{name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
        "ETag": f'"{sha256}"',
    }
    if part_of is not None:
        headers["Content-Range"] = f"bytes {start}-{end}/{part_of}"
    return headers


async def _receive(request: Request, path: FilePath, services: Services) -> str:
    """Write the body to a file; returns its digest. Raises ``EvidenceTooLarge``."""
    digest, size = hashlib.sha256(), 0
    async with await open_file(path, "wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > LARGEST_ZIP:
                raise EvidenceTooLarge(LARGEST_ZIP)
            service.keep_room(services)  # others fill the disk as well, and a length may be false
            digest.update(chunk)
            await file.write(chunk)
    return digest.hexdigest()
