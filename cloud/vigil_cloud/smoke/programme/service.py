"""Homes of the programme as rows: applied for, moved by those who may, each act with its line.

Names, telephone numbers and addresses are sealed under the home's own key; what is written in the
clear are codes and days. Callers hold a writing transaction.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import ColumnElement, Select, delete, func, or_, select, true
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.devices.models import Device
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity import audit, districts, households, person_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.identity.reader import Reader, device_at
from vigil_cloud.smoke.news import homes_of
from vigil_cloud.smoke.programme import eligibility, progress
from vigil_cloud.smoke.programme.eligibility import Objection
from vigil_cloud.smoke.programme.progress import Fitted, OutOfTurn, Party, Signature, State
from vigil_cloud.smoke.programme_models import (
    ProgrammeHome,
    ProgrammePhoto,
    ProgrammeSignature,
    ProgrammeStep,
)
from vigil_schemas.smoke import DOMAIN

COLUMN: Final = "programme.home"
PHOTO: Final = "programme.photo"
MOST_PHOTOS: Final = 12
ON_PAPER: Final = "on paper"
"""Who signed for a household without an account; no user name has a blank."""
STATE: Final = TypeAdapter(State)


class HomeUnknown(NotFound):
    """No such home of the programme, or none for this reader; the two are not told apart."""

    code: ClassVar[str] = "programme-home-unknown"
    remedy: ClassVar[str] = "Open the list again: it shows the homes that you may see."


class ProgrammeOutOfTurn(ApiError):
    """This step does not follow where the home stands. ``phase``: where that is."""

    code: ClassVar[str] = "programme-out-of-turn"
    remedy: ClassVar[str] = "Look at the home as it stands now."
    status: ClassVar[int] = 409

    def __init__(self, phase: str, why: str) -> None:
        super().__init__(f"This cannot be done now: {why}.")
        self.phase = phase


class NotEligible(ApiError):
    """The home is not one that the programme is for. ``objections``: why."""

    code: ClassVar[str] = "programme-not-eligible"
    remedy: ClassVar[str] = "Refuse the application, or correct what it says."
    status: ClassVar[int] = 409

    def __init__(self, objections: Collection[Objection]) -> None:
        super().__init__(f"The home is not eligible: {', '.join(objections)}.")
        self.objections = list(objections)


class NoProof(ApiError):
    """An installation is proven by a photograph that was taken since the last one."""

    code: ClassVar[str] = "programme-no-proof"
    remedy: ClassVar[str] = "Take a photograph of each alarm where it hangs, and send it first."
    status: ClassVar[int] = 409


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


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody applies with."""

    particulars: Resident
    risks: tuple[str, ...]
    source: str
    district: str | None = None
    village: str = ""
    household: str | None = None


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
        signatures=tuple(Signature(_party(one.party), one.who, one.at) for one in rows),
    )


def _party(name: str) -> Party:
    return next(one for one in progress.PARTIES if one == name)


def apply(
    session: Session, cipher: Cipher, wanted: Application, *, by: str, now: datetime
) -> ProgrammeHome:
    """A home is applied for: for the first time, or anew where it was refused or withdrew. Raises
    ``ProgrammeOutOfTurn``, ``UnknownDistrict``, ``UnknownHousehold``."""
    if wanted.district is not None:
        districts.require(session, wanted.district)
    known = of_household(session, wanted.household) if wanted.household is not None else None
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
        state=_dump(State()),
        particulars=b"",
    )
    _seal(session, cipher, row, wanted.particulars, now)
    session.add(row)
    session.flush()
    _note(session, row, f"applied:{wanted.source}", by, now)
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
    state = state_of(session, row)
    with in_turn(row):
        if state.phase == "in-service":
            after = progress.renewed(state, today(now))
        else:
            after = progress.applied_again(state)
    row.risks = sorted(set(wanted.risks))
    row.source, row.applied, row.applied_by = wanted.source, now, by
    _seal(session, cipher, row, wanted.particulars, now)
    keep(session, row, after, f"applied:{wanted.source}", by, now)
    return row


def objections(session: Session, row: ProgrammeHome, now: datetime) -> tuple[Objection, ...]:
    """Why it is not eligible, as far as what is known of it says."""
    state = state_of(session, row)
    expires = state.expires
    served = (
        expires is not None
        and bool(state.hanging)
        and expires - progress.RENEWED_BEFORE > today(now)
    )
    return eligibility.objections(row.risks, served=served, applied_elsewhere=False)


def accept(session: Session, cipher: Cipher, row: ProgrammeHome, *, by: str, now: datetime) -> None:
    """The home is in; the platform's home is made where there is none, so that a fire there has an
    address. Raises ``NotEligible``, ``ProgrammeOutOfTurn``."""
    state = state_of(session, row)
    with in_turn(row):
        after = progress.accepted(state)
    if found := objections(session, row, now):
        raise NotEligible(found)
    if row.household is None:
        said = particulars(session, cipher, row)
        row.household = f"programme-{row.id[:13]}"
        described = households.Described(
            said.name or row.household, said.address, row.district, said.position
        )
        households.put(session, cipher, row.household, described, by=by, now=now)
    keep(session, row, after, "accepted", by, now)


def install(
    session: Session,
    row: ProgrammeHome,
    alarms: Sequence[Fitted],
    *,
    fitter: Reader,
    now: datetime,
) -> None:
    """Alarms hang there, with a photograph. What a gateway hears stands in the platform's home from
    now on. Raises ``NoProof``, ``ProgrammeOutOfTurn``."""
    state = state_of(session, row)
    with in_turn(row):
        after = progress.installed(state, alarms, today(now))
    if not _has_proof(session, row):
        raise NoProof("No photograph shows that the alarms hang.")
    _heard(session, row, alarms, fitter, now)
    keep(session, row, after, f"installed:{len(alarms)}", fitter.username, now)


def visit(
    session: Session,
    row: ProgrammeHome,
    replaced: Sequence[tuple[str, Fitted]],
    *,
    fitter: Reader,
    now: datetime,
) -> None:
    """Somebody was there and looked. Raises ``ProgrammeOutOfTurn``."""
    state = state_of(session, row)
    with in_turn(row):
        after = progress.visited(state, replaced, today(now))
    _heard(session, row, [new for _, new in replaced], fitter, now)
    keep(session, row, after, f"visited:{len(replaced)}", fitter.username, now)


def sign(
    session: Session, row: ProgrammeHome, party: Party, *, who: str, by: str, now: datetime
) -> None:
    """One party signs: ``who`` is the account that does, or ``ON_PAPER``, which ``by`` keeps. Three
    people look at it: who fitted the alarms signs for no other party, and who keeps a signature on
    paper gives none. Raises ``ProgrammeOutOfTurn``."""
    state = state_of(session, row)
    others: set[str | None] = {one.who for one in state.signatures if one.party != party}
    done = _done_by(session, row)
    if ON_PAPER in others:
        others |= {one for what, one in done if what == "signed:household"}
    if party != "installer":
        others |= {one for what, one in done if what.startswith("installed:")}
    if by in others:
        raise ProgrammeOutOfTurn(row.phase, f"{by} has acted for another party")
    with in_turn(row):
        after = progress.signed(state, party, who, now)
    keep(session, row, after, f"signed:{party}", by, now)


def add_photo(  # noqa: PLR0913 - one act with everything that belongs to it, by name
    session: Session,
    cipher: Cipher,
    row: ProgrammeHome,
    picture: bytes,
    position: tuple[float, float] | None,
    *,
    by: str,
    now: datetime,
) -> ProgrammePhoto:
    """A picture that ``cases.photographs`` has written anew. Raises ``ProgrammeOutOfTurn``."""
    since = max(_installed_at(session, row) or row.applied, row.applied)
    query = select(func.count()).where(ProgrammePhoto.home == row.id, ProgrammePhoto.at > since)
    if (session.scalar(query) or 0) >= MOST_PHOTOS:
        raise ProgrammeOutOfTurn(
            row.phase, f"{MOST_PHOTOS} photographs at most of one installation"
        )
    there = particulars(session, cipher, row).position
    own = person_keys.make(session, cipher, own_key(row.id), now)
    photo = ProgrammePhoto(
        home=row.id,
        at=now,
        account=by,
        picture=own.seal(PHOTO, base64.b64encode(picture).decode()),
        away_m=None if there is None or position is None else round(distance_m(there, position), 1),
    )
    session.add(photo)
    session.flush()
    _note(session, row, "photo", by, now)
    return photo


def picture(session: Session, cipher: Cipher, photo: ProgrammePhoto) -> bytes:
    """Its JPEG. Raises ``HomeUnknown`` where the home's key is gone."""
    try:
        own = person_keys.of(session, cipher, own_key(photo.home))
        return base64.b64decode(own.open(PHOTO, photo.picture))
    except Undecipherable as error:
        raise HomeUnknown("There is no such photograph for you.") from error


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
        query = query.where(or_(ProgrammeHome.due <= due_by, ProgrammeHome.due.is_(None)))
    return query.order_by(
        ProgrammeHome.due.is_(None), ProgrammeHome.due, ProgrammeHome.applied, ProgrammeHome.id
    )


