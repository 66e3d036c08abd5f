"""Rows for gateways and devices of which nothing more is known yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from vigil_cloud.database import changes
from vigil_cloud.devices.models import Device


def new_gateway(name: str, now: datetime) -> dict[str, object]:
    """A row for a gateway that has not introduced itself."""
    return {
        "gateway": name,
        "added": now,
        "connected": False,
        "offline": False,
        "software": "",
        "accepts": [],
        "second_box_returns": 0,
        "lost": 0,
        "lost_events": 0,
        "conflicts": [],
        "updated": now,
    }


def new_device(name: str, gateway: str, domain: str, now: datetime) -> dict[str, object]:
    """A row for a device of which nothing more is known yet."""
    return {
        "device": name,
        "gateway": gateway,
        "domain": domain,
        "driver": "",
        "name": "",
        "name_zh": "",
        "parameters": [],
        "units": {},
        "shelves": [],
        "state": "unknown",
        "described": False,
        "claimed": False,
        "updated": now,
    }


def devices_changed(session: Session, gateway: str, now: datetime) -> None:
    """Mark every device of a gateway: their state as shown follows from the gateway's."""
    session.execute(update(Device).where(Device.gateway == gateway).values(updated=now))
    changes.announce(session, "gateway", (gateway,))
