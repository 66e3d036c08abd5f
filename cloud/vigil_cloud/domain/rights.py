"""Who may see what of a domain: asked by lists, pages, streams, evidence and notifications.

A domain that nobody has described is closed to everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vigil_cloud.domain.registry import described
from vigil_cloud.identity.dependencies import CurrentAccount, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_schemas.types import Domain

PLATFORM: Final[Domain] = "platform"
"""The domain of the platform's own alerts; no device is of it."""
PLATFORM_ROLES: Final = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})
_NOBODY: Final[frozenset[Role]] = frozenset()


def alert_roles(domain: Domain) -> frozenset[Role]:
    """Who sees the alerts of this domain, whomever they are about."""
    if domain == PLATFORM:
        return PLATFORM_ROLES
    found = described(domain)
    return _NOBODY if found is None else found.alert_roles


def is_described(domain: Domain) -> bool:
    """Whether anybody may be told of it at all."""
    return domain == PLATFORM or described(domain) is not None


def consent_roles(domain: Domain) -> frozenset[Role]:
    """Who sees those alerts of this domain that are about a person who consented to it."""
    found = described(domain)
    return _NOBODY if found is None else found.consent_roles


def may_see(reader: Reader, domain: Domain, person_key: str | None) -> bool:
    """Whether an alert of this domain, about this person, is for the reader."""
    if reader.has(*alert_roles(domain)):
        return True
    return reader.has(*consent_roles(domain)) and person_key in reader.consented


def may_see_device(reader: Reader, domain: Domain) -> bool:
    """Whether a device of this domain, its readings and its state are for the reader."""
    found = described(domain)
    return found is not None and reader.has(*found.device_roles)


def require_alerts_of(domain: Domain) -> Callable[[Reader], Reader]:
    """A dependency that lets only those pass who see this domain's alerts (else 403)."""

    def holder(reader: CurrentAccount) -> Reader:
        return require(*sorted(alert_roles(domain)))(reader)

    return holder
