"""What an account holds by consent: what is open to it right now, until when and from when on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.identity.consents import opens
from vigil_cloud.identity.models import Consent
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.whereabouts import Scope, persons_opened


@dataclass(frozen=True, slots=True)
class Held:
    """One scope that is open right now: until when at the latest, and from when on."""

    scope: Scope
    until: datetime
    since: datetime | None


def given_to(session: Session, reader: Reader, now: datetime) -> Sequence[Consent]:
    """The reader's consents that have not ended, what was taken back among them."""
    query = select(Consent).where(Consent.account_id == reader.account_id, Consent.expires > now)
    return session.scalars(query).all()


def held_by(reader: Reader, given: Iterable[Consent]) -> dict[str, list[Held]]:
    """What the reader holds by consent, by person and in the order of ``Scope``. How long: as
    long as any of the consents opens it; from when on: as ``opened_to`` says it now. ``given``:
    as ``given_to`` reads them."""
    found: dict[str, dict[Scope, datetime]] = defaultdict(dict)
    for row in given:
        if row.revoked is None:
            own = found[row.person_key]
            for scope in opens(row).scopes:
                own[scope] = max(own.get(scope, row.expires), row.expires)
    now_open = {scope: persons_opened(reader, scope) for scope in Scope}
    return {
        person: [
            Held(scope, own[scope], opening.since if scope is Scope.FOOTPRINT else None)
            for scope in Scope
            if scope in own and (opening := now_open[scope].get(person)) is not None
        ]
        for person, own in found.items()
    }
