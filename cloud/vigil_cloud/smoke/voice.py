"""What the gateway says in a home: while it is asked, that help comes, that it is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

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
    """Have it said at every device of the home that can speak; at how many."""
    own = select(HouseholdDevice.device).where(
        HouseholdDevice.household == row.household, device_at(now)
    )
    given = select(HouseholdDevice.device).where(device_at(now))
    # What speaks behind the same gateway and in no other home, such as its bridge.
    nobodys = (Device.gateway == row.gateway) & Device.device.not_in(given)
    query = select(Device).where(Device.domain == "smoke", or_(Device.device.in_(own), nobodys))
    asked = 0
    for device in session.scalars(query):
        if PlayVoice.ACTION not in device.commands:
            continue
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
