"""A consent that goes on: what is lost with its end, when that is said, and how it is renewed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
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
    narrowed_from,
    opens,
    taken_back,
)
from vigil_cloud.identity.ends_soon import step
from vigil_cloud.identity.models import Account, Consent
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
    of_both = (Consent.person_key == person_key, Consent.account_id == consent.account_id)
    theirs = session.scalars(select(Consent).where(*of_both).order_by(Consent.id)).all()
    wanted, lasts = opens(consent), consent.expires - given_at(consent, theirs)
    expires = now + min(lasts, LONGEST)
    for one in theirs:
        if (
            one.revoked is None
            and one.expires >= expires - _PRESSED_AGAIN
            and all(opens(one).covers(scope, wanted) for scope in wanted.scopes)
        ):
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


def given_at(consent: Consent, theirs: Collection[Consent]) -> datetime:
    """When it was given: of what was left as one was narrowed, when that was. ``theirs``: as
    ``narrowed_from`` is given them."""
    first = consent
    while (before := narrowed_from(first, theirs)) is not None:
        first = before
    return first.granted


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


def ends_soon_for(given: Iterable[Consent], now: datetime) -> dict[str, datetime]:
    """By person: when the first of the reader's consents ends that closes something, where it is
    time to say so (``ends_soon``). ``given``: as ``held.given_to`` reads them."""
    theirs: dict[str, list[Consent]] = defaultdict(list)
    for row in given:
        theirs[row.person_key].append(row)
    found = {}
    for person, own in theirs.items():
        standing = [one for one in own if one.revoked is None]
        ending = [
            one.expires
            for one in standing
            if step(given_at(one, own), one.expires, now) is not None and lost_with(one, standing)
        ]
        if ending:
            found[person] = min(ending)
    return found
