"""What became of every sample: captured, lost, filled in, block by block. Pure.

Lost samples are put back as zeros where their number is known, so that the count of samples stays
the time; the seconds that they touch are flagged. Where only the driver says that some are missing,
the second is flagged and the clock follows by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from vigil_edge.noise.sound.pcm import Frames
from vigil_schemas.noise import AudioLedger

MOST_FILLED_S: Final = 5.0
"""A longer gap is none in a stream any more: it is told as lost, and the clock steps over it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Sound as it came from its source, and what is known of how it came."""

    frames: Frames
    """Shape (n, channels)."""
    captured: datetime | None = None
    """UTC at the end of its last sample, as the driver tells it; ``None``: only the arrival is
    known."""
    lost: int = 0
    """Samples that are missing right before it, as far as their number is known."""
    overflow: bool = False
    """The driver lost samples before it and need not know how many."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One block in the stream."""

    first_sample: int
    """Of what was filled in before it, if anything was."""
    samples: int
    """With what was filled in."""
    lost: int
    filled: int
    overflow: bool
    at: datetime
    """End of its last sample as the driver told it, or its arrival."""


@dataclass(slots=True)
class Ledger:
    """Feed it every block in order; entries are kept as long as their sound."""

    captured: int = field(init=False, default=0)
    lost: int = field(init=False, default=0)
    filled: int = field(init=False, default=0)
    overflows: int = field(init=False, default=0)
    _entries: deque[Entry] = field(init=False, default_factory=deque)

    def add(self, entry: Entry) -> None:
        """The next block."""
        self.captured += entry.samples - entry.filled
        self.lost += entry.lost
        self.filled += entry.filled
        self.overflows += entry.overflow
        self._entries.append(entry)

    def forget(self, before: int) -> None:
        """Blocks that end at or before this sample."""
        while self._entries and self._entries[0].first_sample + self._entries[0].samples <= before:
            self._entries.popleft()

    def between(self, first: int, last: int) -> tuple[Entry, ...]:
        """Blocks that hold any sample of ``[first, last)``."""
        return tuple(
            entry
            for entry in self._entries
            if entry.first_sample < last and entry.first_sample + entry.samples > first
        )


def summed(entries: Iterable[Entry], drift: float | None) -> AudioLedger:
    """Of the blocks of one recording, as its event tells it."""
    every = list(entries)
    filled = sum(entry.filled for entry in every)
    return AudioLedger(
        captured=sum(entry.samples for entry in every) - filled,
        lost=sum(entry.lost for entry in every),
        filled=filled,
        overflows=sum(entry.overflow for entry in every),
        drift_ppm=None if drift is None else round(drift * 1e6, 2),
    )


def told(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    """``blocks`` of ``ledger.json``."""
    for entry in entries:
        yield {
            "first_sample": entry.first_sample,
            "samples": entry.samples,
            "lost": entry.lost,
            "filled": entry.filled,
            "overflow": entry.overflow,
            "at": entry.at.isoformat(),
        }
