"""Families over HTTP: invitations, joining by one, and amulets that they register themselves."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import structlog
from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.checkin import amulets, invitations, notice
from vigil_cloud.checkin.code_tries import limit_codes, note_refused_code, registering
from vigil_cloud.checkin.family_schema import (
    Agreement,
    AmuletEntry,
    AmuletList,
    EndAmulet,
    InvitationEntry,
    InvitationList,
    InviteFamily,
    InviteRelative,
    Join,
    JoinAccount,
    Joined,
    JoinOffer,
    JoinToken,
    NoticePoint,
    PurposeNotice,
    RegisterAmulet,
)
from vigil_cloud.checkin.invitations import Agreed, Enrolment, InvitationNotValid, NewAccount
from vigil_cloud.checkin.models import Invitation
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts, audit, consents, passwords, sessions
from vigil_cloud.identity.answered import Done, OnceDependency
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import (
    CurrentAccount,
    PersonKey,
    ServicesDependency,
    SessionCookie,
    require,
)
from vigil_cloud.identity.errors import NotSignedIn
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.routes import let_in
from vigil_cloud.identity.schema import SessionEntry
from vigil_cloud.qr_code import address_of, drawn
from vigil_cloud.services import Services

router = APIRouter(tags=["people"])
Staff = Annotated[Reader, Depends(require(*invitations.MAY_ENROL))]
InvitationId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
AmuletHandle = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
JOIN: Final = "join"
FROM_ONE_NETWORK: Final = 10
OF_ONE_INVITATION: Final = 20
"""Tries in five minutes (``attempts.WINDOW``)."""
_log = structlog.get_logger(__name__)


@router.get("/purpose-notice", operation_id="get_purpose_notice")
def get_purpose_notice(services: ServicesDependency) -> PurposeNotice:
    """What is said before anything is collected of a person; public."""
    settings = services.settings
    said = notice.points(settings.collector, settings.collector_zh, settings.retention.visits_days)
    return PurposeNotice(
        version=notice.VERSION,
        points=[
            NoticePoint(title=one.title, title_zh=one.title_zh, text=one.text, text_zh=one.text_zh)
            for one in said
        ],
    )


@router.post("/people/{key}/invitations", status_code=201, operation_id="invite_relative")
def invite_relative(
    key: PersonKey,
    body: InviteRelative,
    reader: CurrentAccount,
    once: OnceDependency,
) -> InvitationEntry:
    """A link for a relative of the person; it opens nothing before a consent (guardian)."""
    services = once.services
    cipher, now = Cipher(services.settings.secret), services.now()
    with writing(services.sessions) as session:
        consents.require_guardian(session, reader, key)

        def invite() -> InvitationEntry:
            row = invitations.invite_relative(session, cipher, reader, key, body.note, now)
            return _entry(session, services, once.request, row)

        return once.answer(session, reader, body, InvitationEntry, invite, person=key)


@router.get("/people/{key}/invitations", operation_id="list_person_invitations")
def list_person_invitations(
    key: PersonKey, reader: CurrentAccount, request: Request, services: ServicesDependency
) -> InvitationList:
    """Relatives who were invited, and who of them has joined (guardian)."""
    with services.sessions() as session:
        rows = invitations.of_person(session, reader, key)
        return InvitationList(invitations=[_entry(session, services, request, row) for row in rows])


@router.post("/invitations", status_code=201, operation_id="invite_family")
def invite_family(body: InviteFamily, staff: Staff, once: OnceDependency) -> InvitationEntry:
    """A link with which a family enrols a person by itself, with a reason."""
    services = once.services
    cipher, now = Cipher(services.settings.secret), services.now()
    with writing(services.sessions) as session:

        def invite() -> InvitationEntry:
            row = invitations.invite_family(session, cipher, staff, body.reason, now)
            return _entry(session, services, once.request, row)

        return once.answer(session, staff, body, InvitationEntry, invite)


@router.get("/invitations", operation_id="list_invitations")
def list_invitations(
    staff: Staff, request: Request, services: ServicesDependency
) -> InvitationList:
    """One's own invitations to enrol; administrators see everybody's."""
    with services.sessions() as session:
        rows = invitations.of_staff(session, staff)
        return InvitationList(invitations=[_entry(session, services, request, row) for row in rows])


@router.get(
    "/invitations/{invitation}/code.svg",
    operation_id="get_invitation_code",
    response_class=Response,
    responses={200: {"description": "The QR code", "content": {"image/svg+xml": {}}}},
)
def get_invitation_code(
    invitation: InvitationId,
    reader: CurrentAccount,
    request: Request,
    services: ServicesDependency,
) -> Response:
    """An open invitation's link as a QR code."""
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        row = invitations.own(session, reader, invitation)
        path = invitations.path_of(cipher, row, services.now())
    if path is None:
        raise InvitationNotValid
    return drawn(address_of(services.settings, request) + path)


@router.delete("/invitations/{invitation}", status_code=204, operation_id="revoke_invitation")
def revoke_invitation(
    invitation: InvitationId, reader: CurrentAccount, services: ServicesDependency
) -> None:
    """Nobody joins with it any more. Idempotent."""
    with writing(services.sessions) as session:
        invitations.revoke(session, reader, invitation, services.now())


@router.post("/join/look", operation_id="look_at_invitation")
def look_at_invitation(
    body: JoinToken, request: Request, services: ServicesDependency, cookie: SessionCookie
) -> JoinOffer:
    """What an invitation is for, without using it; public, and limited. One that an account was
    made with is that account's alone."""
    row = _found(services, request, body.token, _reader(services, cookie))
    return JoinOffer(kind="relative" if row.kind == "relative" else "enrol", expires=row.expires)


@router.post("/join/account", status_code=201, operation_id="join_with_new_account")
def join_with_new_account(
    body: JoinAccount,
    request: Request,
    response: Response,
    services: ServicesDependency,
    before: SessionCookie,
) -> SessionEntry:
    """An account of one's own, signed in; the invitation is that account's from now on."""
    row = _found(services, request, body.token, None)
    _limit(services, request, row)
    if not services.settings.demo:
        passwords.check_strength(body.username, body.password)
    with passwords.turn():
        hashed = passwords.hash_password(body.password)
    cipher, now = Cipher(services.settings.secret), services.now()
    with writing(services.sessions) as session:
        audit.lock(session)
        row = invitations.find(session, cipher, body.token, now)
        wanted = NewAccount(body.username, hashed, body.display_name.strip(), body.language)
        account = invitations.make_account(session, row, wanted, now)
        if before:
            sessions.end_one(session, sessions.digest(before), now)
        tokens = sessions.begin(session, account, now)
    return let_in(response, request, services, tokens)


@router.post("/join", operation_id="join")
def join(
    body: Join, reader: CurrentAccount, request: Request, services: ServicesDependency
) -> Joined:
    """Use an invitation: become a relative, or enrol a person and guard them."""
    cipher, now = Cipher(services.settings.secret), services.now()
    wanted = None
    if body.enrol is not None:
        said = body.enrol
        wanted = Enrolment(said.name, _agreed(said), said.amulet, frozenset(said.own))
    with services.sessions() as session:
        before = invitations.joined_before(session, cipher, body.token, reader, wanted)
        if before is not None:
            return _joined(before)
    row = _found(services, request, body.token, reader)
    _limit(services, request, row)
    if wanted is not None and wanted.amulet:
        amulets.read(wanted.amulet)  # before anything is counted
        limit_codes(services, request, reader)
    try:
        with writing(services.sessions) as session:
            audit.lock(session)  # before the row, as everybody who writes one takes them
            row = invitations.find(session, cipher, body.token, now, reader.account_id)
            invitations.accept(session, cipher, row, reader, wanted, now)
            joined = _joined(row)
    except InvitationNotValid:
        _refuse(services, request, body.token, reader.username)
        raise
    except amulets.AmuletRefused:
        note_refused_code(services, reader, None)
        raise
    services.changed.announce()
    return joined


@router.get("/people/{key}/amulets", operation_id="list_amulets")
def list_amulets(
    key: PersonKey, reader: CurrentAccount, services: ServicesDependency
) -> AmuletList:
    """What the person carries, and whether it is heard (guardian)."""
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        consents.require_guardian(session, reader, key)
        found = amulets.carried(session, cipher, key)
    return AmuletList(
        amulets=[
            AmuletEntry(amulet=one.handle, last_heard=one.last_heard, battery_mv=one.battery_mv)
            for one in found
        ]
    )


