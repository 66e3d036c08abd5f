"""Volunteers: consent, certificate, being on call. Where somebody is, is kept only while on call.

A fixed place is entered by the volunteer and kept with a consent of its own. It counts while its
owner is on call, within its hours, and only where no position of now is known: a phone in a pocket
tells no page where it is.

An account's own person consents and goes on call; an administrator who has seen the certificate
notes its last day. Whoever lacks any of it is not called, and is told why.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from sqlalchemy.orm import Session

from vigil_cloud.aed import hours
from vigil_cloud.aed.leaving import release_coming
from vigil_cloud.aed.models import AedCohort, AedVolunteer
from vigil_cloud.aed.on_call import FIXED_COLUMN, POSITION_COLUMN, is_fresh, opened, within
from vigil_cloud.alerts import feed
from vigil_cloud.api_errors import ApiError
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named

if TYPE_CHECKING:
    from vigil_cloud.aed.streets import Position

_NEW: Final = {
    "on_call": False,
    "speed_mps": 1.8,
    "ending_told": "",
    "ending_tries": 0,
    "fixed_hours": "",
    "hours": "",
    **dict.fromkeys(("asked_day", "accepted_day", "asked_night", "accepted_night"), 0),
}
Bar = Literal[
    "no-consent",
    "no-certificate",
    "certificate-lapsed",
    "not-on-call",
    "no-position",
    "outside-hours",
    "outside-cohort-hours",
]
"""Why a volunteer is not called."""


class NotACandidate(ApiError):
    """Only volunteers who consented can be on call. ``bar`` says what is missing."""

    code: ClassVar[str] = "volunteer-not-ready"
    remedy: ClassVar[str] = (
        "Consent first; an administrator notes the certificate once it has been seen."
    )
    status: ClassVar[int] = 409

    def __init__(self, bar: Bar) -> None:
        super().__init__(f"You cannot be on call: {bar.replace('-', ' ')}.")
        self.bar = bar


class NoVolunteer(ApiError):
    """No such account with the role volunteer."""

    code: ClassVar[str] = "no-volunteer"
    remedy: ClassVar[str] = "Name an account that holds the role volunteer."
    status: ClassVar[int] = 404


def own(session: Session, account_id: int) -> AedVolunteer:
    """The account's row, made where there is none; locked."""
    # Two phones of one person, or a person and an administrator, may be the first at once.
    insert_missing(session, AedVolunteer, [{"account_id": account_id, **_NEW}])
    return session.get_one(AedVolunteer, account_id, with_for_update=True, populate_existing=True)


def bars(row: AedVolunteer | None, cohort: AedCohort | None, now: datetime) -> list[Bar]:
    """Everything that keeps this volunteer, of this cohort, from being called."""
    if row is None:
        return ["no-consent", "no-certificate", "not-on-call"]
    found: list[Bar] = []
    if row.consented is None:
        found.append("no-consent")
    if row.certificate_until is None:
        found.append("no-certificate")
    elif row.certificate_until < now.astimezone(CITY_ZONE).date():
        found.append("certificate-lapsed")
    if not row.on_call:
        found.append("not-on-call")
    elif not is_fresh(row.located, now) and not fixed_counts(row, now):
        found.append("no-position")
    if row.hours and not within(row.hours, now):
        found.append("outside-hours")
    gone = cohort is None and row.cohort is not None
    if gone or (cohort is not None and not within(cohort.hours, now)):
        found.append("outside-cohort-hours")
    return found


def cohort_of(session: Session, row: AedVolunteer | None) -> AedCohort | None:
    """The volunteer's."""
    return None if row is None or row.cohort is None else session.get(AedCohort, row.cohort)


def fixed_counts(row: AedVolunteer, now: datetime) -> bool:
    """Whether the volunteer is at the fixed place now, as far as its hours say."""
    return row.fixed_consented is not None and within(row.fixed_hours, now)


def consent(session: Session, reader: Reader, given: bool, now: datetime) -> AedVolunteer:
    """Given or withdrawn; withdrawn, nothing of where the volunteer is stays, and others are called
    to what they were coming to."""
    if not given:
        feed.lock(session)  # before the row and the audit log, as whoever answers a call
    row = own(session, reader.account_id)
    if given == (row.consented is not None):
        return row
    row.consented = now if given else None
    if not given:
        _off(row)
        _forget_fixed(row)
        row.hours = ""
    action = "aed.consent-given" if given else "aed.consent-withdrawn"
    audit.append(session, at=now, account=reader.username, action=action, subject=reader.username)
    if not given:
        name = reader.username
        release_coming(session, reader.account_id, name, "consent", by=name, now=now)
    return row


