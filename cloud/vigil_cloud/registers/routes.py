"""Every register over HTTP, for administrators: one way in for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import NotFound
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.personal_records import records_of
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.parameters import ONE_LINE, Truth
from vigil_cloud.registers import files
from vigil_cloud.registers.files import LARGEST, BadRegisterFile, Done, RegisterChanged
from vigil_cloud.registers.history import lines_of
from vigil_cloud.registers.port import Act, BadEntry, Register, written
from vigil_cloud.registers.schema import (
    ColumnEntry,
    EntryRequest,
    EntryTold,
    FileDone,
    FileMistake,
    HistoryLine,
    RegisterEntry,
    RegisterHistory,
    RegisterList,
    RegisterRows,
    RetireRequest,
)
from vigil_cloud.services import Services
from vigil_schemas.types import Sha256

router = APIRouter(prefix="/registers", tags=["registers"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]
RegisterName = Annotated[str, Path(pattern=r"^[a-z][a-z-]{0,39}$")]
Key = Annotated[str, Query(min_length=1, max_length=200, pattern=ONE_LINE)]
_TEXT: Final = {"schema": {"type": "string"}}
_LINES: Final = 100


class _Undone(Exception):
    """Ends the transaction without a trace."""


def _registers(request: Request) -> Sequence[Register]:
    return cast(Sequence[Register], request.app.state.registers)


def _register(request: Request, register: RegisterName) -> Register:
    """Raises ``NotFound``."""
    found = next((one for one in _registers(request) if one.name == register), None)
    if found is None:
        raise NotFound(f"There is no register {register!r}.")
    return found


OfRegister = Annotated[Register, Depends(_register)]


def _act(services: Services, session: Session, reader: Reader) -> Act:
    cipher = Cipher(services.settings.secret)
    return Act(session, cipher, reader, services.now())


def _described(one: Register) -> RegisterEntry:
    return RegisterEntry(
        name=one.name,
        title=one.title,
        title_zh=one.title_zh,
        key=one.key,
        page=one.page,
        columns=[
            ColumnEntry(
                name=column.name,
                title=column.title,
                title_zh=column.title_zh,
                kind=column.kind,
                required=column.required,
                fixed=column.fixed,
                shown=column.shown,
                secret=column.secret,
                options=list(column.options),
                beforehand=list(column.beforehand),
            )
            for column in one.columns
        ],
        may_add=one.add is not None,
        may_change=one.change is not None,
        may_retire=one.retire is not None,
    )


@router.get("", operation_id="list_registers")
def list_registers(_administrator: Administrator, request: Request) -> RegisterList:
    """Which registers there are, and what stands in each."""
    return RegisterList(registers=[_described(one) for one in _registers(request)])


@router.get("/{register}", operation_id="get_register")
def get_register(
    register: OfRegister, administrator: Administrator, services: ServicesDependency
) -> RegisterRows:
    """Every entry; what is secret is not told."""
    with services.sessions() as session:
        rows = register.rows(_act(services, session, administrator))
    return RegisterRows(register_=_described(register), rows=[dict(row) for row in rows])


@router.put("/{register}/entry", operation_id="put_register_entry")
def put_entry(
    register: OfRegister,
    body: EntryRequest,
    administrator: Administrator,
    services: ServicesDependency,
) -> EntryTold:
    """Add an entry, or change one. What is told once (a first password) is in the answer."""
    with writing(services.sessions) as session:
        act = _act(services, session, administrator)
        values = {k: v for k, v in body.values.items() if k != register.key}
        told = None
        if body.new:
            if register.add is None:
                raise BadEntry(register.key, "nothing is added to this register from here")
            if any(str(row[register.key]) == body.key for row in register.rows(act)):
                raise BadEntry(register.key, f"there is {body.key!r} already")
            told = register.add(act, body.key, written(register, values, new=True))
        else:
            if register.change is None:
                raise BadEntry(register.key, "entries of this register are not changed from here")
            register.change(act, body.key, written(register, values, new=False))
    services.changed.announce()
    return EntryTold(key=body.key, told=told)


@router.post("/{register}/retirement", status_code=204, operation_id="retire_register_entry")
def post_retirement(
    register: OfRegister,
    body: RetireRequest,
    administrator: Administrator,
    services: ServicesDependency,
) -> None:
    """Take an entry out of use, as its register means that."""
    if register.retire is None:
        raise BadEntry(register.key, "entries of this register are not retired from here")
    with writing(services.sessions) as session:
        register.retire(_act(services, session, administrator), body.key)
    services.changed.announce()


@router.get("/{register}/history", operation_id="get_register_history")
def get_history(
    register: OfRegister,
    key: Key,
    _administrator: Administrator,
    services: ServicesDependency,
) -> RegisterHistory:
    """Who did what to an entry since it is there, the newest first. Of people: what was done to
    their entry, and no look at where they are."""
    with services.sessions() as session:
        lines = lines_of(session, register, key, _LINES)
        return RegisterHistory(
            lines=[
                HistoryLine(
                    number=line.number, at=line.at, account=line.account, action=line.action
                )
                for line in lines
            ]
        )


@router.get(
    "/{register}/export",
    operation_id="export_register",
    response_class=Response,
    responses={200: {"description": "The register", "content": {"text/csv": _TEXT}}},
)
def get_export(
    register: OfRegister, administrator: Administrator, services: ServicesDependency
) -> Response:
    """The register as CSV that spreadsheets open (UTF-8 with a byte order mark); that it was taken
    out is written down, of people for each of them."""
    with writing(services.sessions) as session:
        act = _act(services, session, administrator)
        rows = register.rows(act)
        text = files.out(register, rows)
        _note_export(register, act, [str(row[register.key]) for row in rows])
    named = {"Content-Disposition": f'attachment; filename="{register.name}.csv"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=named)


def _note_export(register: Register, act: Act, keys: Sequence[str]) -> None:
    people: Sequence[str | None] = keys if register.people else [None]
    for person in people:
        audit.append(
            act.session,
            at=act.now,
            account=act.by,
            action="person.exported" if register.people else "register.exported",
            subject="" if register.people else register.name,
            person_key=person,
        )


@router.post(
    "/{register}/import",
    operation_id="import_register",
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": _TEXT}}},
)
async def post_import(
    request: Request,
    register: OfRegister,
    administrator: Administrator,
    services: ServicesDependency,
    dry_run: Annotated[Truth, Query()] = False,
    looked: Annotated[Sha256 | None, Query()] = None,
) -> FileDone:
    """A file in UTF-8, UTF-16 or Big5: taken whole, or not at all with each line's mistake. What it
    does not name stays. `dry_run`: only look. `looked`: of the answer to a look; 409 where the
    register has changed since and the file would change it."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST:
            raise BadRegisterFile(f"More than {LARGEST} bytes.")
    return await run_in_threadpool(
        _take, services, administrator, register, bytes(received), dry_run, looked
    )


def _take(
    services: Services,
    reader: Reader,
    register: Register,
    content: bytes,
    dry_run: bool,
    looked: str | None,
) -> FileDone:
    lines = files.read(register, content)
    done = Done()
    taken = True
    try:
        with writing(services.sessions) as session:
            # In everybody's order, before the first line writes into the log.
            for room in records_of(session):
                room.lock(session)
            done = files.take(register, _act(services, session, reader), lines)
            # Where all of it is there already, the answer to the same file was lost on its way.
            if looked not in (None, done.looked) and (done.added or done.changed):
                raise RegisterChanged("The register has changed since the file was looked at.")
            if dry_run or done.mistakes:
                raise _Undone
    except _Undone:
        taken = False
    if taken:
        services.changed.announce()
    return FileDone(
        done=taken,
        rows=len(lines),
        added=done.added,
        changed=done.changed,
        same=done.same,
        told=done.told if taken else {},
        mistakes=[FileMistake(line=one.line, text=one.text) for one in done.mistakes],
        looked=done.looked,
    )
