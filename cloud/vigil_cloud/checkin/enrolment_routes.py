"""Enrolment by files, for the health bureau and administrators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict

from vigil_cloud.checkin import enrolment_files
from vigil_cloud.checkin.enrolment_files import LARGEST, BadEnrolmentFile, Done
from vigil_cloud.checkin.invitations import MAY_ENROL
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.guardian_consents import NotCalled, not_called
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.parameters import Truth
from vigil_cloud.services import Services

router = APIRouter(prefix="/enrolment", tags=["people"])
Staff = Annotated[Reader, Depends(require(*MAY_ENROL))]
MOST_SHOWN: Final = 200
_TEXT = {"schema": {"type": "string"}}


class RowMistake(BaseModel):
    """What is wrong with one line."""

    line: int
    text: str


class GuardianNotCalled(BaseModel):
    """A guardian who hears no alert about whom they guard: no consent opens alerts to them."""

    person: str
    account: str


class GuardiansNotCalled(BaseModel):
    """By person."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    count: int
    guardians: list[GuardianNotCalled]
    """The first 200."""


class EnrolmentDone(BaseModel):
    """What a file did; with `dry_run` or a mistake: what it would do, and nothing was done."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    done: bool
    rows: int
    persons: int
    """Enrolled by it."""
    tags: int
    """Given by it."""
    guardians: int
    stock: int
    """Amulets of the stock that it names."""
    not_called: GuardiansNotCalled
    """Of the file's persons."""
    mistakes: list[RowMistake]


class _Undone(Exception):
    """Ends the transaction without a trace."""


@router.get(
    "/export",
    operation_id="export_enrolment",
    response_class=Response,
    responses={200: {"description": "Who is enrolled", "content": {"text/csv": _TEXT}}},
)
def export_enrolment(staff: Staff, services: ServicesDependency) -> Response:
    """Persons, what they carry, their guardians and the free stock, as CSV that spreadsheets open
    (UTF-8 with a byte order mark). Each person's guardian sees who took it."""
    with writing(services.sessions) as session:
        cipher, now = Cipher(services.settings.secret), services.now()
        text = enrolment_files.written(session, cipher, by=staff.username, now=now)
    named = {"Content-Disposition": 'attachment; filename="enrolment.csv"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=named)


@router.post(
    "/import",
    operation_id="import_enrolment",
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": _TEXT}}},
)
async def import_enrolment(
    request: Request,
    staff: Staff,
    services: ServicesDependency,
    dry_run: Annotated[Truth, Query()] = False,
    guardians_may: Annotated[list[Scope] | None, Query(max_length=4)] = None,
) -> EnrolmentDone:
    """A file in UTF-8, UTF-16 or Big5: taken whole, or not at all with each line's mistake. A file
    only adds. `dry_run`: only look. `guardians_may`: what guardians whom it makes see and are
    told of, for a year; without, nothing is opened to them."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST:
            raise BadEnrolmentFile(f"More than {LARGEST} bytes.")
    may = guardians_may or []
    return await run_in_threadpool(_take, services, staff, bytes(received), dry_run, may)


@router.get("/not-called", operation_id="list_guardians_not_called")
def list_guardians_not_called(_staff: Staff, services: ServicesDependency) -> GuardiansNotCalled:
    """Guardians to whom no consent opens alerts: nobody calls them when something happens."""
    with services.sessions() as session:
        return _told(not_called(session, services.now()))


def _told(found: Sequence[NotCalled]) -> GuardiansNotCalled:
    return GuardiansNotCalled(
        count=len(found),
        guardians=[
            GuardianNotCalled(person=one.person, account=one.account) for one in found[:MOST_SHOWN]
        ],
    )


def _take(
    services: Services, staff: Reader, content: bytes, dry_run: bool, may: Sequence[Scope]
) -> EnrolmentDone:
    rows = enrolment_files.read(content)
    cipher, now = Cipher(services.settings.secret), services.now()
    found = Done()
    try:
        with writing(services.sessions) as session:
            found = enrolment_files.apply(
                session, cipher, rows, by=staff.username, now=now, guardians_may=may
            )
            if dry_run or found.mistakes:
                raise _Undone
            detail = {"persons": found.persons, "tags": found.tags, "stock": found.stock}
            audit.append(
                session,
                at=now,
                account=staff.username,
                action="enrolment.imported",
                subject="",
                detail=detail,
            )
    except _Undone:
        pass
    return EnrolmentDone(
        done=not dry_run and not found.mistakes,
        rows=len(rows),
        persons=found.persons,
        tags=found.tags,
        guardians=found.guardians,
        stock=found.stock,
        not_called=_told(found.not_called),
        mistakes=[RowMistake(line=one.line, text=one.text) for one in found.mistakes],
    )
