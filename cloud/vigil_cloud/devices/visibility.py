"""Which devices and gateways are for a reader, as conditions of SQL (the rule:
``identity.rights``; a test holds the two together)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_, true
from sqlalchemy.orm import InstrumentedAttribute

from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.domain.registry import domains
from vigil_cloud.identity.districts import covered
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import RELATIONS, Operation


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


def in_districts(reader: Reader, device: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """On a domain's rows that name a device: those of the reader's districts. Whether the role
    may see them at all, the route has asked."""
    inside = covered(reader, "device", device)
    return true() if inside is None else inside


def visible_gateways(reader: Reader) -> ColumnElement[bool]:
    """On ``Gateway``: those of the reader's districts."""
    inside = covered(reader, "gateway", Gateway.gateway)
    return true() if inside is None else inside
