"""What the gateway says in a home: while it is asked, that help comes, that it is over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from vigil_cloud.api_errors import ApiError
from vigil_cloud.devices import downlinks
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.identity.reader import device_at
from vigil_cloud.smoke.models import Fire
from vigil_schemas.commands import PlayVoice
from vigil_schemas.smoke import SmokePrompt

LONGEST: Final[Mapping[SmokePrompt, timedelta]] = {
    "fire_alarm": timedelta(seconds=60),
    "help_coming": timedelta(minutes=3),
    "all_clear": timedelta(minutes=15),
}
"""Later than this it is of no use, or not true any more."""


def ask_home(session: Session, row: Fire, now: datetime) -> int:
    """That it burns, while the home is asked; at how many devices."""
    return say(session, row, "fire_alarm", now)


def say(session: Session, row: Fire, prompt: SmokePrompt, now: datetime) -> int:
    """Have it said at every device of the home that can speak; at how many. That it is over is not
    said where it burns behind the same gateway: one loudspeaker speaks to several homes."""
    heard = speakers(session, row, now)
    if prompt == "all_clear":
        burning = _burning(session, row, {device.gateway for device in heard}, now)
        heard = [device for device in heard if device.gateway not in burning]
    asked = 0
    for device in heard:
        try:
            downlinks.ask(
                session,
                device.gateway,
                device.device,
                PlayVoice(prompt=prompt),
                by="platform",
                expires=now + LONGEST[prompt],
                now=now,
            )
        except ApiError:  # removed meanwhile
            continue
        asked += 1
    return asked


def speakers(session: Session, row: Fire, now: datetime) -> Sequence[Device]:
    """Devices that speak to the home."""
    own = select(HouseholdDevice.device).where(
        HouseholdDevice.household == row.household, device_at(now)
    )
    given = select(HouseholdDevice.device).where(device_at(now))
    # What speaks behind the same gateway and in no other home, such as its bridge.
    nobodys = (Device.gateway == row.gateway) & Device.device.not_in(given)
    query = select(Device).where(Device.domain == "smoke", or_(Device.device.in_(own), nobodys))
    found = session.scalars(query.order_by(Device.device))
    return [device for device in found if PlayVoice.ACTION in device.commands]


def _burning(
    session: Session, row: Fire, gateways: Collection[str], now: datetime
) -> Collection[str]:
    """Those of these gateways behind which another fire goes on."""
    other = aliased(Fire)
    goes_on = (other.id != row.id) & (other.phase != "over")
    first = select(other.gateway).where(goes_on, other.gateway.in_(gateways))
    homes = (
        select(Device.gateway)
        .join(HouseholdDevice, HouseholdDevice.device == Device.device)
        .join(other, other.household == HouseholdDevice.household)
        .where(goes_on, Device.domain == "smoke", Device.gateway.in_(gateways), device_at(now))
    )
    return {*session.scalars(first), *session.scalars(homes)}
