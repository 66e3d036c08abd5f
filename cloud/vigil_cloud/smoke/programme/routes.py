"""The programme over HTTP: for the city's office, who fits alarms, who refers, and residents."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select

from vigil_cloud.cases import photographs
from vigil_cloud.cases.errors import PhotographTooLarge
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit, households
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency, require
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader, Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.parameters import Truth, Whole
from vigil_cloud.services import Services
from vigil_cloud.smoke.news import homes_of
from vigil_cloud.smoke.programme import files, presentation, progress, service, statistics
from vigil_cloud.smoke.programme.files import BadProgrammeFile
from vigil_cloud.smoke.programme.progress import Fitted, Phase
from vigil_cloud.smoke.programme.schema import (
    AlarmBody,
    AppointmentBody,
    ClosingBody,
    DecisionBody,
    HomeDetail,
    InstallationBody,
    OwnApplicationBody,
    OwnHomeList,
    PhotoEntry,
    ProgrammeHomeEntry,
    ProgrammeHomeList,
    ProgrammeImported,
    ProgrammeMistake,
    ReferralBody,
    SentBackBody,
    SignatureBody,
    Statistics,
    VisitBody,
)
from vigil_cloud.smoke.programme.service import Application, HomeUnknown, Resident
from vigil_cloud.smoke.programme_models import ProgrammeHome, ProgrammePhoto

router = APIRouter(prefix="/smoke/programme", tags=["smoke"])
OFFICE: Final = (Role.DISPATCHER, Role.ADMINISTRATOR)
FIELD: Final = (Role.MAINTAINER, Role.ADMINISTRATOR)
STAFF: Final = (Role.DISPATCHER, Role.MAINTAINER, Role.ADMINISTRATOR)
IMPORTS: Final = ("/smoke/programme/photos", "/smoke/programme/import")
Office = Annotated[Reader, Depends(require(*OFFICE))]
Field = Annotated[Reader, Depends(require(*FIELD))]
Staff = Annotated[Reader, Depends(require(*STAFF))]
Referrer = Annotated[Reader, Depends(require(Role.REGISTRAR, *OFFICE))]
OfHome = Annotated[Reader, Depends(require(Role.FAMILY))]
HomeId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
_LIVES_THERE: Final = frozenset({Relation.RESIDENT, Relation.GUARDIAN})
_LARGEST_PHOTO: Final = 4 * 1024 * 1024
_JPEG: Final = {"schema": {"type": "string", "format": "binary"}}
_CSV: Final = {"schema": {"type": "string"}}


@router.get("/homes", operation_id="list_programme_homes")
def list_homes(
    staff: Staff,
    services: ServicesDependency,
    phase: Phase | None = None,
    village: Annotated[str | None, Query(max_length=40)] = None,
    due_by: date | None = None,
    limit: Annotated[Whole, Query(ge=1, le=500)] = 100,
) -> ProgrammeHomeList:
    """Homes in the reader's districts, without anybody's name."""
    with services.sessions() as session:
        query = service.listed(staff, phase, village, due_by).limit(limit + 1)
        rows = session.scalars(query).all()
        homes = [presentation.entry(session, row) for row in rows[:limit]]
    return ProgrammeHomeList(homes=homes, more=len(rows) > limit)


@router.post("/homes", status_code=201, operation_id="refer_programme_home")
def refer(
    body: ReferralBody, referrer: Referrer, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """An application for somebody else."""
    wanted = Application(
        body.particulars, tuple(body.risks), "referral", body.district, body.village
    )
    return _applied(services, wanted, referrer)


@router.get("/homes/mine", operation_id="list_own_programme_homes")
def mine(reader: OfHome, services: ServicesDependency) -> OwnHomeList:
    """The reader's homes in the programme, with their certificates."""
    households_ = sorted(home.household for home in reader.homes if home.relation in _LIVES_THERE)
    query = select(ProgrammeHome).where(ProgrammeHome.household.in_(households_))
    with services.sessions() as session:
        cipher = Cipher(services.settings.secret)
        rows = session.scalars(query.order_by(ProgrammeHome.household)).all()
        return OwnHomeList(homes=[presentation.own(session, cipher, row) for row in rows])


