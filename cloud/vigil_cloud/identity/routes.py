"""Signing in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from vigil_cloud.identity import sessions
from vigil_cloud.identity.dependencies import (
    COOKIE,
    CurrentAccount,
    ServicesDependency,
    current_session,
)
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.schema import AccountEntry, Credentials, SessionEntry
from vigil_cloud.identity.service import sign_in
from vigil_cloud.identity.sessions import ABSOLUTE, SignedIn, resume

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


@router.post("/session", operation_id="sign_in")
def post_session(
    credentials: Credentials, request: Request, response: Response, services: ServicesDependency
) -> SessionEntry:
    """Sign in: sets the session cookie. 429 with Retry-After after too many failures."""
    address = request.client.host if request.client else ""
    token, csrf = sign_in(services, credentials.username, credentials.password, address)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(ABSOLUTE.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=services.settings.public_url.startswith("https://"),
        path="/",
    )
    response.headers["Cache-Control"] = "no-store"
    return _entry(resume(services, token).account, csrf)


@router.get("/session", operation_id="get_session")
def get_session(
    signed_in: Annotated[SignedIn, Depends(current_session)], response: Response
) -> SessionEntry:
    """Who is signed in, and the CSRF token of this session."""
    response.headers["Cache-Control"] = "no-store"
    return _entry(signed_in.account, signed_in.csrf)


@router.delete("/session", status_code=204, operation_id="sign_out")
def delete_session(
    _account: CurrentAccount,
    signed_in: Annotated[SignedIn, Depends(current_session)],
    response: Response,
    services: ServicesDependency,
) -> None:
    """Sign out here; other browsers stay signed in."""
    sessions.end(services, signed_in.token_sha256)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