def go_on_call(
    session: Session,
    cipher: Cipher,
    reader: Reader,
    position: Position | None,
    now: datetime,
    *,
    at_fixed_place: bool = False,
) -> AedVolunteer:
    """On call, here (longitude, latitude), or at the fixed place alone; neither: off call, and the
    position is forgotten. Raises ``NotACandidate``."""
    row = own(session, reader.account_id)
    if position is None and not at_fixed_place:
        _off(row)
        return row
    _require_ready(row, now)
    if position is None and row.fixed_consented is None:
        raise NotACandidate("no-position")
    row.on_call = True
    _nothing_told(row)
    row.located = None if position is None else now
    sealed = None if position is None else cipher.seal(POSITION_COLUMN, json.dumps(position))
    row.position = sealed
    return row


def _require_ready(row: AedVolunteer, now: datetime) -> None:
    for bar in bars(row, None, now):
        if bar in ("no-consent", "no-certificate", "certificate-lapsed"):
            raise NotACandidate(bar)


def set_fixed_place(
    session: Session,
    cipher: Cipher,
    reader: Reader,
    place: tuple[Position, str] | None,
    now: datetime,
) -> AedVolunteer:
    """Where (longitude, latitude) and when (opening hours) the volunteer can be called without a
    position of now; ``None``: the consent to it is withdrawn, and it is forgotten. Raises
    ``BadOpeningHours``, and ``NotACandidate`` for whoever has not agreed to be called at all."""
    row = own(session, reader.account_id)
    before = row.fixed_consented
    if place is None:
        _forget_fixed(row)
    else:
        position, when = place
        hours.parsed(when)
        if row.consented is None:
            raise NotACandidate("no-consent")
        row.fixed_position = cipher.seal(FIXED_COLUMN, json.dumps(position))
        row.fixed_hours, row.fixed_consented = when, before or now
    if (before is None) == (place is None):
        return row  # withdrawn without having been given, or only moved
    action = "aed.fixed-place-given" if place is not None else "aed.fixed-place-withdrawn"
    audit.append(session, at=now, account=reader.username, action=action, subject=reader.username)
    return row


def fixed_place(cipher: Cipher, row: AedVolunteer) -> Position | None:
    """Where it is, for its owner alone."""
    return opened(cipher, FIXED_COLUMN, row.fixed_position)


def set_hours(session: Session, reader: Reader, when: str) -> AedVolunteer:
    """When the volunteer may be called, as opening hours; empty: at all hours, while on call.
    Raises ``BadOpeningHours``."""
    if when:
        hours.parsed(when)
    row = own(session, reader.account_id)
    row.hours = when
    return row


def is_volunteer(session: Session, username: str) -> bool:
    """Whether the account holds the role."""
    account = account_named(session, username)
    return account is not None and Role.VOLUNTEER.value in account.roles


def of_account(session: Session, username: str) -> AedVolunteer:
    """Locked. Raises ``NoVolunteer``."""
    account = account_named(session, username)
    if account is None or not is_volunteer(session, username):
        raise NoVolunteer(f"There is no volunteer {username!r}.")
    return own(session, account.id)


def account_of(session: Session, row: AedVolunteer) -> Account:
    """Whose row it is."""
    return session.get_one(Account, row.account_id)


def certify(
    session: Session, username: str, until: date | None, by: str, now: datetime
) -> AedVolunteer:
    """An administrator has seen the certificate, or takes it back (``None``, or a day that is
    over): then others are called to what the volunteer was coming to. Raises ``NoVolunteer``."""
    lapsed = until is None or until < now.astimezone(CITY_ZONE).date()
    if lapsed:
        feed.lock(session)
    row = of_account(session, username)
    if row.certificate_until != until:
        row.certificate_until = until
        detail = {"until": None if until is None else until.isoformat()}
        audit.append(
            session, at=now, account=by, action="aed.certified", subject=username, detail=detail
        )
        if lapsed:
            release_coming(session, row.account_id, username, "certificate", by=by, now=now)
    return row


def _off(row: AedVolunteer) -> None:
    row.on_call, row.position, row.located = False, None, None
    _nothing_told(row)


def _nothing_told(row: AedVolunteer) -> None:
    """Of the end of a position that is another by now, or none."""
    row.ending_told, row.ending_tries, row.ending_again = "", 0, None


def _forget_fixed(row: AedVolunteer) -> None:
    row.fixed_position, row.fixed_hours, row.fixed_consented = None, "", None
