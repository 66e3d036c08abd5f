"""Nobody speaks for another's device: such messages become refusals before anything is stored.

An alarm is the exception: a second gateway that hears the fire, or one that replaces the owner,
raises it, marked ``owner_doubtful``. It is an alert of its own, so that it ends no one else's.

Readings pass on what was known a moment ago, so that most batches ask the database nothing.
Events, which raise alerts, are looked up once per batch; and nothing is refused on a memory:
a device may just have been released and claimed anew.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.devices.ownership import DEVICE_OF_ANOTHER, owners
from vigil_cloud.ingest.commit import Item
from vigil_cloud.ingest.decode import Decoded, Fact, Observation, refuse
from vigil_schemas.gateway import CommandResult, DeviceHealth, GatewayHealth, ObservationLoss
from vigil_schemas.topics import STATUS

LIFETIME_S: Final = 5.0
"""So long after a claim another's readings may still pass."""
REMEMBERED: Final = 50_000
_OF_GATEWAYS: Final = (GatewayHealth, ObservationLoss, CommandResult)
"""Their subject is the gateway itself."""
_DEVICE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What a birth can claim; databases do not take every text that a subject may hold."""


class Owners:
    """Remembers device → gateway, ``None`` where it is nobody's. Belongs to one thread."""

    def __init__(
        self, sessions: sessionmaker[Session], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sessions = sessions
        self._monotonic = monotonic
        self._known: dict[str, str | None] = {}
        self._forget_at = 0.0

    def refuse_foreign(self, items: Sequence[Item]) -> Sequence[Item]:
        """The batch with messages for another gateway's device refused. Raises SQLAlchemy's
        errors."""
        now = self._monotonic()
        if now >= self._forget_at or len(self._known) > REMEMBERED:
            self._known.clear()
            self._forget_at = now + LIFETIME_S
        known = self._known
        unsure: set[str] = set()
        for _, decoded in items:
            if isinstance(decoded, Observation):
                device = decoded.device
                if device not in known or known[device] not in (None, decoded.gateway):
                    unsure.add(device)
            else:
                unsure.update(_devices(decoded))
        if not unsure:
            return items
        self._look(unsure)
        return [self._checked(item) for item in items]

    def _look(self, devices: Iterable[str]) -> None:
        with self._sessions() as session:
            found = owners(session, devices)
        self._known.update({device: found.get(device) for device in devices})

    def _checked(self, item: Item) -> Item:
        arrived, decoded = item
        for device in _devices(decoded):
            owner = self._known.get(device)
            if owner is not None and owner != decoded.gateway:
                if isinstance(decoded, Fact) and decoded.alarm:
                    marks = {**decoded.marks, "owner_doubtful": owner}
                    return Item(arrived, decoded._replace(marks=marks))
                detail = f"{device} belongs to {owner}"
                return Item(
                    arrived, refuse(arrived.topic, arrived.payload, DEVICE_OF_ANOTHER, detail)
                )
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
