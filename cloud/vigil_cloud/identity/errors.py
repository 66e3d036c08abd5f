"""Refusals of the identity room."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from vigil_cloud.api_errors import ApiError


class NotSignedIn(ApiError):
    """No session, or one that ended."""

    code: ClassVar[str] = "not-signed-in"
    remedy: ClassVar[str] = "Sign in again."
    status: ClassVar[int] = 401


class WrongPassword(ApiError):
    """User name and password do not go together; which of the two is not told."""

    code: ClassVar[str] = "wrong-password"
    remedy: ClassVar[str] = (
        "Try again; an administrator can set another with `vigil-cloud account password`."
    )
    status: ClassVar[int] = 401


class TooManyAttempts(ApiError):
    """Signing in failed too often from here; ``Retry-After`` says when to come back."""

    code: ClassVar[str] = "too-many-attempts"
    remedy: ClassVar[str] = "Wait as long as `Retry-After` says."
    status: ClassVar[int] = 429

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            f"Too many failed attempts; wait {wait_s} seconds.", {"Retry-After": str(wait_s)}
        )
        self.wait_s = wait_s


class TooBusy(ApiError):
    """More passwords wait to be looked at than the service takes on at once."""

    code: ClassVar[str] = "too-busy"
    remedy: ClassVar[str] = "Wait a few seconds and try again."
    status: ClassVar[int] = 503


class WrongCsrfToken(ApiError):
    """The CSRF header is missing or not this session's."""

    code: ClassVar[str] = "wrong-csrf-token"
    remedy: ClassVar[str] = "Load the page again; programs send the session's `X-CSRF-Token`."
    status: ClassVar[int] = 403


class Forbidden(ApiError):
    """The account's roles do not reach this far."""

    code: ClassVar[str] = "forbidden"
    remedy: ClassVar[str] = "Ask somebody with the role, or an administrator to give it."
    status: ClassVar[int] = 403

    def __init__(self, message: str, *, roles: Collection[str] = ()) -> None:
        super().__init__(message)
        self.roles = list(roles)
        """Any of these would do; empty where it is not a matter of roles."""


class GatewayRefused(ApiError):
    """A gateway's token does not fit."""

    code: ClassVar[str] = "gateway-refused"
    remedy: ClassVar[str] = (
        "Write the token of this gateway into its `[cloud] token`; `vigil-cloud gateway "
        "rotate-token` makes a new one."
    )
    status: ClassVar[int] = 403

    def __init__(self, gateway: str) -> None:
        super().__init__(f"This token is not that of gateway {gateway!r}.")
        self.gateway = gateway


class WeakPassword(ApiError):
    """A password that is short or widely known."""

    code: ClassVar[str] = "weak-password"
    remedy: ClassVar[str] = "Choose a longer one that is on no list."
    status: ClassVar[int] = 422

    def __init__(self, message: str, *, least_characters: int) -> None:
        super().__init__(message)
        self.least_characters = least_characters


class UnknownAccount(ApiError):
    """No account has this user name."""

    code: ClassVar[str] = "account-unknown"
    remedy: ClassVar[str] = "Check the user name; `vigil-cloud account list` shows all."
    status: ClassVar[int] = 404

    def __init__(self, account: str) -> None:
        super().__init__(f"There is no account {account!r}.")
        self.account = account


class AccountExists(ApiError):
    """The user name is taken."""

    code: ClassVar[str] = "account-exists"
    remedy: ClassVar[str] = (
        "Choose another user name, or open the account that has it with `vigil-cloud account open`."
    )
    status: ClassVar[int] = 409

    def __init__(self, account: str) -> None:
        super().__init__(f"The user name {account!r} is taken.")
        self.account = account


class LastAdministrator(ApiError):
    """Without it nobody could administer."""

    code: ClassVar[str] = "last-administrator"
    remedy: ClassVar[str] = "Make another account an administrator first."
    status: ClassVar[int] = 409

    def __init__(self, account: str) -> None:
        super().__init__(f"{account!r} is the last administrator; add another first.")
        self.account = account


class NoConsent(ApiError):
    """The person is unknown or has not consented; the two are not told apart."""

    code: ClassVar[str] = "no-consent"
    remedy: ClassVar[str] = "Ask the person's guardian for consent."
    status: ClassVar[int] = 403


class AuditBroken(ApiError):
    """A link of the audit chain does not fit: somebody changed the table."""

    code: ClassVar[str] = "audit-broken"
    remedy: ClassVar[str] = (
        "Treat it as tampering: keep the database, compare it with a backup, find who had access."
    )
    status: ClassVar[int] = 500

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"audit line {line} {what}")
        self.line = line


class KeyReused(ApiError):
    """The Idempotency-Key was sent before with another request."""

    code: ClassVar[str] = "idempotency-key-reused"
    remedy: ClassVar[str] = "Send a new request with a new key."
    status: ClassVar[int] = 422
