"""Homes of the programme as rows: found, read, and written down with each step's line.

Names, telephone numbers and addresses are sealed under the home's own key; what is written in the
clear are codes and days. Callers hold a writing transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import ColumnElement, Select, delete, or_, select, true
from sqlalchemy.orm import Session

from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.identity import audit, person_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.reader import Reader
from vigil_cloud.smoke.news import homes_of
from vigil_cloud.smoke.programme import progress
from vigil_cloud.smoke.programme.errors import HomeUnknown
from vigil_cloud.smoke.programme.progress import Party, Signature, State
from vigil_cloud.smoke.programme_models import (
    ProgrammeHome,
    ProgrammePhoto,
    ProgrammeSignature,
    ProgrammeStep,
)

COLUMN: Final = "programme.home"
STATE: Final = TypeAdapter(State)


class Resident(BaseModel):
    """Who lives there and where it is: sealed."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(max_length=80, pattern=r"^[^\x00-\x1f]*$")
    phone: str = Field(default="", max_length=40, pattern=r"^[0-9+#*()\- ]*$")
    address: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)

    @property
    def position(self) -> tuple[float, float] | None:
        """Latitude and longitude, degrees."""
        if self.latitude is None or self.longitude is None:
            return None
        return self.latitude, self.longitude


def own_key(home: str) -> str:
    """Under which its key is kept: no pseudonym of a person has a colon."""
    return f"programme:{home}"


def state_of(session: Session, row: ProgrammeHome) -> State:
    """As it is kept, with its signatures."""
    state = STATE.validate_python(row.state)
    query = select(ProgrammeSignature).where(ProgrammeSignature.home == row.id)
    rows = session.scalars(query.order_by(ProgrammeSignature.id)).all()
    return replace(
        state,
        signatures=tuple(
            Signature(_party(one.party), one.who, one.at, one.round, one.digest) for one in rows
        ),
    )


def _party(name: str) -> Party:
    return next(one for one in progress.PARTIES if one == name)


def particulars(session: Session, cipher: Cipher, row: ProgrammeHome) -> Resident:
    """Who lives there and where it is; dashes where the home's key cannot be opened."""
    try:
        own = person_keys.of(session, cipher, own_key(row.id))
        return Resident.model_validate_json(own.open(COLUMN, row.particulars))
    except (Undecipherable, ValueError):
        return Resident(name="", address="–")


def load(session: Session, home: str, reader: Reader, *, lock: bool = True) -> ProgrammeHome:
    """For whoever's roles count there, or who belongs to the home. Raises ``HomeUnknown``."""
    row = session.get(ProgrammeHome, home, with_for_update=lock, populate_existing=lock)
    if row is None or not (reader.covers(row.district) or belongs(reader, row)):
        raise HomeUnknown("There is no such home of the programme for you.")
    return row


def belongs(reader: Reader, row: ProgrammeHome) -> bool:
    """Whether it is a home of the reader's, whom smoke is opened to."""
    return row.household is not None and any(
        home.household == row.household for home in homes_of(reader)
    )


def of_household(session: Session, household: str) -> ProgrammeHome | None:
    """Locked; ``None``: it never applied."""
    query = select(ProgrammeHome).where(ProgrammeHome.household == household)
    return session.scalar(query.with_for_update())


def inside(reader: Reader) -> ColumnElement[bool]:
    """On ``ProgrammeHome``: those of the reader's districts."""
    if not reader.districts:
        return true()
    return ProgrammeHome.district.in_(sorted(reader.districts))


def listed(
    reader: Reader, phase: str | None, village: str | None, due_by: date | None
) -> Select[ProgrammeHome]:
    """What waits first, by its day."""
    query = select(ProgrammeHome).where(inside(reader))
    if phase is not None:
        query = query.where(ProgrammeHome.phase == phase)
    if village is not None:
        query = query.where(ProgrammeHome.village == village)
    if due_by is not None:
        waits = ProgrammeHome.phase.in_(sorted(progress.WAITING))  # whatever day its visit is due
        undated = ProgrammeHome.due.is_(None)
        query = query.where(or_(ProgrammeHome.due <= due_by, undated, waits))
    return query.order_by(
        ProgrammeHome.due.is_(None), ProgrammeHome.due, ProgrammeHome.applied, ProgrammeHome.id
    )


def steps(session: Session, home: str) -> Sequence[ProgrammeStep]:
    """In order."""
    query = select(ProgrammeStep).where(ProgrammeStep.home == home)
    return session.scalars(query.order_by(ProgrammeStep.id)).all()


def erase(session: Session, row: ProgrammeHome, now: datetime) -> None:
    """Nothing of it is left, and copies are noise."""
    home = row.id
    for model in (ProgrammeSignature, ProgrammePhoto, ProgrammeStep):
        session.execute(delete(model).where(model.home == home))
    session.delete(row)
    session.flush()
    person_keys.destroy(session, own_key(home), now)


def today(now: datetime) -> date:
    """The city's day."""
    return now.astimezone(CITY_ZONE).date()


def seal(
    session: Session, cipher: Cipher, row: ProgrammeHome, said: Resident, now: datetime
) -> None:
    """Who lives there and where it is, under the home's own key."""
    own = person_keys.make(session, cipher, own_key(row.id), now)
    row.particulars = own.seal(COLUMN, said.model_dump_json())


def keep(
    session: Session, row: ProgrammeHome, after: State, what: str, by: str, now: datetime
) -> None:
    """What a step of ``progress`` made of it, with its line where anything changed."""
    before = state_of(session, row)
    new = [one for one in after.signatures if one not in before.signatures]
    if not after.signatures and before.signatures:
        session.execute(delete(ProgrammeSignature).where(ProgrammeSignature.home == row.id))
    for one in new:
        session.add(
            ProgrammeSignature(
                home=row.id,
                party=one.party,
                who=one.who,
                at=one.at,
                round=one.round,
                digest=one.digest,
            )
        )
    row.state = dump(after)
    row.phase, row.due, row.changed = after.phase, after.due, now
    session.flush()
    if after != before:
        note(session, row, what, by, now)


def note(session: Session, row: ProgrammeHome, what: str, by: str, now: datetime) -> None:
    """A step of the home, with its line in the audit log. ``what``: a code."""
    session.add(ProgrammeStep(home=row.id, at=now, what=what[:40], who=by[:64]))
    audit.append(session, at=now, account=by[:64], action=f"programme.{what}"[:40], subject=row.id)
    session.flush()


def dump(state: State) -> dict[str, Any]:
    """As the home's row keeps it: without its signatures, which name accounts."""
    found: dict[str, Any] = STATE.dump_python(replace(state, signatures=()), mode="json")
    return found
