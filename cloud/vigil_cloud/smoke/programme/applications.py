"""A home is applied for, is eligible or not, is taken in. Callers hold a writing transaction."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.identity import districts, households
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.service import account_named
from vigil_cloud.smoke.programme import eligibility, home_rows, progress
from vigil_cloud.smoke.programme.eligibility import Objection
from vigil_cloud.smoke.programme.errors import NotEligible, in_turn
from vigil_cloud.smoke.programme.home_rows import Resident
from vigil_cloud.smoke.programme.progress import State
from vigil_cloud.smoke.programme_models import ProgrammeHome

_MADE: Final = "programme-"
_MADE_OF: Final = 13
"""Of the home's id: how the platform's home is named that is made for it."""
AGREED: Final = "agreed:notice-1"
"""The step that says so: to the notice that the forms show. Another notice gets another number."""


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody applies with. ``agreed``: the household, to being written down."""

    particulars: Resident
    risks: tuple[str, ...]
    source: str
    district: str | None = None
    village: str = ""
    household: str | None = None
    agreed: bool = False


def apply(
    session: Session, cipher: Cipher, wanted: Application, *, by: str, now: datetime
) -> ProgrammeHome:
    """A home is applied for: for the first time, or anew where it was refused or withdrew. Raises
    ``ProgrammeOutOfTurn``, ``UnknownDistrict``, ``UnknownHousehold``."""
    if wanted.district is not None:
        districts.require(session, wanted.district)
    known = None
    if wanted.household is not None:
        known = home_rows.of_household(session, wanted.household)
    if known is not None:
        return _applied_again(session, cipher, known, wanted, by=by, now=now)
    if wanted.household is not None:
        households.require(session, wanted.household)
    row = ProgrammeHome(
        id=str(uuid.uuid4()),
        household=wanted.household,
        district=wanted.district,
        village=wanted.village,
        source=wanted.source,
        risks=sorted(set(wanted.risks)),
        applied=now,
        changed=now,
        applied_by=by,
        phase="applied",
        state=home_rows.dump(State()),
        particulars=b"",
    )
    home_rows.seal(session, cipher, row, wanted.particulars, now)
    session.add(row)
    session.flush()
    home_rows.note(session, row, f"applied:{wanted.source}", by, now)
    _note_consent(session, row, wanted, by, now)
    return row


def _applied_again(
    session: Session,
    cipher: Cipher,
    row: ProgrammeHome,
    wanted: Application,
    *,
    by: str,
    now: datetime,
) -> ProgrammeHome:
    state = home_rows.state_of(session, row)
    with in_turn(row):
        if state.phase == "in-service":
            after = progress.renewed(state, home_rows.today(now))
        else:
            after = progress.applied_again(state)
    row.risks = sorted(set(wanted.risks))
    row.village = wanted.village or row.village
    row.source, row.applied, row.applied_by = wanted.source, now, by
    home_rows.seal(session, cipher, row, wanted.particulars, now)
    home_rows.keep(session, row, after, f"applied:{wanted.source}", by, now)
    _note_consent(session, row, wanted, by, now)
    return row


def objections(session: Session, row: ProgrammeHome, now: datetime) -> tuple[Objection, ...]:
    """Why it is not eligible, as far as what is known of it says."""
    served = _is_served(home_rows.state_of(session, row), now)
    return eligibility.objections(row.risks, served=served, applied_elsewhere=False)


def objections_before(
    session: Session, household: str | None, risks: Collection[str], *, by: str, now: datetime
) -> tuple[Objection, ...]:
    """Why a home could not apply now, as far as what is known of it says. Nothing is written.
    ``household`` is ``None`` of one that the platform does not know: ``by`` applies for one at a
    time."""
    query = select(ProgrammeHome).where(ProgrammeHome.household == household)
    if household is None:
        waits = ProgrammeHome.phase.in_(sorted(progress.WAITING))
        query = select(ProgrammeHome).where(claimed_by(by), waits)
    row = session.scalar(query.limit(1))
    state = State(phase="withdrawn") if row is None else home_rows.state_of(session, row)
    return eligibility.objections(
        risks, served=_is_served(state, now), applied_elsewhere=state.phase in progress.WAITING
    )


def _is_served(state: State, now: datetime) -> bool:
    """Alarms hang there that last."""
    expires = state.expires
    return expires is not None and expires - progress.RENEWED_BEFORE > home_rows.today(now)


def claimed_by(username: str) -> ColumnElement[bool]:
    """On ``ProgrammeHome``: homes that the platform did not know, which this account applied for
    on line as its own. Of others whoever belongs to them has a say, and nobody who left."""
    made = literal(_MADE) + func.substr(ProgrammeHome.id, 1, _MADE_OF)
    unknown = or_(ProgrammeHome.household.is_(None), ProgrammeHome.household == made)
    return and_(ProgrammeHome.applied_by == username, ProgrammeHome.source == "online", unknown)


def is_claimed(row: ProgrammeHome) -> bool:
    """Whether whoever applied says that they live there, and nobody knows yet."""
    return row.source == "online" and row.household is None


def accept(
    session: Session,
    cipher: Cipher,
    row: ProgrammeHome,
    *,
    by: str,
    now: datetime,
    lives_there: bool = False,
) -> None:
    """The home is in; the platform's home is made where there is none, so that a fire there has an
    address. ``lives_there``: whoever applied for such a home is its resident, as ``by`` has found.
    Raises ``NotEligible``, ``ProgrammeOutOfTurn``."""
    state = home_rows.state_of(session, row)
    with in_turn(row):
        after = progress.accepted(state)
    if found := objections(session, row, now):
        raise NotEligible(found)
    if row.household is None:
        said = home_rows.particulars(session, cipher, row)
        row.household = f"{_MADE}{row.id[:_MADE_OF]}"
        described = households.Described(
            said.name or row.household, said.address, row.district, said.position
        )
        households.put(session, cipher, row.household, described, by=by, now=now)
        applicant = account_named(session, row.applied_by or "")
        if lives_there and row.source == "online" and applicant is not None:
            households.add_member(session, row.household, by=by, now=now, account=applicant)
    home_rows.keep(session, row, after, "accepted", by, now)


def withdraw(session: Session, row: ProgrammeHome, *, by: str, now: datetime) -> None:
    """The household does not want it any more. Raises ``ProgrammeOutOfTurn``."""
    with in_turn(row):
        after = progress.withdrawn(home_rows.state_of(session, row))
    home_rows.keep(session, row, after, "withdrawn", by, now)


def _note_consent(
    session: Session, row: ProgrammeHome, wanted: Application, by: str, now: datetime
) -> None:
    if wanted.agreed:
        home_rows.note(session, row, AGREED, by, now)
