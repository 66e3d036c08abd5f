"""Districts of the city: what stands where, and which accounts are limited to which."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import ClassVar, Literal

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.changes import announce_rights
from vigil_cloud.identity import audit
from vigil_cloud.identity.leaving import let_go
from vigil_cloud.identity.models import (
    Account,
    AccountDistrict,
    District,
    Household,
    Location,
)
from vigil_cloud.identity.personal_records import lock_all, records_of
from vigil_cloud.identity.reader import Reader

Kind = Literal["device", "gateway"]


class UnknownDistrict(ApiError):
    """There is no district of this id."""

    code: ClassVar[str] = "district-unknown"
    remedy: ClassVar[str] = "Check the id; the list of districts shows all."
    status: ClassVar[int] = 404

    def __init__(self, district: str) -> None:
        super().__init__(f"There is no district {district!r}.")
        self.district = district


class DistrictInUse(ApiError):
    """Something still rests on the district."""

    code: ClassVar[str] = "district-in-use"
    remedy: ClassVar[str] = "Move what the message names to another district first."
    status: ClassVar[int] = 409

    def __init__(self, district: str, by: str) -> None:
        super().__init__(f"District {district!r} cannot be removed: {by}.")
        self.district = district
        self.by = by


def districts(session: Session) -> list[District]:
    """All of them, by id."""
    return list(session.scalars(select(District).order_by(District.district)))


def put(
    session: Session, district: str, name: str, name_zh: str, *, by: str, now: datetime
) -> None:
    """Add one, or call it otherwise. Idempotent. Its outline stays."""
    row = session.get(District, district)
    if row is not None and (row.name, row.name_zh) == (name, name_zh):
        return
    if row is None:
        row = District(district=district)
        session.add(row)
    row.name, row.name_zh = name, name_zh
    session.flush()
    audit.append(session, at=now, account=by, action="district.put", subject=district)


def outline(
    session: Session,
    district: str,
    corners: Sequence[tuple[float, float]] | None,
    *,
    by: str,
    now: datetime,
) -> None:
    """Where it lies on a map: corners in order (latitude, longitude), or nowhere that is drawn.
    Idempotent. Raises ``UnknownDistrict``."""
    row = require(session, district)
    wanted = [list(corner) for corner in corners] if corners else None
    if row.outline == wanted:
        return
    row.outline = wanted
    session.flush()
    audit.append(session, at=now, account=by, action="district.outlined", subject=district)


def remove(session: Session, district: str, *, by: str, now: datetime) -> None:
    """Raises ``UnknownDistrict``, and ``DistrictInUse``: an account whose last district went
    would cover the whole city."""
    row = require(session, district)
    for model, what in (
        (AccountDistrict, "accounts are limited to it"),
        (Location, "devices or gateways stand in it"),
        (Household, "households live in it"),
    ):
        if session.scalar(select(func.count()).where(model.district == district)):
            raise DistrictInUse(district, what)
    session.delete(row)
    session.flush()
    audit.append(session, at=now, account=by, action="district.removed", subject=district)


def limit(
    session: Session, account: Account, wanted: Collection[str], *, by: str, now: datetime
) -> None:
    """The account's districts from now on; none: the whole city. What it no longer sees is left to
    others. Idempotent. Whoever holds the audit log has called ``lock_all`` before. Raises
    ``UnknownDistrict``."""
    before = set(
        session.scalars(
            select(AccountDistrict.district).where(AccountDistrict.account_id == account.id)
        )
    )
    after = set(wanted)
    for district in sorted(after):
        require(session, district)
    if before == after:
        return
    fewer = bool(after) and not (before and before <= after)
    if fewer:
        lock_all(session)
    session.execute(delete(AccountDistrict).where(AccountDistrict.account_id == account.id))
    session.add_all(AccountDistrict(account_id=account.id, district=one) for one in after)
    session.flush()
    if fewer:
        let_go(session, account, "districts", by=by, now=now)
    announce_rights(session)
    audit.append(
        session,
        at=now,
        account=by,
        action="account.districts",
        subject=account.username,
        detail={"before": sorted(before), "after": sorted(after)},
    )


def place(
    session: Session, kind: Kind, thing: str, district: str | None, *, by: str, now: datetime
) -> None:
    """Where a device or a gateway stands from now on; also before it was heard of. Its open
    alerts go with it. Idempotent. Raises ``UnknownDistrict``."""
    if district is not None:
        require(session, district)
    row = session.get(Location, (kind, thing))
    before = row.district if row is not None else None
    if before == district:
        return
    if row is not None and district is None:
        session.delete(row)
    else:
        session.merge(Location(kind=kind, thing=thing, district=district))
    session.flush()
    for room in records_of(session):
        room.relocated(session, kind, thing, district)
    announce_rights(session, places=True)
    audit.append(
        session,
        at=now,
        account=by,
        action=f"{kind}.placed",
        subject=thing,
        detail={"before": before, "after": district},
    )


def places(session: Session, kind: Kind, things: Iterable[str]) -> dict[str, str]:
    """The districts of these, as far as they have one. One statement."""
    query = select(Location.thing, Location.district).where(
        Location.kind == kind, Location.thing.in_(sorted(set(things)))
    )
    return {row.thing: row.district for row in session.execute(query)}


def lying_in(session: Session, latitude: float, longitude: float, guess: str | None) -> str | None:
    """The district that a place lies in, by the outlines. ``guess``: taken where no outline says
    otherwise. ``None``: in none that is known."""
    outlines = {one.district: one.outline for one in session.scalars(select(District))}
    for name, outline in sorted(outlines.items()):
        if outline and _contains(outline, latitude, longitude):
            return name
    return guess if guess is not None and not outlines.get(guess) else None


def drawn(session: Session) -> list[Sequence[Sequence[float]]]:
    """The outlines of all districts that have one: corners, latitude and longitude in degrees."""
    outlines = session.scalars(select(District.outline).where(District.outline.is_not(None)))
    return [outline for outline in outlines if outline]


def within_any(
    outlines: Iterable[Sequence[Sequence[float]]], latitude: float, longitude: float
) -> bool:
    """Whether a place lies within one of these."""
    return any(_contains(outline, latitude, longitude) for outline in outlines)


def _contains(outline: Sequence[Sequence[float]], latitude: float, longitude: float) -> bool:
    """Whether a place lies within: a line from it to the north pole crosses an odd number of
    sides. Corners are latitude and longitude in degrees."""
    inside = False
    for (lat, lon), (next_lat, next_lon) in pairwise([*outline, outline[0]]):
        if (lon > longitude) != (next_lon > longitude):
            crossing = lat + (longitude - lon) / (next_lon - lon) * (next_lat - lat)
            inside ^= latitude < crossing
    return inside


def covered(
    reader: Reader, kind: Kind, thing: InstrumentedAttribute[str]
) -> ColumnElement[bool] | None:
    """The things that lie in the reader's districts; ``None``: all of them."""
    if not reader.districts:
        return None
    return thing.in_(
        select(Location.thing).where(
            Location.kind == kind, Location.district.in_(sorted(reader.districts))
        )
    )


def require(session: Session, district: str) -> District:
    """Raises ``UnknownDistrict``."""
    row = session.get(District, district)
    if row is None:
        raise UnknownDistrict(district)
    return row
