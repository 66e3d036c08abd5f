"""Which devices and gateways are for a reader, as conditions of SQL (the rule:
``identity.rights``; a test holds the two together)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.domain.registry import domains
from vigil_cloud.domain.rights import decision
from vigil_cloud.identity.districts import covered
from vigil_cloud.identity.models import HouseholdDevice, HouseholdMember
from vigil_cloud.identity.reader import Reader, Relation, device_at, member_at
from vigil_cloud.identity.rights import RELATIONS, Operation, Subject


def visible_devices(reader: Reader) -> ColumnElement[bool]:
    """On ``Device``: those whose state the reader sees."""
    by_role = [one.name for one in domains() if reader.has(*one.device_roles)]
    at_home = [one.name for one in domains() if reader.has(*one.household_roles)]
    devices = {
        device
        for home in reader.homes
        if Operation.SEE_DEVICE in RELATIONS[home.relation]
        for device in home.devices
    }
    inside = covered(reader, "device", Device.device)
    found = [and_(Device.domain.in_(by_role), true() if inside is None else inside)]
    if at_home and devices:
        found.append(and_(Device.domain.in_(at_home), Device.device.in_(sorted(devices))))
    return or_(false(), *found)


def readable_since(
    session: Session, reader: Reader, device: Device, subject: Subject, at: datetime
) -> datetime | None:
    """Readings from before this moment are not the reader's to see: whoever moved in later, or
    was given the device later, reads nothing of those who lived there before. ``None``: no such
    moment, for a role opens them."""
    if decision(reader, Operation.READ, subject).reason != "household":
        return None
    rows = session.execute(
        select(HouseholdMember.since, HouseholdDevice.since, HouseholdMember.relation)
        .join(HouseholdDevice, HouseholdDevice.household == HouseholdMember.household)
        .where(
            HouseholdMember.account_id == reader.account_id,
            HouseholdDevice.device == device.device,
            member_at(at),
            device_at(at),
        )
    ).all()
    opens = [one for one in rows if Operation.READ in RELATIONS[Relation(one[2])]]
    return min((max(member, given) for member, given, _ in opens), default=at)


def in_districts(reader: Reader, device: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """On a domain's rows that name a device: those of the reader's districts. Whether the role
    may see them at all, the route has asked."""
    inside = covered(reader, "device", device)
    return true() if inside is None else inside


def visible_gateways(reader: Reader) -> ColumnElement[bool]:
    """On ``Gateway``: those of the reader's districts."""
    inside = covered(reader, "gateway", Gateway.gateway)
    return true() if inside is None else inside
