"""Homes of the programme as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.smoke.programme import (
    applications,
    eligibility,
    home_rows,
    installations,
    signatures,
)
from vigil_cloud.smoke.programme.progress import SERVED, Fitted, Signature, State
from vigil_cloud.smoke.programme.schema import (
    AlarmEntry,
    AppliedHome,
    HomeDetail,
    OwnHome,
    OwnStepEntry,
    PhotoEntry,
    ProgrammeHomeEntry,
    SignatureEntry,
    StepEntry,
)
from vigil_cloud.smoke.programme_models import ProgrammeHome, ProgrammePhoto


def entry(session: Session, row: ProgrammeHome) -> ProgrammeHomeEntry:
    """As lists show it."""
    return ProgrammeHomeEntry(**_fields(row, home_rows.state_of(session, row)))


def applied(session: Session, row: ProgrammeHome, now: datetime) -> AppliedHome:
    """To whoever applied."""
    fields = _fields(row, home_rows.state_of(session, row))
    return AppliedHome(**fields, objections=list(applications.objections(session, row, now)))


def detail(session: Session, cipher: Cipher, row: ProgrammeHome, now: datetime) -> HomeDetail:
    """With everything that is known of it."""
    state = home_rows.state_of(session, row)
    open_ = row.phase == "applied"
    return HomeDetail(
        **_fields(row, state),
        particulars=home_rows.particulars(session, cipher, row),
        objections=list(applications.objections(session, row, now)) if open_ else [],
        claimed=applications.is_claimed(row),
        signs_itself=signatures.signs_itself(session, row, now),
        signatures=[signature(one) for one in state.signatures],
        former=[alarm(one) for one in state.alarms if one.until is not None],
        photos=[photo(one) for one in installations.photos(session, row.id)],
        steps=[
            StepEntry(at=one.at, what=one.what, who=one.who)
            for one in home_rows.steps(session, row.id)
        ],
    )


def own(session: Session, cipher: Cipher, row: ProgrammeHome) -> OwnHome:
    """To those who live there."""
    state = home_rows.state_of(session, row)
    said = home_rows.particulars(session, cipher, row)
    return OwnHome(
        home=ProgrammeHomeEntry(**_fields(row, state)),
        name=said.name,
        address=said.address,
        signatures=[signature(one) for one in state.signatures],
        steps=[OwnStepEntry(at=one.at, what=one.what) for one in home_rows.steps(session, row.id)],
    )


def signature(one: Signature) -> SignatureEntry:
    """One party's, without its account."""
    return SignatureEntry(party=one.party, at=one.at, round=one.round, digest=one.digest)


def alarm(one: Fitted) -> AlarmEntry:
    """One alarm."""
    return AlarmEntry(
        serial=one.serial,
        model=one.model,
        room=one.room,
        expires=one.expires,
        fitted=one.fitted,
        device=one.device,
        until=one.until,
    )


def photo(one: ProgrammePhoto) -> PhotoEntry:
    """One photograph, without its picture."""
    return PhotoEntry(photo=one.id, at=one.at, away_m=one.away_m)


def _fields(row: ProgrammeHome, state: State) -> dict[str, Any]:
    return {
        "home": row.id,
        "household": row.household,
        "district": row.district,
        "village": row.village,
        "source": row.source,
        "risks": row.risks,
        "phase": state.phase,
        "round": state.round,
        "applied": row.applied,
        "due": row.due,
        "appointment": state.appointment,
        "missed": state.missed,
        "alarms": [alarm(one) for one in state.hanging],
        "served": state.phase in SERVED and bool(state.hanging),
        "digest": state.digest if state.hanging else None,
        "expires": state.expires,
        "warranty_until": state.warranty_until,
        "next_visit": state.next_visit,
        "signed": [one.party for one in state.signatures],
        "reason": state.reason,
        "first": eligibility.priority(row.risks) == 0,
    }
