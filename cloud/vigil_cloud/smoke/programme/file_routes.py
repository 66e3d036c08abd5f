"""The programme as files over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.parameters import Truth
from vigil_cloud.services import Services
from vigil_cloud.smoke.programme import files
from vigil_cloud.smoke.programme.access import CSV, Office
from vigil_cloud.smoke.programme.files import BadProgrammeFile
from vigil_cloud.smoke.programme.schema import ProgrammeImported, ProgrammeMistake

router = APIRouter(prefix="/smoke/programme", tags=["smoke"])


@router.get(
    "/export",
    operation_id="export_programme",
    response_class=Response,
    responses={200: {"description": "The homes", "content": {"text/csv": CSV}}},
)
def export(office: Office, services: ServicesDependency) -> Response:
    """Homes with names and addresses, as CSV that spreadsheets open (UTF-8 with a byte order
    mark). That it was taken out is in the audit log."""
    with writing(services.sessions) as session:
        cipher, now = Cipher(services.settings.secret), services.now()
        text = files.written(session, cipher, office, now)
    named = {"Content-Disposition": 'attachment; filename="programme.csv"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=named)


@router.post(
    "/import",
    operation_id="import_programme",
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": CSV}}},
)
async def take_in(
    request: Request,
    keeper: Annotated[Reader, Depends(require(Role.ADMINISTRATOR))],
    services: ServicesDependency,
    what: Annotated[Literal["homes", "villages"], Query()] = "homes",
    dry_run: Annotated[Truth, Query()] = False,
) -> ProgrammeImported:
    """A file in UTF-8, UTF-16 or Big5: taken whole, or not at all with each line's mistake.
    `dry_run`: only look."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > files.LARGEST:
            raise BadProgrammeFile(f"More than {files.LARGEST} bytes.")
    return await run_in_threadpool(
        _take, services, keeper, bytes(received), what == "villages", dry_run
    )


class _Undone(Exception):
    """Ends the transaction without a trace."""


def _take(
    services: Services, keeper: Reader, content: bytes, villages: bool, dry_run: bool
) -> ProgrammeImported:
    cipher, now, by = Cipher(services.settings.secret), services.now(), keeper.username
    done = files.Done()
    try:
        with writing(services.sessions) as session:
            done = files.take(session, cipher, content, villages=villages, by=by, now=now)
            if dry_run or done.mistakes:
                raise _Undone
    except _Undone:
        pass
    return ProgrammeImported(
        done=not dry_run and not done.mistakes,
        rows=done.rows,
        added=done.added,
        mistakes=[ProgrammeMistake(line=one.line, text=one.text) for one in done.mistakes],
    )
