"""The other microphones of an array, beside the one that is measured: are they all right? Pure.

A bearing rests on all of them. They stand within centimetres of each other, so over a second all
hear the same level; one that does not for a while is broken, covered, or its gain was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vigil_edge.noise.meter.levels import Levels
from vigil_edge.noise.meter.signs import DROP_OUT, OVERLOAD, SILENT, STUCK

APART_DB: Final = 3.0
PATIENCE_S: Final = 10
"""So many seconds in a row it must differ, and agree again."""
_FAULTS: Final = frozenset({DROP_OUT, OVERLOAD, SILENT, STUCK})


@dataclass(slots=True)
class Channels:
    """Feed every second of all of them, in order."""

    trouble: str | None = field(init=False, default=None)
    """In words; ``None`` where all agree."""
    _bad: dict[int, int] = field(init=False, default_factory=dict)
    """Seconds in a row of each channel."""
    _good: int = field(init=False, default=0)
    _said: dict[int, str] = field(init=False, default_factory=dict)

    def feed(self, measured: Levels, others: Mapping[int, Levels]) -> None:
        """One second: of the measured channel, and of the others by their numbers."""
        for channel, levels in others.items():
            reason = _amiss(measured, levels)
            self._bad[channel] = 0 if reason is None else self._bad.get(channel, 0) + 1
            if reason is not None:
                self._said[channel] = reason
        self._good = 0 if any(self._bad.values()) else self._good + 1
        lasting = [one for one, seconds in sorted(self._bad.items()) if seconds >= PATIENCE_S]
        if lasting:
            self.trouble = "; ".join(f"channel {one}: {self._said[one]}" for one in lasting)
        elif self._good >= PATIENCE_S:
            self.trouble = None


def _amiss(measured: Levels, levels: Levels) -> str | None:
    faults = sorted((levels.flags & _FAULTS) - measured.flags)
    if faults:
        return ", ".join(faults)
    apart = levels.LAeq - measured.LAeq
    if abs(apart) > APART_DB:
        return f"{abs(apart):.0f} dB {'louder' if apart > 0 else 'quieter'} than the measured one"
    return None
