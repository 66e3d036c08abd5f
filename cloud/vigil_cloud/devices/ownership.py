"""Whose a device is: the first gateway's whose birth described it, until it is released.

A device that no birth has described belongs to nobody: what anyone sends for it is taken,
because readings travel on another lane than the birth and must not be lost to its delay.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device

DEVICE_OF_ANOTHER: Final = "device-of-another"
"""Reason of the dead letter."""

# Made once: ingest asks for every batch, and to make a statement costs more than to run it.
_OWNERS: Final = select(Device.device, Device.gateway).where(
    Device.device.in_(bindparam("devices", expanding=True)), Device.claimed
)


def owners(session: Session, devices: Iterable[str]) -> dict[str, str]:
    """Device → gateway, for those of the devices that belong to one."""
    rows = session.execute(_OWNERS, {"devices": sorted(set(devices))})
    return {row.device: row.gateway for row in rows}
