"""Homes of the programme as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.smoke.programme import eligibility, service
from vigil_cloud.smoke.programme.progress import Fitted, State
from vigil_cloud.smoke.programme.schema import (
    AlarmEntry,
    HomeDetail,
    OwnHome,
    PhotoEntry,
    ProgrammeHomeEntry,
    SignatureEntry,
    StepEntry,
)
from vigil_cloud.smoke.programme_models import ProgrammeHome, ProgrammePhoto


def entry(session: Session, row: ProgrammeHome) -> ProgrammeHomeEntry:
    """As lists show it."""
    return ProgrammeHomeEntry(**_fields(row, service.state_of(session, row)))


def detail(session: Session, cipher: Cipher, row: ProgrammeHome, now: datetime) -> HomeDetail:
    """With everything that is known of it."""
    state = service.state_of(session, row)
    return HomeDetail(
        **_fields(row, state),
        particulars=service.particulars(session, cipher, row),
        objections=list(service.objections(session, row, now)) if row.phase == "applied" else [],
        former=[alarm(one) for one in state.alarms if one.until is not None],
        photos=[photo(one) for one in service.photos(session, row.id)],
        steps=[
            StepEntry(at=one.at, what=one.what, who=one.who)
            for one in service.steps(session, row.id)
        ],
    )


def own(session: Session, cipher: Cipher, row: ProgrammeHome) -> OwnHome:
    """To those who live there."""
    state = service.state_of(session, row)
    said = service.particulars(session, cipher, row)
    return OwnHome(
        home=ProgrammeHomeEntry(**_fields(row, state)),
        name=said.name,
        address=said.address,
        signatures=[SignatureEntry(party=one.party, at=one.at) for one in state.signatures],
    )


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
        "expires": state.expires,
        "warranty_until": state.warranty_until,
        "next_visit": state.next_visit,
        "signed": [one.party for one in state.signatures],
        "reason": state.reason,
        "first": eligibility.priority(row.risks) == 0,
    }
