"""Refusals of the identity room."""

from __future__ import annotations

from typing import ClassVar

from vigil_cloud.api_errors import ApiError


class NotSignedIn(ApiError):
    """No session, or one that ended."""

    code: ClassVar[str] = "not-signed-in"
    status: ClassVar[int] = 401


class WrongPassword(ApiError):
    """User name and password do not go together; which of the two is not told."""

    code: ClassVar[str] = "wrong-password"
    status: ClassVar[int] = 401


class TooManyAttempts(ApiError):
    """Signing in failed too often from here; ``Retry-After`` says when to come back."""

    code: ClassVar[str] = "too-many-attempts"
    status: ClassVar[int] = 429


class TooBusy(ApiError):
    """More passwords wait to be looked at than the service takes on at once."""

    code: ClassVar[str] = "too-busy"
    status: ClassVar[int] = 503


class WrongCsrfToken(ApiError):
    """The CSRF header is missing or not this session's."""

    code: ClassVar[str] = "wrong-csrf-token"
    status: ClassVar[int] = 403


class Forbidden(ApiError):
    """The account's roles do not reach this far."""

    code: ClassVar[str] = "forbidden"
    status: ClassVar[int] = 403


class GatewayRefused(ApiError):
    """A gateway's token does not fit."""

    code: ClassVar[str] = "gateway-refused"
    status: ClassVar[int] = 403


class WeakPassword(ApiError):
    """A password that is short or widely known."""

    code: ClassVar[str] = "weak-password"
    status: ClassVar[int] = 422


class UnknownAccount(ApiError):
    """No account has this user name."""

    code: ClassVar[str] = "account-unknown"
    status: ClassVar[int] = 404


class AccountExists(ApiError):
    """The user name is taken."""

    code: ClassVar[str] = "account-exists"
    status: ClassVar[int] = 409


class LastAdministrator(ApiError):
    """Without it nobody could administer."""

    code: ClassVar[str] = "last-administrator"
    status: ClassVar[int] = 409


class NoConsent(ApiError):
    """The person is unknown or has not consented; the two are not told apart."""

    code: ClassVar[str] = "no-consent"
    status: ClassVar[int] = 403


class AuditBroken(ApiError):
    """A link of the audit chain does not fit: somebody changed the table."""

    code: ClassVar[str] = "audit-broken"
    status: ClassVar[int] = 500
