"""Which alerts are for a reader, as conditions of SQL.

``domain.rights`` says the same in Python, and a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.domain.registry import domains
from vigil_cloud.domain.rights import PLATFORM, alert_roles, consent_roles
from vigil_cloud.identity.reader import Reader
from vigil_schemas.types import Domain


def scopes(reader: Reader, domain: Domain | None = None) -> list[ColumnElement[bool]]:
    """One condition on ``AlertRow`` for each domain that a role opens and for each person who
    consented; no alert fulfils two of them. Of one domain alone, if it is named."""
    found: list[ColumnElement[bool]] = []
    for name in (*(one.name for one in domains()), PLATFORM):
        if domain is not None and domain != name:
            continue
        if reader.has(*alert_roles(name)):
            found.append(AlertRow.domain == name)
        elif reader.has(*consent_roles(name)):
            found += [
                and_(AlertRow.person_key == person, AlertRow.domain == name)
                for person in sorted(reader.consented)
            ]
    return found


def visible(reader: Reader) -> ColumnElement[bool]:
    """All of them as one condition."""
    return or_(false(), *scopes(reader))
