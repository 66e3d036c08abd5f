"""Photographs of cases over HTTP. The body is the picture itself; the caption travels in ``Slug``
(RFC 5023), percent-encoded, so that it stands in no log of addresses."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final
from urllib.parse import unquote

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from vigil_cloud.api_errors import ApiError
from vigil_cloud.cases import idempotency, photographs
from vigil_cloud.cases.errors import CaseForbidden, PhotographRefused, PhotographTooLarge
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.routes import BenchDependency, CaseId, note_look
from vigil_cloud.cases.schema import Case
from vigil_cloud.cases.service import Desk, find
from vigil_cloud.cases.written import Written, WrittenDependency
from vigil_cloud.evidence.service import keep_room

LONGEST_CAPTION: Final = 500
_AT_ONCE: Final = 4
"""Uploads held in memory by this process."""

router = APIRouter(prefix="/cases", tags=["cases"])
_receiving = asyncio.Semaphore(_AT_ONCE)
_PICTURE: Final = {"type": "string", "format": "binary"}


@router.post(
    "/{case_id}/photographs",
    operation_id="add_case_photograph",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "image/jpeg": {"schema": _PICTURE},
                "image/png": {"schema": _PICTURE},
                "image/webp": {"schema": _PICTURE},
            },
        }
    },
)
async def add_case_photograph(
    case_id: CaseId,
    request: Request,
    bench: BenchDependency,
    written: WrittenDependency,
    slug: Annotated[
        str | None,
        Header(max_length=6000, description="the caption, as percent-encoded UTF-8"),
    ] = None,
) -> Case:
    """A JPEG, PNG or WebP picture of at most 20 MB and 64 million pixels. It is written anew
    without metadata: where it was taken is not kept; the answer says whether the file told it."""
    caption = _caption(slug)
    await run_in_threadpool(_may_add, bench, case_id)
    async with _receiving:
        try:
            received = await _receive(request)
        except PhotographTooLarge as refused:
            await run_in_threadpool(bench.note_refusal, refused)
            raise
        return await run_in_threadpool(_keep, bench, case_id, received, caption, written)


def _caption(slug: str | None) -> str:
    try:
        caption = unquote(slug or "", errors="strict")
    except UnicodeDecodeError as error:
        raise PhotographRefused("Slug holds the caption as percent-encoded UTF-8.") from error
    if len(caption) > LONGEST_CAPTION or "\0" in caption:
        raise PhotographRefused(f"A caption may have {LONGEST_CAPTION} characters.")
    return caption.strip()


def _may_add(bench: BenchDependency, case_id: str) -> None:
    """Before twenty megabytes are taken in."""
    with bench.reading() as desk:
        _, kind = find(desk, case_id)
        if not desk.reader.has(*kind.may("photograph")):
            raise CaseForbidden("photograph", kind.may("photograph"))
    keep_room(bench.services, photographs.LARGEST_BYTES)


async def _receive(request: Request) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > photographs.LARGEST_BYTES:
            raise PhotographTooLarge(photographs.LARGEST_BYTES, "bytes")
    return bytes(received)


def _keep(
    bench: BenchDependency, case_id: str, received: bytes, caption: str, written: Written
) -> Case:
    with bench.refusals_noted():
        prepared = photographs.prepare(received)
    asked = idempotency.digest("photograph", case_id, prepared.received_sha256, caption)
    objects = bench.services.objects
    stored = photographs.store(objects, case_id, prepared)
    kept = False

    def add(desk: Desk) -> CaseRow:
        nonlocal kept
        row = photographs.add(desk, case_id, prepared, stored, caption, written)
        kept = True
        return row

    try:
        case = bench.change(asked, add)
    except ApiError:
        objects.delete(stored.name)
        raise
    if not kept:  # the same request had been here before
        objects.delete(stored.name)
    return case


@router.get(
    "/{case_id}/photographs/{photograph}",
    operation_id="get_case_photograph",
    response_class=Response,
    responses={200: {"description": "The picture", "content": {"image/jpeg": {}}}},
)
def get_case_photograph(
    case_id: CaseId,
    photograph: Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")],
    bench: BenchDependency,
) -> Response:
    """One picture. The look at its case is written down."""
    with bench.reading() as desk:
        row, _ = find(desk, case_id)
        content = photographs.read(desk, bench.services.objects, row, photograph)
    note_look(bench.services, bench.reader, row, "case.read", "photograph")
    return Response(
        content,
        media_type="image/jpeg",
        headers={
            "Content-Disposition": f'inline; filename="{row.number}-{photograph[:8]}.jpg"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )
