"""What a home has said for the case of a fire: how long it is asked, who needs help, how to get in.

Sealed under the household's own key, so that erasing the home makes every copy noise.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.identity import audit, households, person_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.identity.personal_records import Leaving, PersonalRecords
from vigil_cloud.identity.reader import device_at
from vigil_cloud.smoke import fires, moving
from vigil_cloud.smoke.cases import LEADS
from vigil_cloud.smoke.models import Fire, HomeSafety
from vigil_schemas.smoke import DOMAIN

COLUMN: Final = "home.safety"
LOCKED: Final = "code_locked"
"""Kind of the alert that tells a home that its code was guessed at."""
_Line = Annotated[str, StringConstraints(max_length=120, pattern=r"^[^\x00-\x1f]*$")]
_Text = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")]
Phone = Annotated[str, StringConstraints(max_length=40, pattern=r"^[0-9+#*()\- ]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class NeedsHelp(_Part):
    """Somebody who cannot get out alone."""

    name: _Line
    need: _Text = ""
    """Such as: cannot walk, oxygen, hard of hearing."""


class Contact(_Part):
    """Whom the firefighters may call."""

    name: _Line
    phone: Phone


class Particulars(_Part):
    """What firefighters have to know."""

    floor: _Line = ""
    needs_help: Annotated[list[NeedsHelp], Field(max_length=20)] = Field(default_factory=list)
    contacts: Annotated[list[Contact], Field(max_length=10)] = Field(default_factory=list)
    keys: _Text = ""
    """Where keys are, codes of gates, which way in."""


def safety(session: Session, household: str, *, lock: bool = False) -> HomeSafety:
    """The home's row; a new one where there is none. Raises ``UnknownHousehold``."""
    row = session.get(HomeSafety, household, with_for_update=lock, populate_existing=lock)
    if row is None:
        households.require(session, household)
        row = HomeSafety(household=household, window_s=60, wrong=0, locks=0)
        session.add(row)
        session.flush()
    return row


def particulars(session: Session, cipher: Cipher, household: str) -> Particulars:
    """What is known; nothing where the home's key cannot be opened."""
    row = session.get(HomeSafety, household)
    if row is None or row.particulars is None:
        return Particulars()
    own = person_keys.of(session, cipher, households.own_key(household))
    try:
        return Particulars.model_validate_json(own.open(COLUMN, row.particulars))
    except (Undecipherable, ValueError):
        return Particulars()


def put(  # noqa: PLR0913 - one act with everything that belongs to it, by name
    session: Session,
    cipher: Cipher,
    household: str,
    window_s: int,
    wanted: Particulars,
    *,
    by: str,
    now: datetime,
) -> None:
    """Say it. Raises ``UnknownHousehold``, ``PersonErased``."""
    row = safety(session, household, lock=True)
    own = person_keys.make(session, cipher, households.own_key(household), now)
    row.window_s = window_s
    row.particulars = own.seal(COLUMN, wanted.model_dump_json())
    session.flush()
    audit.append(
        session,
        at=now,
        account=by,
        action="home.safety-set",
        subject=household,
        detail={"window_s": window_s},
    )


def lock_code(session: Session, row: HomeSafety, until: datetime, now: datetime) -> None:
    """The code counts no more for a while, and the home is told."""
    row.locked_until, row.locks, row.wrong = until, row.locks + 1, 0
    session.flush()
    audit.append(
        session, at=now, account="platform", action="home.code-locked", subject=row.household
    )
    query = select(HouseholdDevice.device).where(
        HouseholdDevice.household == row.household, device_at(now)
    )
    device = session.scalar(query.order_by(HouseholdDevice.id).limit(1))
    if device is None:
        return  # no device of the home: no alarm to take back either
    record(session, _locked(row, device, until, now), now)


def unlock(session: Session, now: datetime) -> bool:
    """Alerts of locks whose time is over end; whether any did."""
    query = select(HomeSafety).where(
        HomeSafety.locked_until <= now, HomeSafety.locks > 0, HomeSafety.code_hash.is_not(None)
    )
    ended = False
    for row in session.scalars(query):
        ended |= end_lock(session, row, row.locked_until or now, now)
    return ended


def end_lock(session: Session, row: HomeSafety, until: datetime, now: datetime) -> bool:
    """The alert of its last lock, if it stands, ends."""
    alert = session.scalar(
        select(AlertRow).where(AlertRow.key == f"{DOMAIN}::{_reference(row)}", AlertRow.active)
    )
    if alert is None:
        return False
    record(session, _locked(row, alert.device, until, now, active=False), now)
    return True


def _reference(row: HomeSafety) -> str:
    return f"code-locked:{row.household}:{row.locks}"


def _locked(
    row: HomeSafety, device: str, until: datetime, now: datetime, *, active: bool = True
) -> Occurrence:
    return Occurrence(
        domain=DOMAIN,
        reference=_reference(row),
        kind=LOCKED,
        gateway="",
        device=device,
        title="Your home's fire code was entered wrong too often and is locked",
        title_zh="住家火警密碼多次輸入錯誤，已暫時鎖定",
        severity="major",
        event_time=now,
        active=active,
        ended=None if active else until,
        detail={"type": "smoke-code-locked", "until": until.isoformat()},
        audience="home",
    )


class HomesOnFire(PersonalRecords):
    """What a home said, and the fires that name it."""

    def home_erased(self, session: Session, household: str) -> None:
        """Nothing of it is left; fires stay without their home."""
        session.execute(delete(HomeSafety).where(HomeSafety.household == household))
        session.execute(
            update(Fire)
            .where(Fire.household == household)
            .values(household=None, home=fires.ERASED)
            .execution_options(synchronize_session=False)
        )

    def account_may_less(self, session: Session, leaving: Leaving) -> None:
        """Somebody else leads what goes on and is no longer for its leader."""
        led = select(Fire).where(Fire.leader == leaving.username, Fire.phase != "over")
        for row in session.scalars(led.order_by(Fire.id).with_for_update()).all():
            reader = leaving.reader
            if reader is None or not (reader.has(*LEADS) and reader.covers(row.district)):
                fires.left(session, row, leaving)

    def account_removed(self, session: Session, username: str, now: datetime) -> None:
        """Nobody of this name leads a fire or set a code; a fire's steps say who did what."""
        del now
        for column in (Fire.leader, HomeSafety.code_set_by):
            session.execute(
                update(column.class_)
                .where(column == username)
                .values({column.key: None})
                .execution_options(synchronize_session=False)
            )

    def given_home(self, session: Session, device: str, household: str, now: datetime) -> None:
        """A fire that it rings in is this home's from now on."""
        moving.given_home(session, device, household, now)

    def relocated(self, session: Session, kind: str, thing: str, district: str | None) -> None:
        """What burns goes with its device."""
        if kind == "device":
            fires.relocated(session, thing, district)