@router.post("/people/{key}/amulets", status_code=204, operation_id="register_amulet")
def register_amulet(
    key: PersonKey,
    body: RegisterAmulet,
    reader: CurrentAccount,
    once: OnceDependency,
) -> None:
    """Give the person an amulet of the city's, also in place of a lost one (guardian)."""
    services = once.services
    cipher, now = Cipher(services.settings.secret), services.now()
    with registering(services, once.request, reader, key, body.code) as session:

        def register() -> Done:
            amulets.register(
                session,
                cipher,
                body.code,
                key,
                by=reader.username,
                now=now,
                replaces=body.replaces,
            )
            invitations.agree(session, key, _agreed(body), by=reader.username, now=now)
            return Done()

        once.answer(session, reader, body, Done, register, person=key)


@router.post("/people/{key}/amulets/{amulet}/end", status_code=204, operation_id="end_amulet")
def end_amulet(
    key: PersonKey,
    amulet: AmuletHandle,
    body: EndAmulet,
    reader: CurrentAccount,
    services: ServicesDependency,
) -> None:
    """It was lost, or is handed back: it is the person's no more (guardian)."""
    cipher, now = Cipher(services.settings.secret), services.now()
    with writing(services.sessions) as session:
        consents.require_guardian(session, reader, key)
        amulets.end(session, cipher, key, amulet, body.how, by=reader.username, now=now)
    services.changed.announce()


def _reader(services: Services, cookie: str | None) -> Reader | None:
    """Who is signed in, if anybody: it is looked at, and nothing is changed in their name."""
    try:
        return sessions.resume(services, cookie).reader if cookie else None
    except NotSignedIn:
        return None


def _joined(row: Invitation) -> Joined:
    assert row.person_key is not None  # noqa: S101 - it was used
    kind: Literal["relative", "enrol"] = "relative" if row.kind == "relative" else "enrol"
    return Joined(kind=kind, person_key=row.person_key)


def _agreed(body: Agreement) -> Agreed:
    return Agreed(body.notice, body.language, body.capacity)


def _entry(
    session: Session, services: Services, request: Request, row: Invitation
) -> InvitationEntry:
    cipher, now = Cipher(services.settings.secret), services.now()
    path = invitations.path_of(cipher, row, now)
    by = None
    if row.used is not None and row.account_id is not None:
        by = session.scalar(select(Account.username).where(Account.id == row.account_id))
    return InvitationEntry(
        id=row.id,
        kind="relative" if row.kind == "relative" else "enrol",
        note=cipher.open(invitations.NOTE, row.note),
        state=invitations.state_of(row, now),
        made_by=row.made_by,
        made=row.made,
        expires=row.expires,
        used=row.used,
        used_by=by,
        link=None if path is None else address_of(services.settings, request) + path,
    )


def _found(services: Services, request: Request, token: str, reader: Reader | None) -> Invitation:
    """The open invitation, as it is before anything is written. Refusals are counted and written
    down. Raises ``InvitationNotValid``, ``TooManyAttempts``."""
    cipher = Cipher(services.settings.secret)
    account = None if reader is None else reader.account_id
    try:
        with services.sessions() as session:
            return invitations.find(session, cipher, token, services.now(), account)
    except InvitationNotValid:
        _refuse(services, request, token, "" if reader is None else reader.username)
        raise


def _refuse(services: Services, request: Request, token: str, account: str) -> None:
    """Counted before it is written down: whoever tries links fills no log."""
    now, address = services.now(), _address(request)
    with writing(services.sessions) as session:
        attempts.count(session, attempts.guesses(JOIN, address), now)
    with writing(services.sessions) as session:
        invitations.refused(session, token, account or "stranger", now)
    _log.warning("invitation-refused", address=address)


def _limit(services: Services, request: Request, row: Invitation) -> None:
    wanted = attempts.posts(
        JOIN, row.id, _address(request), each=FROM_ONE_NETWORK, together=OF_ONE_INVITATION
    )
    with writing(services.sessions) as session:
        attempts.count(session, wanted, services.now())


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
