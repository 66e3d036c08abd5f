"""The programme over HTTP for those who fit, visit and sign: proof of what hangs in a home."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from vigil_cloud.cases import photographs
from vigil_cloud.cases.errors import PhotographTooLarge
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, IdempotencyKey, ServicesDependency
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import Whole
from vigil_cloud.services import Services
from vigil_cloud.smoke.news import homes_of
from vigil_cloud.smoke.programme import (
    home_rows,
    installations,
    presentation,
    progress,
    signatures,
)
from vigil_cloud.smoke.programme.access import (
    FIELD,
    JPEG,
    LIVES_THERE,
    OFFICE,
    STAFF,
    Field,
    HomeId,
    Staff,
)
from vigil_cloud.smoke.programme.errors import HomeUnknown, in_turn
from vigil_cloud.smoke.programme.progress import Fitted, Signature
from vigil_cloud.smoke.programme.schema import (
    AlarmBody,
    InstallationBody,
    PhotoEntry,
    ProgrammeHomeEntry,
    SentBackBody,
    SignatureBody,
    VisitBody,
)
from vigil_cloud.smoke.programme_models import ProgrammeHome, ProgrammePhoto

router = APIRouter(prefix="/smoke/programme", tags=["smoke"])
_LARGEST_PHOTO: Final = 4 * 1024 * 1024


@router.post("/homes/{home}/installation", operation_id="install_programme_home")
def install(
    home: HomeId, body: InstallationBody, fitter: Field, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """What hangs there now; photographs have been sent before."""
    now = services.now()
    alarms = [_fitted(one, home_rows.today(now)) for one in body.alarms]
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, fitter)
        installations.install(session, row, alarms, fitter=fitter, now=now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/signature", operation_id="sign_programme_home")
def sign(
    home: HomeId, body: SignatureBody, reader: CurrentAccount, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """The household, whoever fits alarms, or the city signs, each an account of its own, for the
    round and the alarms that it was shown. For a household without an account the city's officer
    keeps its signature on paper."""
    with writing(services.sessions) as session:
        row = session.get(ProgrammeHome, home, with_for_update=True)
        if row is None or not (
            home_rows.belongs(reader, row) or (reader.has(*STAFF) and reader.covers(row.district))
        ):
            raise HomeUnknown("There is no such home of the programme for you.")
        who = _signs_as(reader, row, body)
        signature = Signature(body.party, who, services.now(), body.round, body.digest)
        signatures.sign(session, row, signature, by=reader.username)
        return presentation.entry(session, row)


def _signs_as(reader: Reader, row: ProgrammeHome, body: SignatureBody) -> str:
    """Raises ``Forbidden``."""
    if body.party == "household":
        if body.on_paper and reader.has(*OFFICE) and reader.covers(row.district):
            return signatures.ON_PAPER
        lives = any(
            one.household == row.household and one.relation in LIVES_THERE
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
        row = home_rows.load(session, home, staff)
        state = home_rows.state_of(session, row)
        with in_turn(row):
            after = progress.sent_back(state, body.reason, home_rows.today(now))
        home_rows.keep(session, row, after, f"sent-back:{body.reason}", staff.username, now)
        return presentation.entry(session, row)


@router.post("/homes/{home}/visit", operation_id="visit_programme_home")
def visit(
    home: HomeId, body: VisitBody, fitter: Field, services: ServicesDependency
) -> ProgrammeHomeEntry:
    """A maintenance visit, and what was replaced at it."""
    now = services.now()
    day = home_rows.today(now)
    replaced = [(one.serial, _fitted(one.alarm, day)) for one in body.replaced]
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, fitter)
        installations.visit(session, row, replaced, fitter=fitter, now=now)
        return presentation.entry(session, row)


@router.post(
    "/photos",
    status_code=201,
    operation_id="add_programme_photo",
    openapi_extra={"requestBody": {"required": True, "content": {"image/jpeg": JPEG}}},
)
async def add_photo(  # noqa: PLR0913 - parts of one request
    request: Request,
    fitter: Field,
    services: ServicesDependency,
    home: Annotated[str, Query(pattern=r"^[0-9a-f-]{36}$")],
    latitude: Annotated[float | None, Query(ge=-90, le=90)] = None,
    longitude: Annotated[float | None, Query(ge=-180, le=180)] = None,
    key: IdempotencyKey = None,
) -> PhotoEntry:
    """A photograph of an alarm where it hangs, and where it was taken. It is written anew: nothing
    but the picture is kept of the file."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _LARGEST_PHOTO:
            raise PhotographTooLarge(_LARGEST_PHOTO, "bytes")
    position = None if latitude is None or longitude is None else (latitude, longitude)
    return await run_in_threadpool(
        _keep_photo, services, fitter, home, bytes(received), position, key
    )


def _keep_photo(
    services: Services,
    fitter: Reader,
    home: str,
    received: bytes,
    position: tuple[float, float] | None,
    key: str | None,
) -> PhotoEntry:
    picture = photographs.prepare(received).content
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, fitter)
        photo = installations.add_photo(
            session,
            Cipher(services.settings.secret),
            row,
            picture,
            position,
            by=fitter.username,
            now=services.now(),
            key=key,
        )
        return presentation.photo(photo)


@router.get(
    "/homes/{home}/photos/{photo}",
    operation_id="get_programme_photo",
    response_class=Response,
    responses={200: {"description": "The picture", "content": {"image/jpeg": JPEG}}},
)
def get_photo(
    home: HomeId,
    photo: Annotated[Whole, Path(ge=1, le=2**31 - 1)],
    staff: Staff,
    services: ServicesDependency,
) -> Response:
    """Each look is in the audit log."""
    with writing(services.sessions) as session:
        row = home_rows.load(session, home, staff, lock=False)
        kept = session.get(ProgrammePhoto, photo)
        if kept is None or kept.home != row.id:
            raise HomeUnknown("There is no such photograph for you.")
        content = installations.picture(session, Cipher(services.settings.secret), kept)
        audit.append(
            session,
            at=services.now(),
            account=staff.username,
            action="programme.photo-seen",
            subject=home,
        )
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _fitted(body: AlarmBody, day: date) -> Fitted:
    return Fitted(body.serial, body.model, body.room, body.expires, day, body.device)
