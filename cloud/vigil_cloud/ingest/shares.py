"""How many devices and series the readings of one gateway may bring up.

Each costs rows for ever, and a faulty or stolen gateway makes up names without end. What a birth
describes is always let in, and events and alarms are never asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.capacity.limits import Quotas
from vigil_cloud.devices.models import Device
from vigil_cloud.ingest.commit import Item
from vigil_cloud.ingest.decode import Observation, refuse

TOO_MANY_DEVICES: Final = "too-many-devices"
TOO_MANY_PARAMETERS: Final = "too-many-parameters"
LIFETIME_S: Final = 300.0
REMEMBERED: Final = 50_000

_Key = tuple[str, str]
"""Gateway and device."""


class Shares:
    """Remembers what was let in. Belongs to one thread."""

    def __init__(
        self,
        quotas: Quotas,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quotas = quotas
        self._monotonic = monotonic
        self._parameters: dict[_Key, set[str]] = {}
        self._beyond: set[_Key] = set()
        """Devices that were not let in, or have all the parameters that they may."""
        self._counts: dict[str, int] = {}
        self._forget_at = 0.0

    def hold(self, session: Session, items: Sequence[Item]) -> Sequence[Item]:
        """The batch with readings beyond their gateway's share refused. Raises SQLAlchemy's
        errors."""
        now = self._monotonic()
        if len(self._parameters) > REMEMBERED:
            self._parameters.clear()
        if now >= self._forget_at or len(self._beyond) > REMEMBERED:
            self._beyond = {key for key in self._beyond if key in self._parameters}
            self._counts.clear()
            self._forget_at = now + LIFETIME_S
        held = [self._held(session, item) for item in items]
        return items if all(a is b for a, b in zip(items, held, strict=True)) else held

    def _held(self, session: Session, item: Item) -> Item:
        arrived, decoded = item
        if not isinstance(decoded, Observation):
            return item
        key = (decoded.gateway, decoded.device)
        known = self._parameters.get(key)
        if known is not None and not decoded.units and key not in self._beyond:
            return item  # nothing new to this process
        if known is None:
            known = None if key in self._beyond else self._let_in(session, key)
        if known is None:
            self._beyond.add(key)
            detail = f"{decoded.gateway} may bring up {self._quotas.devices} devices"
            return Item(arrived, refuse(arrived.topic, arrived.payload, TOO_MANY_DEVICES, detail))
        new = {point.series.parameter for point in decoded.points} - known
        if len(known) + len(new) > self._quotas.parameters:
            self._beyond.add(key)
            detail = f"{decoded.device} may have {self._quotas.parameters} parameters"
            return Item(
                arrived, refuse(arrived.topic, arrived.payload, TOO_MANY_PARAMETERS, detail)
            )
        known |= new
        return item

    def _let_in(self, session: Session, key: _Key) -> set[str] | None:
        """The parameters of a device that is there or has room; ``None`` where there is none."""
        gateway, device = key
        found: set[str] = set()
        row = session.get(Device, device)
        if row is not None:  # those without a unit are learnt anew: the bound is a soft one
            found = {*row.parameters, *row.units}
        if gateway not in self._counts:
            count = select(func.count()).where(Device.gateway == gateway)
            self._counts[gateway] = session.scalar(count) or 0
        if row is None:
            if self._counts[gateway] >= self._quotas.devices:
                return None
            self._counts[gateway] += 1
        self._parameters[key] = found
        return found
