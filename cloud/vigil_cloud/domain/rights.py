"""Who may see what of a domain: asked by lists, pages, streams, evidence and notifications.

The rule itself is ``identity.rights``; here it is given what each domain says of itself. A domain
that nobody has described is closed to everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from vigil_cloud.domain.registry import described, domains
from vigil_cloud.identity.dependencies import CurrentAccount, require
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Decision, Opened, Operation, Subject, decide
from vigil_cloud.identity.roles import Role
from vigil_schemas.types import Domain

PLATFORM: Final[Domain] = "platform"
"""The domain of the platform's own alerts; no device is of it."""
PLATFORM_ROLES: Final = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})
_NOBODY: Final[frozenset[Role]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Platform:
    alert_roles: frozenset[Role] = PLATFORM_ROLES
    consent_roles: frozenset[Role] = _NOBODY
    case_roles: frozenset[Role] = _NOBODY
    household_roles: frozenset[Role] = _NOBODY
    device_roles: frozenset[Role] = _NOBODY
    shelve_roles: frozenset[Role] = _NOBODY
    personal_roles: frozenset[Role] = PLATFORM_ROLES
    evidence_roles: frozenset[Role] = _NOBODY


_PLATFORM: Final[Opened] = _Platform()


def opened(domain: Domain) -> Opened | None:
    """Who may see something of this domain; ``None``: nobody has described it."""
    return _PLATFORM if domain == PLATFORM else described(domain)


def all_opened() -> Iterator[tuple[Domain, Opened]]:
    """Every domain that anybody may see something of."""
    for one in domains():
        yield one.name, one
    yield PLATFORM, _PLATFORM


def is_described(domain: Domain) -> bool:
    """Whether anybody may be told of it at all."""
    return opened(domain) is not None


def decision(reader: Reader, operation: Operation, subject: Subject) -> Decision:
    """Whether the reader may, and why."""
    return decide(reader, operation, subject, opened(subject.domain))


def may(reader: Reader, operation: Operation, subject: Subject) -> bool:
    """Whether the reader may."""
    return decision(reader, operation, subject).allowed


def may_see_device(reader: Reader, domain: Domain, device: str, district: str | None) -> bool:
    """Whether this device and its state are for the reader."""
    subject = Subject(domain, device=device, district=district)
    return may(reader, Operation.SEE_DEVICE, subject)


def require_alerts_of(domain: Domain) -> Callable[[Reader], Reader]:
    """A dependency that lets only those pass whose role sees this domain's alerts (else 403)."""

    def holder(reader: CurrentAccount) -> Reader:
        found = opened(domain)
        if found is None:
            raise Forbidden("Nobody has described this domain.")
        return require(*sorted(found.alert_roles))(reader)

    return holder