def steps(session: Session, home: str) -> Sequence[ProgrammeStep]:
    """In order."""
    query = select(ProgrammeStep).where(ProgrammeStep.home == home)
    return session.scalars(query.order_by(ProgrammeStep.id)).all()


def photos(session: Session, home: str) -> Sequence[ProgrammePhoto]:
    """In order."""
    query = select(ProgrammePhoto).where(ProgrammePhoto.home == home)
    return session.scalars(query.order_by(ProgrammePhoto.id)).all()


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


@contextmanager
def in_turn(row: ProgrammeHome) -> Iterator[None]:
    """What ``progress`` refuses, as the API tells it."""
    try:
        yield
    except OutOfTurn as refused:
        raise ProgrammeOutOfTurn(row.phase, str(refused)) from None


def _has_proof(session: Session, row: ProgrammeHome) -> bool:
    """A photograph since the last installation, or since it was applied for."""
    since = _installed_at(session, row) or row.applied
    query = select(ProgrammePhoto.id).where(
        ProgrammePhoto.home == row.id, ProgrammePhoto.at >= since
    )
    return session.scalar(query.limit(1)) is not None


def _done_by(session: Session, row: ProgrammeHome) -> Sequence[tuple[str, str | None]]:
    """Steps since alarms were last fitted there, with that one, and who took each."""
    fitted = select(func.max(ProgrammeStep.id)).where(
        ProgrammeStep.home == row.id, ProgrammeStep.what.like("installed:%")
    )
    query = select(ProgrammeStep.what, ProgrammeStep.who).where(
        ProgrammeStep.home == row.id, ProgrammeStep.id >= fitted.scalar_subquery()
    )
    return [(step.what, step.who) for step in session.execute(query)]


def _installed_at(session: Session, row: ProgrammeHome) -> datetime | None:
    """When alarms were last fitted there."""
    return session.scalar(
        select(func.max(ProgrammeStep.at)).where(
            ProgrammeStep.home == row.id, ProgrammeStep.what.like("installed:%")
        )
    )


def _heard(
    session: Session, row: ProgrammeHome, alarms: Sequence[Fitted], fitter: Reader, now: datetime
) -> None:
    """Alarms that a gateway hears stand in the platform's home: none that stands in another one,
    or outside the fitter's districts, which only the office moves. Raises
    ``ProgrammeOutOfTurn``."""
    for one in alarms:
        if one.device is None:
            continue
        device = session.get(Device, one.device)
        if device is None or device.domain != DOMAIN or not _in_reach(session, device, fitter):
            raise ProgrammeOutOfTurn(row.phase, f"{one.device!r} is no smoke alarm that is known")
        stands = select(HouseholdDevice.household).where(
            HouseholdDevice.device == one.device, device_at(now)
        )
        if any(home != row.household for home in session.scalars(stands)):
            raise ProgrammeOutOfTurn(row.phase, f"{one.device!r} stands in another home")
        if row.household is not None:
            households.give_device(session, row.household, one.device, by=fitter.username, now=now)


def _in_reach(session: Session, device: Device, fitter: Reader) -> bool:
    """What nobody has placed yet may be fitted anywhere."""
    place = districts.places(session, "device", [device.device]).get(device.device)
    if place is None:
        place = districts.places(session, "gateway", [device.gateway]).get(device.gateway)
    return place is None or fitter.covers(place)


def _seal(
    session: Session, cipher: Cipher, row: ProgrammeHome, said: Resident, now: datetime
) -> None:
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
        session.add(ProgrammeSignature(home=row.id, party=one.party, who=one.who, at=one.at))
    row.state = _dump(after)
    row.phase, row.due, row.changed = after.phase, after.due, now
    session.flush()
    if after != before:
        _note(session, row, what, by, now)


def _note(session: Session, row: ProgrammeHome, what: str, by: str, now: datetime) -> None:
    session.add(ProgrammeStep(home=row.id, at=now, what=what[:40], who=by[:64]))
    audit.append(session, at=now, account=by[:64], action=f"programme.{what}"[:40], subject=row.id)
    session.flush()


def _dump(state: State) -> dict[str, Any]:
    found: dict[str, Any] = STATE.dump_python(replace(state, signatures=()), mode="json")
    return found
