"""Gateways that nobody added, and those that were revoked: they have no rights, and what they
send must not be lost.

A receipt would say that their messages are stored, and they would delete them. So no mark moves:
they keep what they have until somebody adds them, and are told why once in a while. Of an alarm
each message becomes a dead letter, which alarms by itself (not of a gateway that was revoked:
a thief must not call anybody); of everything else one in a while per gateway and lane, since
they send the same again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sqlalchemy.orm import Session

from vigil_cloud.devices.removal import REVOKED, revoked
from vigil_cloud.devices.seen import UNKNOWN_GATEWAY, enrolled
from vigil_cloud.ingest.commit import Item
from vigil_cloud.ingest.decode import Refusal
from vigil_cloud.ingest.salvage import GATEWAY, concerns_alarm

KNOWN_FOR_S: Final = 30.0
TOLD_EVERY_S: Final = 30.0
REMEMBERED: Final = 10_000


class Strangers:
    """Remembers who was added. Belongs to one thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._enrolled: dict[str, float] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._to_tell: dict[str, Refusal] = {}

    def refuse(
        self, session: Session, items: Sequence[Item], *, enrolment_open: bool
    ) -> Sequence[Item]:
        """The batch with what strangers sent refused, or left out. Raises SQLAlchemy's errors.

        Who was revoked is asked for each time, and by nothing that is remembered: a stolen
        gateway is refused from the next batch on, however enrolment stands.
        """
        now = self._monotonic()
        named = {item.decoded.gateway for item in items if item.decoded.source is not None}
        named |= {item.decoded.gateway for item in items if not isinstance(item.decoded, Refusal)}
        # Also of what cannot be read, which has no source.
        heard = named | {
            item.decoded.gateway for item in items if GATEWAY.fullmatch(item.decoded.gateway)
        }
        if not heard:
            return items
        gone = revoked(session, heard)
        unsure = {name for name in named if self._enrolled.get(name, -1e9) + KNOWN_FOR_S < now}
        if unsure and not enrolment_open:
            found = enrolled(session, unsure)
            for name in unsure:
                self._enrolled.pop(name, None)
            self._enrolled.update(dict.fromkeys(found, now))
        strangers = gone if enrolment_open else gone | (named - self._enrolled.keys())
        if not strangers:
            return items
        kept = (
            self._refused(item, now, revoked=item.decoded.gateway in gone)
            if item.decoded.gateway in strangers
            else item
            for item in items
        )
        return [item for item in kept if item is not None]

    def to_be_told(self) -> Iterator[tuple[str, Refusal]]:
        """Sources of strangers with why nothing of theirs is stored; each once."""
        while self._to_tell:
            yield self._to_tell.popitem()

    def _refused(self, item: Item, now: float, *, revoked: bool) -> Item | None:
        arrived, decoded = item
        name = decoded.gateway
        reason, detail = (
            (REVOKED, f"gateway {name!r} was revoked (vigil-cloud gateway readmit)")
            if revoked
            else (UNKNOWN_GATEWAY, f"gateway {name!r} was never added (vigil-cloud gateway add)")
        )
        refusal = Refusal(name, None, None, reason, detail)
        if len(self._told) > REMEMBERED:
            self._told.clear()
        key = (decoded.gateway, arrived.topic)
        due = self._told.get(key, -1e9) + TOLD_EVERY_S <= now
        if due:
            self._told[key] = now
            if decoded.source is not None:
                self._to_tell[decoded.source] = refusal
        if due or (not revoked and concerns_alarm(arrived.topic, arrived.payload)):
            return Item(arrived, refusal)
        return None