@router.post("/homes/mine", status_code=201, operation_id="apply_for_own_home")
def apply_for_own(
    body: OwnApplicationBody, reader: OfHome, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """For residents and guardians of the home."""
    if not any(
        home.household == body.household and home.relation in _LIVES_THERE for home in reader.homes
    ):
        raise HomeUnknown("There is no such home for you.")
    cipher, now = Cipher(services.settings.secret), services.now()
    with services.sessions() as session:
        known = households.find(session, cipher, now, body.household).described
    latitude, longitude = known.position or (None, None)
    said = Resident(
        name=body.name or known.name[:80],
        phone=body.phone,
        address=known.address[:200] or known.name[:200],
        latitude=latitude,
        longitude=longitude,
    )
    wanted = Application(
        said, tuple(body.risks), "online", known.district, body.village, body.household
    )
    return _applied(services, wanted, reader)


def _applied(services: Services, wanted: Application, reader: Reader) -> ProgrammeHomeEntry:
    if wanted.source != "online" and not reader.covers(wanted.district):
        raise Forbidden("This is for homes of your districts.")
    with writing(services.sessions) as session:
        cipher = Cipher(services.settings.secret)
        row = service.apply(session, cipher, wanted, by=reader.username, now=services.now())
        return presentation.entry(session, row)


@router.get("/homes/{home}", operation_id="get_programme_home")
def get_home(home: HomeId, staff: Staff, services: ServicesDependency) -> HomeDetail:
    """With names and address: each look is in the audit log."""
    with writing(services.sessions) as session:
        row = service.load(session, home, staff)
        audit.append(
            session,
            at=services.now(),
            account=staff.username,
            action="programme.seen",
            subject=home,
        )
        cipher = Cipher(services.settings.secret)
        return presentation.detail(session, cipher, row, services.now())


@router.post("/homes/{home}/decision", operation_id="decide_programme_home")
def decide(
    home: HomeId, body: DecisionBody, office: Office, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """Accept the application, or refuse it."""
    now, by = services.now(), office.username
    with writing(services.sessions) as session:
        row = service.load(session, home, office)
        if body.refused is None:
            service.accept(session, Cipher(services.settings.secret), row, by=by, now=now)
        else:
            with service.in_turn(row):
                after = progress.refused(service.state_of(session, row), body.refused)
            service.keep(session, row, after, f"refused:{body.refused}", by, now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/appointment", operation_id="appoint_programme_home")
def appoint(
    home: HomeId, body: AppointmentBody, staff: Staff, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """When somebody comes, another time, or that nobody was at home."""
    now = services.now()
    with writing(services.sessions) as session:
        row = service.load(session, home, staff)
        state = service.state_of(session, row)
        with service.in_turn(row):
            if body.at is None:
                after, what = progress.missed(state), "missed"
            else:
                after, what = progress.scheduled(state, body.at, now), "scheduled"
        service.keep(session, row, after, what, staff.username, now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/installation", operation_id="install_programme_home")
def install(
    home: HomeId, body: InstallationBody, fitter: Field, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """What hangs there now; photographs have been sent before."""
    now = services.now()
    alarms = [_fitted(one, service.today(now)) for one in body.alarms]
    with writing(services.sessions) as session:
        row = service.load(session, home, fitter)
        service.install(session, row, alarms, fitter=fitter, now=now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/signature", operation_id="sign_programme_home")
def sign(
    home: HomeId, body: SignatureBody, reader: CurrentAccount, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """The household, whoever fits alarms, or the city signs: each an account of its own. For a
    household without one the city's officer keeps its signature on paper."""
    with writing(services.sessions) as session:
        row = session.get(ProgrammeHome, home, with_for_update=True)
        if row is None or not (
            service.belongs(reader, row) or (reader.has(*STAFF) and reader.covers(row.district))
        ):
            raise HomeUnknown("There is no such home of the programme for you.")
        who = _signs_as(reader, row, body)
        service.sign(session, row, body.party, who=who, by=reader.username, now=services.now())
        return presentation.entry(session, row)


def _signs_as(reader: Reader, row: ProgrammeHome, body: SignatureBody) -> str:
    """Raises ``Forbidden``."""
    if body.party == "household":
        if body.on_paper and reader.has(*OFFICE) and reader.covers(row.district):
            return service.ON_PAPER
        lives = any(
            one.household == row.household and one.relation in _LIVES_THERE
            for one in homes_of(reader)
        )
        if lives and not body.on_paper:
            return reader.username
        raise Forbidden("For the household somebody signs who lives there.")
    if not reader.has(*(FIELD if body.party == "installer" else OFFICE)):
        raise Forbidden("This party's signature is for somebody else to give.")
    return reader.username


@router.post("/homes/{home}/sent-back", operation_id="send_back_programme_home")
def send_back(
    home: HomeId, body: SentBackBody, staff: Staff, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """Something is wrong: somebody has to come again."""
    now = services.now()
    with writing(services.sessions) as session:
        row = service.load(session, home, staff)
        state = service.state_of(session, row)
        with service.in_turn(row):
            after = progress.sent_back(state, body.reason, service.today(now))
        service.keep(session, row, after, f"sent-back:{body.reason}", staff.username, now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/visit", operation_id="visit_programme_home")
def visit(
    home: HomeId, body: VisitBody, fitter: Field, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """A maintenance visit, and what was replaced at it."""
    now = services.now()
    day = service.today(now)
    replaced = [(one.serial, _fitted(one.alarm, day)) for one in body.replaced]
    with writing(services.sessions) as session:
        row = service.load(session, home, fitter)
        service.visit(session, row, replaced, fitter=fitter, now=now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/renewal", operation_id="renew_programme_home")
def renew(home: HomeId, office: Office, services: ServicesDependency) -> ProgrammeHomeEntry:
    """A further round: its alarms expire soon, or have."""
    now = services.now()
    with writing(services.sessions) as session:
        row = service.load(session, home, office)
        with service.in_turn(row):
            after = progress.renewed(service.state_of(session, row), service.today(now))
        row.applied = now
        service.keep(session, row, after, "renewed", office.username, now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/closing", operation_id="close_programme_home")
def close(
    home: HomeId, body: ClosingBody, office: Office, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """The home leaves the programme; an application that is not wanted any more is withdrawn."""
    now = services.now()
    with writing(services.sessions) as session:
        row = service.load(session, home, office)
        state = service.state_of(session, row)
        with service.in_turn(row):
            open_ = state.phase in {"applied", "accepted", "scheduled"}
            if body.reason == "not-wanted" and open_:
                after = progress.withdrawn(state)
            else:
                after = progress.closed(state, body.reason, service.today(now))
        service.keep(session, row, after, f"closed:{body.reason}", office.username, now)
        return presentation.entry(session, row)


@router.post(
    "/photos",
    status_code=201,
    operation_id="add_programme_photo",
    openapi_extra={"requestBody": {"required": True, "content": {"image/jpeg": _JPEG}}},
)
async def add_photo(
    request: Request,
    fitter: Field,
    services: ServicesDependency,
    home: Annotated[str, Query(pattern=r"^[0-9a-f-]{36}$")],
    latitude: Annotated[float | None, Query(ge=-90, le=90)] = None,
    longitude: Annotated[float | None, Query(ge=-180, le=180)] = None,
) -> PhotoEntry:
    """A photograph of an alarm where it hangs, and where it was taken. It is written anew: nothing
    but the picture is kept of the file."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _LARGEST_PHOTO:
            raise PhotographTooLarge(_LARGEST_PHOTO, "bytes")
    position = None if latitude is None or longitude is None else (latitude, longitude)
    return await run_in_threadpool(_keep_photo, services, fitter, home, bytes(received), position)


def _keep_photo(
    services: Services,
    fitter: Reader,
    home: str,
    received: bytes,
    position: tuple[float, float] | None,
) -> PhotoEntry:
    picture = photographs.prepare(received).content
    with writing(services.sessions) as session:
        row = service.load(session, home, fitter)
        photo = service.add_photo(
            session,
            Cipher(services.settings.secret),
            row,
            picture,
            position,
            by=fitter.username,
            now=services.now(),
        )
        return presentation.photo(photo)


@router.get(
    "/homes/{home}/photos/{photo}",
    operation_id="get_programme_photo",
    response_class=Response,
    responses={200: {"description": "The picture", "content": {"image/jpeg": _JPEG}}},
)
def get_photo(
    home: HomeId,
    photo: Annotated[Whole, Path(ge=1)],
    staff: Staff,
    services: ServicesDependency,
) -> Response:
    """Each look is in the audit log."""
    with writing(services.sessions) as session:
        row = service.load(session, home, staff, lock=False)
        kept = session.get(ProgrammePhoto, photo)
        if kept is None or kept.home != row.id:
            raise HomeUnknown("There is no such photograph for you.")
        content = service.picture(session, Cipher(services.settings.secret), kept)
        audit.append(
            session,
            at=services.now(),
            account=staff.username,
            action="programme.photo-seen",
            subject=home,
        )
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.get("/statistics", operation_id="get_programme_statistics")
def get_statistics(staff: Staff, services: ServicesDependency) -> Statistics:
    """Of the reader's districts."""
    with services.sessions() as session:
        return statistics.figures(session, staff, services.now())


@router.get(
    "/export",
    operation_id="export_programme",
    response_class=Response,
    responses={200: {"description": "The homes", "content": {"text/csv": _CSV}}},
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
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": _CSV}}},
)
async def take_in(
    request: Request,
    keeper: Annotated[Reader, Depends(require(Role.ADMINISTRATOR))],
    services: ServicesDependency,
    what: Annotated[Literal["homes", "villages"], Query()] = "homes",
    dry_run: Annotated[Truth, Query()] = False,
) -> ProgrammeImported:
    """A file in UTF-8 or Big5: taken whole, or not at all with each line's mistake. `dry_run`:
    only look."""
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


def _fitted(body: AlarmBody, day: date) -> Fitted:
    return Fitted(body.serial, body.model, body.room, body.expires, day, body.device)
