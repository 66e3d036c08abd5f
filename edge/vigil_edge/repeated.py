"""A failure that comes again every few seconds is logged once an hour: its count stands in the
gateway's health, and a log that is full of it hides everything else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

AGAIN_S: Final = 3600.0
_MOST: Final = 64


@dataclass(slots=True)
class Repeated:
    """Of one source of failures. ``monotonic``: seconds, for durations."""

    monotonic: Callable[[], float] = time.monotonic
    _told: dict[str, float] = field(init=False, default_factory=dict)

    def due(self, kind: str) -> bool:
        """Whether a failure of this kind is to be logged now: the first one, and one an hour.
        ``kind``: without what changes each time, as a value that was read."""
        now = self.monotonic()
        last = self._told.get(kind)
        if last is not None and now - last < AGAIN_S:
            return False
        self._told.pop(kind, None)
        if len(self._told) >= _MOST:  # the one that was told longest ago
            del self._told[next(iter(self._told))]
        self._told[kind] = now
        return True
