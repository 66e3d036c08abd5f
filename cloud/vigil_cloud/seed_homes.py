"""The seed file's districts and homes.

``[[district]] id, name, name_zh, devices, gateways``; ``[[household]] key, name, address,
district, latitude, longitude, devices``; ``[[member]] household, account | person, relation,
days``. A membership or a device that has ended is not brought back by seeding again, and a
home that was erased is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self

import structlog
from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.domain.seeding import SEEDER, BadSeed, Section
from vigil_cloud.identity import districts, households, person_keys
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.household_schema import DistrictId, HouseholdKey
from vigil_cloud.identity.models import HouseholdDevice, HouseholdMember
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.schema import Username
from vigil_cloud.identity.service import account_named
from vigil_schemas.types import DeviceId, GatewayId

_log = structlog.get_logger(__name__)


class SeedDistrict(Section):
    """One ``[[district]]`` table."""

    id: DistrictId
    name: str
    name_zh: str
    devices: list[DeviceId] = Field(default_factory=list)
    gateways: list[GatewayId] = Field(default_factory=list)


class SeedHousehold(Section):
    """One ``[[household]]`` table."""

    key: HouseholdKey
    name: str
    address: str = ""
    district: DistrictId | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    devices: list[DeviceId] = Field(default_factory=list)

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("give latitude and longitude, or neither")
        return self

    @property
    def described(self) -> households.Described:
        """As the service takes it."""
        position = None
        if self.latitude is not None and self.longitude is not None:
            position = (self.latitude, self.longitude)
        return households.Described(self.name, self.address, self.district, position)


class SeedMember(Section):
    """One ``[[member]]`` table."""

    household: HouseholdKey
    account: Username | None = None
    person: str | None = None
    relation: Relation = Relation.RESIDENT
    days: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.account is None) == (self.person is None):
            raise ValueError("give account or person, one of them")
        return self


def put_districts(session: Session, wanted: Sequence[SeedDistrict], now: datetime) -> None:
    """Before accounts and homes, which name them."""
    for one in wanted:
        districts.put(session, one.id, one.name, one.name_zh, by=SEEDER, now=now)
        for device in one.devices:
            districts.place(session, "device", device, one.id, by=SEEDER, now=now)
        for gateway in one.gateways:
            districts.place(session, "gateway", gateway, one.id, by=SEEDER, now=now)


def gives_devices(session: Session, homes: Sequence[SeedHousehold]) -> bool:
    """Whether a home is given a device that it never had: what rings there is its own then."""
    gone = _erased(session, homes)
    wanted = ((home, one) for home in homes if home.key not in gone for one in home.devices)
    return any(not _was_given(session, home, device) for home, device in wanted)


def _erased(session: Session, homes: Sequence[SeedHousehold]) -> set[str]:
    erased = person_keys.erased(session, (households.own_key(home.key) for home in homes))
    return {home.key for home in homes if households.own_key(home.key) in erased}


def _was_given(session: Session, home: SeedHousehold, device: str) -> bool:
    there = (HouseholdDevice.household == home.key, HouseholdDevice.device == device)
    return session.scalar(select(HouseholdDevice.id).where(*there).limit(1)) is not None


def put_homes(
    session: Session,
    cipher: Cipher,
    homes: Sequence[SeedHousehold],
    members: Sequence[SeedMember],
    now: datetime,
) -> None:
    """After accounts and persons. Raises ``BadSeed`` for a member of no home."""
    gone = _erased(session, homes)
    for home in homes:
        if home.key in gone:
            _log.warning("seed-left-out", household=home.key, reason="this household was erased")
            continue
        households.put(session, cipher, home.key, home.described, by=SEEDER, now=now)
        for device in home.devices:
            if not _was_given(session, home, device):
                households.give_device(session, home.key, device, by=SEEDER, now=now)
    for member in members:
        if member.household not in gone:
            _member(session, member, now)


def _member(session: Session, wanted: SeedMember, now: datetime) -> None:
    account = account_named(session, wanted.account) if wanted.account else None
    who = HouseholdMember.person_key == wanted.person
    if account is not None:
        who = HouseholdMember.account_id == account.id
    known = select(HouseholdMember.id).where(HouseholdMember.household == wanted.household, who)
    if session.scalar(known.limit(1)) is not None:
        return
    try:
        households.add_member(
            session,
            wanted.household,
            by=SEEDER,
            now=now,
            account=account,
            person=wanted.person,
            relation=wanted.relation,
            until=now + timedelta(days=wanted.days) if wanted.days else None,
        )
    except households.UnknownHousehold as error:
        raise BadSeed(f"member of household {wanted.household!r}: {error}") from error
