"""What of a home ends on a day and is followed by nothing: memberships, and devices that stand
there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.identity.ends_soon import LONGEST, step
from vigil_cloud.identity.models import HouseholdDevice, HouseholdMember
from vigil_cloud.identity.reader import Reader

_Lasting = TypeVar("_Lasting", HouseholdMember, HouseholdDevice)


class HomeEnds(NamedTuple):
    """Of one home, where it is time to say so (``ends_soon.step``)."""

    mine: datetime | None
    """When the reader belongs to it no more."""
    devices: Mapping[str, datetime]
    """When each stands there no more."""


def goes_on(one: _Lasting, others: Iterable[_Lasting]) -> bool:
    """Whether one of the others is there for longer."""
    return any(
        other.id != one.id
        and (other.until is None or (one.until is not None and other.until > one.until))
        for other in others
    )


def standing(
    session: Session, devices: Collection[HouseholdDevice]
) -> Mapping[str, Sequence[HouseholdDevice]]:
    """By device, in whatever home: one that stands in another by then was moved, and that is no
    end."""
    names = sorted({one.device for one in devices})
    query = select(HouseholdDevice).where(HouseholdDevice.device.in_(names))
    found: dict[str, list[HouseholdDevice]] = defaultdict(list)
    for one in session.scalars(query) if devices else ():
        found[one.device].append(one)
    return found


def ends_for(session: Session, reader: Reader, now: datetime) -> dict[str, HomeEnds]:
    """By home of the reader, for their page: whoever has no channel is told nowhere else."""
    keys = sorted({home.household for home in reader.homes})
    if not keys:
        return {}
    own: dict[str, list[HouseholdMember]] = defaultdict(list)
    query = select(HouseholdMember).where(
        HouseholdMember.account_id == reader.account_id, HouseholdMember.household.in_(keys)
    )
    for member in session.scalars(query):
        own[member.household].append(member)
    devices = session.scalars(
        select(HouseholdDevice).where(
            HouseholdDevice.household.in_(keys),
            HouseholdDevice.until > now,
            HouseholdDevice.until <= now + LONGEST,
        )
    ).all()
    ending = _ending(devices, standing(session, devices), now)
    return {key: HomeEnds(_mine(own[key], now), ending[key]) for key in keys}


def _mine(own: Sequence[HouseholdMember], now: datetime) -> datetime | None:
    return max(
        (one.until for one in own if one.until and _soon(one, own, now)),
        default=None,
    )


def _ending(
    devices: Sequence[HouseholdDevice],
    known: Mapping[str, Sequence[HouseholdDevice]],
    now: datetime,
) -> Mapping[str, Mapping[str, datetime]]:
    found: dict[str, dict[str, datetime]] = defaultdict(dict)
    for one in devices:
        if one.until is not None and _soon(one, known[one.device], now):
            found[one.household][one.device] = one.until
    return found


def _soon(one: _Lasting, others: Iterable[_Lasting], now: datetime) -> bool:
    return (
        one.until is not None
        and one.until > now
        and step(one.since, one.until, now) is not None
        and not goes_on(one, others)
    )
