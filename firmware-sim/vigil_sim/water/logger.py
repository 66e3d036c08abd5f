"""A sonde's memory: time-stamped records, kept until the gateway has acknowledged them.

The wire contract (holding registers, big-endian words and bytes, relative to ``base``):

======== ===== ==========================================================================
register words
======== ===== ==========================================================================
0        2     head: index of the newest record + 1
2        2     tail: index of the oldest record not acknowledged; writing it acknowledges
4        1     words per record: 5 + 2 × signals
5        1     records shown at once in the window
16       …     the window: records tail, tail+1, …
======== ===== ==========================================================================

A record is index (uint32), seconds since 1970 UTC (uint32), milliseconds (uint16), then one
float32 per signal. Places of the window beyond the head have index 0xFFFFFFFF.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

WINDOW: Final = 16
"""Where the window begins, relative to the base."""
TAIL: Final = 2
_EMPTY_INDEX: Final = 0xFFFFFFFF


class Record(NamedTuple):
    """One measurement. ``time_ms`` since 1970 UTC on the sonde's own clock."""

    number: int
    time_ms: int
    values: tuple[float | None, ...]


class LoggerMemory:
    """A ring of records. It survives a reboot of the sonde, as flash memory does."""

    def __init__(self, signals: int, capacity: int, window_records: int | None = None) -> None:
        self.record_words = 5 + 2 * signals
        self.window_records = window_records or max(1, 500 // self.record_words)
        """By default about as many as four reads of 125 words bring."""
        self.overwritten = 0
        """Records that nobody fetched before the ring was full."""
        self.head = 0
        self._capacity = capacity
        self._records: deque[Record] = deque()

    @property
    def tail(self) -> int:
        """Index of the oldest record kept; ``head`` where none is."""
        return self.head - len(self._records)

    @property
    def words(self) -> int:
        """How many registers the logger takes, from its base."""
        return WINDOW + self.window_records * self.record_words

    def append(self, time_ms: int, values: Sequence[float | None]) -> Record:
        """Keep a measurement; the oldest gives way in a full ring."""
        record = Record(self.head, time_ms, tuple(values))
        if len(self._records) == self._capacity:
            self._records.popleft()
            self.overwritten += 1
        self._records.append(record)
        self.head += 1
        return record

    def acknowledge(self, tail: int) -> bool:
        """Forget everything before ``tail``; False where it is not between tail and head."""
        if not self.tail <= tail <= self.head:
            return False
        while self.tail < tail:
            self._records.popleft()
        return True

    def read(self, offset: int, count: int) -> list[int]:
        """Words ``offset`` … relative to the base; what is not defined reads as 0."""
        header = [*_two(self.head), *_two(self.tail), self.record_words, self.window_records]
        words: list[int] = []
        records: dict[int, list[int]] = {}
        for position in range(offset, offset + count):
            if position < WINDOW:
                words.append(header[position] if position < len(header) else 0)
                continue
            place, word = divmod(position - WINDOW, self.record_words)
            if place not in records:
                records[place] = self._record_words(place)
            words.append(records[place][word])
        return words

    def _record_words(self, place: int) -> list[int]:
        if place >= min(len(self._records), self.window_records):
            return [*_two(_EMPTY_INDEX), *[0] * (self.record_words - 2)]
        record = self._records[place]
        seconds, milliseconds = divmod(record.time_ms, 1000)
        values = [math.nan if value is None else value for value in record.values]
        data = struct.pack(f">{len(values)}f", *values)
        shown = struct.unpack(f">{2 * len(values)}H", data)
        return [*_two(record.number), *_two(seconds), milliseconds, *shown]


def _two(value: int) -> tuple[int, int]:
    return (value >> 16) & 0xFFFF, value & 0xFFFF
