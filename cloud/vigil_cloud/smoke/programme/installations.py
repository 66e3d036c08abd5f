"""Alarms are fitted and visited in a home, with photographs of where they hang.

Callers hold a writing transaction.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity import districts, households, person_keys
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.errors import KeyReused
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.identity.reader import Reader, device_at
from vigil_cloud.smoke.programme import home_rows, progress
from vigil_cloud.smoke.programme.errors import HomeUnknown, NoProof, ProgrammeOutOfTurn, in_turn
from vigil_cloud.smoke.programme.progress import Fitted
from vigil_cloud.smoke.programme_models import ProgrammeHome, ProgrammePhoto, ProgrammeStep
from vigil_schemas.smoke import DOMAIN

PHOTO: Final = "programme.photo"
MOST_PHOTOS: Final = 12


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
    state = home_rows.state_of(session, row)
    with in_turn(row):
        after = progress.installed(state, alarms, home_rows.today(now))
    if not _has_proof(session, row):
        raise NoProof("No photograph shows that the alarms hang.")
    _heard(session, row, alarms, fitter, now)
    home_rows.keep(session, row, after, f"installed:{len(alarms)}", fitter.username, now)


def visit(
    session: Session,
    row: ProgrammeHome,
    replaced: Sequence[tuple[str, Fitted]],
    *,
    fitter: Reader,
    now: datetime,
) -> None:
    """Somebody was there and looked. Raises ``ProgrammeOutOfTurn``."""
    state = home_rows.state_of(session, row)
    with in_turn(row):
        after = progress.visited(state, replaced, home_rows.today(now))
    _heard(session, row, [new for _, new in replaced], fitter, now)
    home_rows.keep(session, row, after, f"visited:{len(replaced)}", fitter.username, now)


def add_photo(  # noqa: PLR0913 - one act with everything that belongs to it, by name
    session: Session,
    cipher: Cipher,
    row: ProgrammeHome,
    picture: bytes,
    position: tuple[float, float] | None,
    *,
    by: str,
    now: datetime,
    key: str | None = None,
) -> ProgrammePhoto:
    """A picture that ``cases.photographs`` has written anew; the caller has locked the home. Sent
    again under its ``key`` it is the same. Raises ``ProgrammeOutOfTurn``, ``KeyReused``."""
    if (known := _sent(session, row, by, key)) is not None:
        return known
    since = _counts_from(session, row)
    query = select(func.count()).where(ProgrammePhoto.home == row.id, ProgrammePhoto.at > since)
    if (session.scalar(query) or 0) >= MOST_PHOTOS:
        raise ProgrammeOutOfTurn(
            row.phase, f"{MOST_PHOTOS} photographs at most of one installation"
        )
    there = home_rows.particulars(session, cipher, row).position
    own = person_keys.make(session, cipher, home_rows.own_key(row.id), now)
    photo = ProgrammePhoto(
        home=row.id,
        at=now,
        account=by,
        picture=own.seal(PHOTO, base64.b64encode(picture).decode()),
        away_m=None if there is None or position is None else round(distance_m(there, position), 1),
        key=key,
    )
    session.add(photo)
    session.flush()
    home_rows.note(session, row, "photo", by, now)
    return photo


def picture(session: Session, cipher: Cipher, photo: ProgrammePhoto) -> bytes:
    """Its JPEG. Raises ``HomeUnknown`` where the home's key is gone."""
    try:
        own = person_keys.of(session, cipher, home_rows.own_key(photo.home))
        return base64.b64decode(own.open(PHOTO, photo.picture))
    except Undecipherable as error:
        raise HomeUnknown("There is no such photograph for you.") from error


def photos(session: Session, home: str) -> Sequence[ProgrammePhoto]:
    """In order."""
    query = select(ProgrammePhoto).where(ProgrammePhoto.home == home)
    return session.scalars(query.order_by(ProgrammePhoto.id)).all()


def _has_proof(session: Session, row: ProgrammeHome) -> bool:
    """A photograph since the last installation, and since it was applied for: one of a visit years
    ago shows nothing of a further round's alarms."""
    since = _counts_from(session, row)
    query = select(ProgrammePhoto.id).where(
        ProgrammePhoto.home == row.id, ProgrammePhoto.at >= since
    )
    return session.scalar(query.limit(1)) is not None


def _sent(session: Session, row: ProgrammeHome, by: str, key: str | None) -> ProgrammePhoto | None:
    query = select(ProgrammePhoto).where(ProgrammePhoto.account == by, ProgrammePhoto.key == key)
    known = None if key is None else session.scalar(query)
    if known is not None and known.home != row.id:
        raise KeyReused("This Idempotency-Key was used for another photograph; make a new one.")
    return known


def _counts_from(session: Session, row: ProgrammeHome) -> datetime:
    """From when photographs are of the installation that is next."""
    return max(_installed_at(session, row) or row.applied, row.applied)


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
