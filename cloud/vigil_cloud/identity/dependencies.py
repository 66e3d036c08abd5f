"""What routes ask for: the services, the signed-in account, a role, a gateway's token.

Use: ``account: CurrentAccount`` for any signed-in account, or
``account: Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Depends, Header, Path, Request
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from vigil_cloud.identity.errors import Forbidden, GatewayRefused, NotSignedIn, WrongCsrfToken
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.sessions import SignedIn, gateway_of_token, resume, same_secret
from vigil_cloud.services import Services
from vigil_schemas.types import GatewayId

COOKIE: Final = "vigil_session"
CSRF_HEADER: Final = "X-CSRF-Token"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_cookie = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session")
_csrf = APIKeyHeader(
    name=CSRF_HEADER,
    auto_error=False,
    scheme_name="csrf",
    description="The value that GET session gave; needed for every method that changes something",
)
_bearer = HTTPBearer(auto_error=False, scheme_name="gateway", description="A gateway's token")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9_-]{8,64}$",
        description="made up by the client; the same request with it does nothing more",
    ),
]


def current_services(request: Request) -> Services:
    """The bundle that ``create_app`` was given."""
    services: Services = request.app.state.services
    return services


ServicesDependency = Annotated[Services, Depends(current_services)]
SessionCookie = Annotated[str | None, Depends(_cookie)]


def current_session(
    services: ServicesDependency,
    token: SessionCookie,
) -> SignedIn:
    """The signed-in session without a look at CSRF. Raises ``NotSignedIn``."""
    if not token:
        raise NotSignedIn("Sign in first (POST /api/v1/session).")
    return resume(services, token)


def current_account(
    request: Request,
    signed_in: Annotated[SignedIn, Depends(current_session)],
    csrf: Annotated[str | None, Depends(_csrf)],
) -> Reader:
    """Who asks, with roles and valid consents. Raises ``NotSignedIn``, ``WrongCsrfToken``."""
    if request.method not in _SAFE_METHODS and not same_secret(csrf or "", signed_in.csrf):
        raise WrongCsrfToken(f"Send the header {CSRF_HEADER} with the value from GET session.")
    return signed_in.reader


CurrentAccount = Annotated[Reader, Depends(current_account)]


def require(*roles: Role) -> Callable[[Reader], Reader]:
    """A dependency that lets only accounts pass that hold one of the roles (else 403)."""

    def holder(reader: CurrentAccount) -> Reader:
        if not reader.has(*roles):
            names = ", ".join(role.value for role in roles)
            raise Forbidden(f"This needs one of the roles: {names}.", roles=roles)
        return reader

    return holder


def authenticated_gateway(
    gateway: Annotated[GatewayId, Path()],
    services: ServicesDependency,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """The gateway named in the path, if the bearer token is its own. Raises ``GatewayRefused``."""
    if credentials is None:
        raise NotSignedIn("Send the gateway's token as Authorization: Bearer.")
    if gateway_of_token(services, credentials.credentials) != gateway:
        raise GatewayRefused(gateway)
    return gateway


PersonKey = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
AuthenticatedGateway = Annotated[str, Depends(authenticated_gateway)]
