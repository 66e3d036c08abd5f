"""Signing in and out, and one's own password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts, first_start, sessions
from vigil_cloud.identity.dependencies import (
    COOKIE,
    CurrentAccount,
    ServicesDependency,
    SessionCookie,
    current_session,
)
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import (
    AccountEntry,
    Credentials,
    PasswordChange,
    ProfileChange,
    SessionEntry,
    SetupRequest,
    SetupState,
)
from vigil_cloud.identity.service import (
    change_password,
    change_profile,
    sign_in,
    sign_out_everywhere,
)
from vigil_cloud.identity.sessions import ABSOLUTE, SignedIn, resume
from vigil_cloud.services import Services

router = APIRouter(tags=["session"])


def _entry(account: Account, csrf: str) -> SessionEntry:
    return SessionEntry(
        account=AccountEntry(
            username=account.username,
            display_name=account.display_name,
            roles=[Role(role) for role in account.roles],
            language=account.language,
        ),
        csrf=csrf,
    )


def let_in(
    response: Response, request: Request, services: Services, tokens: tuple[str, str]
) -> SessionEntry:
    """The session's cookie, and what a page is told of it."""
    token, csrf = tokens
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(ABSOLUTE.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=_encrypted(request, services),
        path="/",
    )
    return _entry(resume(services, token).account, csrf)


def _let_out(response: Response, request: Request, services: Services) -> None:
    response.delete_cookie(
        COOKIE, path="/", httponly=True, samesite="strict", secure=_encrypted(request, services)
    )


def _encrypted(request: Request, services: Services) -> bool:
    # The scheme is that of the browser's connection where a trusted proxy says so.
    public = services.settings.public_url.startswith("https://")
    return public or request.url.scheme == "https"


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


@router.post("/session", operation_id="sign_in")
def post_session(
    credentials: Credentials,
    request: Request,
    response: Response,
    services: ServicesDependency,
    before: SessionCookie,
) -> SessionEntry:
    """Sign in: sets the session cookie. 429 with Retry-After after too many failures."""
    tokens = sign_in(
        services, credentials.username, credentials.password, _address(request), before
    )
    return let_in(response, request, services, tokens)


@router.get("/setup", operation_id="get_setup")
def get_setup(services: ServicesDependency) -> SetupState:
    """Whether nobody has an account yet. Public: the first page asks."""
    with services.sessions() as session:
        return SetupState(open=first_start.is_open(session))


@router.post("/setup", status_code=201, operation_id="post_setup")
def post_setup(
    body: SetupRequest, request: Request, response: Response, services: ServicesDependency
) -> SessionEntry:
    """Make the first account, an administrator's, and sign in. 409 once there is an account."""
    guesses = attempts.guesses("setup", _address(request))
    with writing(services.sessions) as session:
        attempts.count(session, guesses, services.now())
    first_start.make_administrator(services, body.code, body.username, body.password, body.language)
    tokens = sign_in(services, body.username, body.password, _address(request), None)
    return let_in(response, request, services, tokens)


@router.get("/session", operation_id="get_session")
def get_session(signed_in: Annotated[SignedIn, Depends(current_session)]) -> SessionEntry:
    """Who is signed in, and the CSRF token of this session."""
    return _entry(signed_in.account, signed_in.csrf)


@router.put("/session/password", operation_id="change_password")
def put_password(
    body: PasswordChange,
    reader: CurrentAccount,
    request: Request,
    response: Response,
    services: ServicesDependency,
) -> SessionEntry:
    """Change one's own password: this browser gets a new session, all others are signed out."""
    tokens = change_password(services, reader.username, body.current, body.new, _address(request))
    return let_in(response, request, services, tokens)


@router.put("/session/profile", status_code=204, operation_id="change_profile")
def put_profile(body: ProfileChange, reader: CurrentAccount, services: ServicesDependency) -> None:
    """Change one's own name and language."""
    with writing(services.sessions) as session:
        change_profile(
            session, reader.username, body.display_name, body.language, now=services.now()
        )


@router.delete("/session", status_code=204, operation_id="sign_out")
def delete_session(
    _account: CurrentAccount,
    signed_in: Annotated[SignedIn, Depends(current_session)],
    request: Request,
    response: Response,
    services: ServicesDependency,
) -> None:
    """Sign out here; other browsers stay signed in."""
    sessions.end(services, signed_in.token_sha256)
    _let_out(response, request, services)


@router.delete("/sessions", status_code=204, operation_id="sign_out_everywhere")
def delete_sessions(
    reader: CurrentAccount, request: Request, response: Response, services: ServicesDependency
) -> None:
    """Sign out in every browser, this one too."""
    sign_out_everywhere(services, reader.account_id, reader.username)
    _let_out(response, request, services)
