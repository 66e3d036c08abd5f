"""Nobody speaks for another's device: such messages become refusals before anything is stored.

An alarm is the exception: a second gateway that hears the fire, or one that replaces the owner,
raises it, marked ``owner_doubtful``. It is an alert of its own, so that it ends no one else's.

The owners are looked up once per batch, never remembered: a device may just have been claimed, or
released and claimed anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.orm import Session

from vigil_cloud.devices.ownership import DEVICE_OF_ANOTHER, owners
from vigil_cloud.ingest.commit import Item
from vigil_cloud.ingest.decode import Decoded, Fact, Observation, refuse
from vigil_schemas.gateway import CommandResult, DeviceHealth, GatewayHealth, ObservationLoss
from vigil_schemas.topics import STATUS

_OF_GATEWAYS: Final = (GatewayHealth, ObservationLoss, CommandResult)
"""Their subject is the gateway itself."""
_DEVICE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What a birth can claim; databases do not take every text that a subject may hold."""


def refuse_foreign(session: Session, items: Sequence[Item]) -> Sequence[Item]:
    """The batch with messages for another gateway's device refused. Raises SQLAlchemy's errors."""
    named = {device for item in items for device in _devices(item.decoded)}
    if not named:
        return items
    known = owners(session, named)
    return [_checked(item, known) for item in items]


def _checked(item: Item, owners_: Mapping[str, str]) -> Item:
    arrived, decoded = item
    for device in _devices(decoded):
        owner = owners_.get(device)
        if owner is not None and owner != decoded.gateway:
            if isinstance(decoded, Fact) and decoded.alarm:
                marks = {**decoded.marks, "owner_doubtful": owner}
                return Item(arrived, decoded._replace(marks=marks))
            detail = f"{device} belongs to {owner}"
            return Item(arrived, refuse(arrived.topic, arrived.payload, DEVICE_OF_ANOTHER, detail))
    return item


def _devices(decoded: Decoded) -> tuple[str, ...]:
    """The devices that a message speaks for."""
    if isinstance(decoded, Observation):
        return (decoded.device,)
    if (
        not isinstance(decoded, Fact)
        or decoded.channel == STATUS
        or isinstance(decoded.data, _OF_GATEWAYS)
    ):
        return ()
    subject = decoded.envelope.subject
    named = (subject,) if _DEVICE.fullmatch(subject) else ()
    return (*named, decoded.data.device) if isinstance(decoded.data, DeviceHealth) else named
