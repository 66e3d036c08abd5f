"""How many devices and series the readings of one gateway may bring up.

Each costs rows for ever, and a faulty or stolen gateway makes up names without end. What a birth
describes is always let in, and events and alarms are never asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from vigil_cloud.capacity.limits import Quotas
from vigil_cloud.database.upsert import table_of
from vigil_cloud.devices.models import Device
from vigil_cloud.ingest.commit import Item
from vigil_cloud.ingest.decode import Observation, refuse

TOO_MANY_DEVICES: Final = "too-many-devices"
TOO_MANY_PARAMETERS: Final = "too-many-parameters"
LIFETIME_S: Final = 300.0
REMEMBERED: Final = 50_000

_Key = tuple[str, str]
"""Gateway and device."""
_TABLE: Final = table_of(Device)
_COUNTS: Final = (
    select(_TABLE.c.gateway, func.count())
    .where(_TABLE.c.gateway.in_(bindparam("names", expanding=True)))
    .group_by(_TABLE.c.gateway)
)
_DEVICES: Final = select(_TABLE.c.device, _TABLE.c.parameters, _TABLE.c.units).where(
    _TABLE.c.device.in_(bindparam("names", expanding=True))
)


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
        found = self._look_up(session, items)
        held = [self._held(item, found) for item in items]
        return items if all(a is b for a, b in zip(items, held, strict=True)) else held

    def _look_up(self, session: Session, items: Iterable[Item]) -> Mapping[str, set[str]]:
        """Parameters of those devices of the batch that this process does not know yet, with two
        statements however many: after a start that is every device of the city."""
        unknown = {
            (one.decoded.gateway, one.decoded.device)
            for one in items
            if isinstance(one.decoded, Observation)
        } - self._parameters.keys()
        wanted = sorted(unknown - self._beyond)
        if not wanted:
            return {}
        connection = session.connection()
        gateways = sorted({gateway for gateway, _ in wanted} - self._counts.keys())
        if gateways:
            counted = connection.execute(_COUNTS, {"names": gateways})
            self._counts.update(dict.fromkeys(gateways, 0))
            for gateway, count in counted:
                self._counts[gateway] = count
        rows = connection.execute(_DEVICES, {"names": [device for _, device in wanted]})
        # Those without a unit are learnt anew: the bound is a soft one.
        return {row.device: {*row.parameters, *row.units} for row in rows}

    def _held(self, item: Item, found: Mapping[str, set[str]]) -> Item:
        arrived, decoded = item
        if not isinstance(decoded, Observation):
            return item
        key = (decoded.gateway, decoded.device)
        known = self._parameters.get(key)
        if known is not None and not decoded.units and key not in self._beyond:
            return item  # nothing new to this process
        if known is None:
            known = None if key in self._beyond else self._let_in(key, found)
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

    def _let_in(self, key: _Key, found: Mapping[str, set[str]]) -> set[str] | None:
        """The parameters of a device that is there or has room; ``None`` where there is none."""
        gateway, device = key
        parameters = found.get(device)
        if parameters is None:
            if self._counts[gateway] >= self._quotas.devices:
                return None
            self._counts[gateway] += 1
            parameters = set()
        self._parameters[key] = set(parameters)
        return self._parameters[key]
