"""How much may lie in an outbox: less for observations than for alarms. No disk, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

THIN_SHARE: Final = 0.1
"""How much of its bound one thinning frees: rare, so that losses are few and large."""
LOSS_BYTES: Final = 600
"""What the record of a loss takes at most."""
_ALARMS_SHARE: Final = 8
"""This fraction of the outbox is for alarms alone."""
_ROW_OVERHEAD: Final = 200


def cost(body_bytes: int) -> int:
    """Bytes of a row: its body and roughly what it costs besides, so that many small rows are
    bounded too."""
    return body_bytes + _ROW_OVERHEAD


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may lie in the outbox: rows over all lanes, bytes, and messages under way."""

    rows: int
    bytes: int
    window: int


class Bound(NamedTuple):
    """Rows and bytes over all lanes, up to which one kind of row is taken."""

    rows: int
    bytes: int


class Bounds:
    """The bound of observations, of events, and of alarms, each at least that of the former."""

    def __init__(self, limits: Limits) -> None:
        reserved_rows = max(1, limits.rows // _ALARMS_SHARE)
        self.alarms = Bound(limits.rows, limits.bytes)
        self.events = Bound(
            limits.rows - reserved_rows, limits.bytes - limits.bytes // _ALARMS_SHARE
        )
        self.observations = self.events
        self._configured = self.observations, self.events, self.alarms

    def tighten(self, here: int, reserve: int) -> None:
        """The disk itself was full with ``here`` bytes in the outbox, and gave up ``reserve``.

        A quarter of that is for events and alarms, another for alarms; the other half is for
        the journal of what will let go of rows again.
        """
        if here < self.observations.bytes:
            self.observations = Bound(self.observations.rows, here)
            self.events = Bound(self.events.rows, min(self.events.bytes, here + reserve // 4))
            self.alarms = Bound(self.alarms.rows, min(self.alarms.bytes, here + reserve // 2))

    def loosen(self) -> None:
        """There is room on the disk again."""
        self.observations, self.events, self.alarms = self._configured
