"""Who may see what: the one place that lists, pages, streams, evidence and notifications ask.

The rule exists twice, in Python and in SQL, and a test holds the two together.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, and_, false, or_

from vigil_cloud.alerts.domains import PLATFORM, AlertDomain
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_schemas import checkin, noise, smoke, water

_STREET: Final = frozenset({Role.INSPECTOR, Role.REVIEWER, Role.POLICE, Role.ADMINISTRATOR})
_HOME: Final = frozenset({Role.DISPATCHER, Role.MAINTAINER, Role.ADMINISTRATOR})
ROLES: Final[dict[str, frozenset[Role]]] = {
    noise.DOMAIN: _STREET,
    water.DOMAIN: _STREET,
    smoke.DOMAIN: _HOME,
    PLATFORM: frozenset({Role.MAINTAINER, Role.ADMINISTRATOR}),
}
"""Check-in is not here on purpose: no role opens it, only a person's consent does. Neither is a
domain that nobody has described: its alerts are shown to nobody."""
_EVERYBODY: Final = frozenset(Role)
DEVICE_ROLES: Final[dict[str, frozenset[Role]]] = {
    noise.DOMAIN: _EVERYBODY,
    water.DOMAIN: _EVERYBODY,
    checkin.DOMAIN: _EVERYBODY,
    smoke.DOMAIN: _HOME,
}
"""Devices stand in public view, but for smoke alarms: those stand in homes. Those of a domain
that is not here are shown to nobody."""


def may_see(reader: Reader, domain: str, person_key: str | None) -> bool:
    """Whether an alert of this domain, about this person, is for the reader."""
    if domain == checkin.DOMAIN:
        return reader.has(Role.FAMILY) and person_key in reader.consented
    return reader.has(*ROLES.get(domain, frozenset()))


def scopes(reader: Reader, domain: AlertDomain | None = None) -> list[ColumnElement[bool]]:
    """The same as conditions on ``AlertRow``, one for each domain that a role opens and for each
    person who consented; no alert fulfils two of them. Of one domain alone, if it is named."""
    found: list[ColumnElement[bool]] = [
        AlertRow.domain == opened
        for opened, roles in ROLES.items()
        if reader.has(*roles) and (domain is None or domain == opened)
    ]
    if reader.has(Role.FAMILY) and (domain is None or domain == checkin.DOMAIN):
        found += [
            and_(AlertRow.person_key == person, AlertRow.domain == checkin.DOMAIN)
            for person in sorted(reader.consented)
        ]
    return found


def visible(reader: Reader) -> ColumnElement[bool]:
    """All of them as one condition."""
    return or_(false(), *scopes(reader))


def may_see_device(reader: Reader, domain: str) -> bool:
    """Whether a device of this domain, its readings and its state are for the reader."""
    return reader.has(*DEVICE_ROLES.get(domain, frozenset()))
