"""Gateways that nobody added: they have no rights, and what they send must not be lost.

A receipt would say that their messages are stored, and they would delete them. So no mark moves:
they keep what they have until somebody adds them, and are told why once in a while. Of an alarm
each message becomes a dead letter, which alarms by itself; of everything else one in a while
per gateway and lane, since they send the same again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.devices.seen import UNKNOWN_GATEWAY, enrolled
from vigil_cloud.ingest.commit import Item
from vigil_cloud.ingest.decode import Refusal
from vigil_cloud.ingest.salvage import concerns_alarm

KNOWN_FOR_S: Final = 30.0
TOLD_EVERY_S: Final = 30.0
REMEMBERED: Final = 10_000


class Strangers:
    """Remembers who was added. Belongs to one thread."""

    def __init__(
        self, sessions: sessionmaker[Session], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sessions = sessions
        self._monotonic = monotonic
        self._enrolled: dict[str, float] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._to_tell: dict[str, Refusal] = {}

    def refuse(self, items: Sequence[Item]) -> Sequence[Item]:
        """The batch with what strangers sent refused, or left out. Raises SQLAlchemy's errors."""
        now = self._monotonic()
        named = {item.decoded.gateway for item in items if item.decoded.source is not None}
        named |= {item.decoded.gateway for item in items if not isinstance(item.decoded, Refusal)}
        unsure = {name for name in named if self._enrolled.get(name, -1e9) + KNOWN_FOR_S < now}
        if unsure:
            with self._sessions() as session:
                found = enrolled(session, unsure)
            for name in unsure:
                self._enrolled.pop(name, None)
            self._enrolled.update(dict.fromkeys(found, now))
        strangers = named - self._enrolled.keys()
        if not strangers:
            return items
        kept = (
            self._refused(item, now) if item.decoded.gateway in strangers else item
            for item in items
        )
        return [item for item in kept if item is not None]

    def to_be_told(self) -> Iterator[tuple[str, Refusal]]:
        """Sources of strangers with why nothing of theirs is stored; each once."""
        while self._to_tell:
            yield self._to_tell.popitem()

    def _refused(self, item: Item, now: float) -> Item | None:
        arrived, decoded = item
        refusal = Refusal(
            decoded.gateway,
            None,
            None,
            UNKNOWN_GATEWAY,
            f"gateway {decoded.gateway!r} was never added (vigil-cloud gateway add)",
        )
        if len(self._told) > REMEMBERED:
            self._told.clear()
        key = (decoded.gateway, arrived.topic)
        due = self._told.get(key, -1e9) + TOLD_EVERY_S <= now
        if due:
            self._told[key] = now
            if decoded.source is not None:
                self._to_tell[decoded.source] = refusal
        if due or concerns_alarm(arrived.topic, arrived.payload):
            return Item(arrived, refusal)
        return None
