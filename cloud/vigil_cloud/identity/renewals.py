"""A consent that goes on: what is lost with its end, when that is said, and how it is renewed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.identity.consents import (
    LONGEST,
    BadConsent,
    SecondGuardianNeeded,
    grant,
    locked,
    opens,
    taken_back,
)
from vigil_cloud.identity.ends_soon import step
from vigil_cloud.identity.models import Account, Consent
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.whereabouts import Scope

_PRESSED_AGAIN: Final = timedelta(hours=1)


def renew(
    session: Session, *, person_key: str, consent_id: int, by: str, by_id: int | None, now: datetime
) -> Consent:
    """The same once more from now on, for as long as it was given for, also where it has ended.
    Where the account holds as much for as long already, that: pressed twice is no error.
    ``by_id``: the account that asks, ``None`` for an operator. Raises ``NotFound``, ``BadConsent``
    for what was taken back, ``SecondGuardianNeeded`` as ``require_not_taken_back``."""
    consent = locked(session, person_key, consent_id)
    if consent.revoked is not None:
        raise BadConsent("This consent was taken back: give another.")
    account = session.get(Account, consent.account_id)
    wanted, expires = opens(consent), now + min(consent.expires - consent.granted, LONGEST)
    standing = select(Consent).where(
        Consent.person_key == person_key,
        Consent.account_id == consent.account_id,
        Consent.revoked.is_(None),
        Consent.expires >= expires - _PRESSED_AGAIN,
    )
    for one in session.scalars(standing.order_by(Consent.id)):
        if all(opens(one).covers(scope, wanted) for scope in wanted.scopes):
            return one
    own = account is not None and account.id == by_id
    if own and taken_back(session, person_key, consent.account_id, by, wanted):
        raise SecondGuardianNeeded("Your consent was taken back: somebody else has to give it.")
    renewed = grant(
        session,
        person_key=person_key,
        account=account,
        by=by,
        expires=expires,
        now=now,
        wanted=wanted,
    )
    session.flush()
    return renewed


def lost_with(consent: Consent, standing: Iterable[Consent]) -> frozenset[Scope]:
    """What nobody opens any more to its account once it has ended. ``standing``: consents of the
    same person and account that nobody took back."""
    wanted = opens(consent)
    later = [
        opens(one) for one in standing if (one.expires, one.id) > (consent.expires, consent.id)
    ]
    return frozenset(
        scope for scope in wanted.scopes if not any(one.covers(scope, wanted) for one in later)
    )


def ends_soon_for(session: Session, reader: Reader, now: datetime) -> dict[str, datetime]:
    """By person: when the first of the reader's consents ends that closes something, where it is
    time to say so (``ends_soon``)."""
    standing: dict[str, list[Consent]] = defaultdict(list)
    query = select(Consent).where(
        Consent.account_id == reader.account_id, Consent.revoked.is_(None), Consent.expires > now
    )
    for row in session.scalars(query):
        standing[row.person_key].append(row)
    return {
        person: min(ending)
        for person, own in standing.items()
        if (
            ending := [
                one.expires
                for one in own
                if step(one.granted, one.expires, now) is not None and lost_with(one, own)
            ]
        )
    }
