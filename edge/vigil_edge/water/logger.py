"""A sonde with memory, as its registers show it. Pure.

Relative to ``base``: 0–1 ``head`` (index after the newest record), 2–3 ``tail`` (index of
the oldest one not acknowledged; writing it acknowledges all before), 4 words per record,
5 records shown at once; from 16 on the records tail, tail+1, …: index, seconds since 1970
UTC (both uint32), milliseconds (uint16), one float32 per signal; big-endian throughout.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from vigil_edge.water.registers import MAX_READ_WORDS, whole

HEAD_WORDS: Final = 6
TAIL: Final = 2
WINDOW: Final = 16
EMPTY: Final = 0xFFFFFFFF
INDEX_MODULUS: Final = 1 << 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Head(NamedTuple):
    """What the first six registers say."""

    head: int
    tail: int
    record_words: int
    window_records: int

    @property
    def waiting(self) -> int:
        """Records that are kept and not acknowledged."""
        return (self.head - self.tail) % INDEX_MODULUS


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """One measurement; ``None`` where a sensor gave none, ±inf where it is off scale."""

    index: int
    time: datetime
    values: tuple[float | None, ...]


def head(words: Sequence[int]) -> Head:
    """From the first six registers."""
    return Head(whole(words[0:2]), whole(words[2:4]), words[4], words[5])


def reads(records: int, record_words: int, *, first_words: int) -> list[tuple[int, int]]:
    """Offset and count of the reads that bring the window's first ``records``.

    ``first_words`` of the window have been read already. Every read holds whole
    records, so that none is torn by a change between two reads.
    """
    at_once = MAX_READ_WORDS // record_words
    done = first_words // record_words
    wanted: list[tuple[int, int]] = []
    while done < records:
        now = min(at_once, records - done)
        wanted.append((WINDOW + done * record_words, now * record_words))
        done += now
    return wanted


def records(words: Sequence[int], record_words: int) -> list[LoggedRecord]:
    """The records laid one after another in ``words``, up to the first empty place.

    Raises ``ValueError`` where a record is none: milliseconds beyond a second.
    """
    found: list[LoggedRecord] = []
    for at in range(0, len(words) - record_words + 1, record_words):
        index = whole(words[at : at + 2])
        if index == EMPTY:
            break
        seconds, milliseconds = whole(words[at + 2 : at + 4]), words[at + 4]
        if milliseconds > 999:
            raise ValueError(f"record {index} states {milliseconds} milliseconds")
        time = _EPOCH + timedelta(seconds=seconds, milliseconds=milliseconds)
        body = words[at + 5 : at + record_words]
        data = struct.pack(f">{len(body)}H", *body)
        values = struct.unpack(f">{len(body) // 2}f", data)
        found.append(LoggedRecord(index, time, tuple(None if math.isnan(v) else v for v in values)))
    return found


def in_order(found: Sequence[LoggedRecord], first: int) -> bool:
    """Whether the records are ``first``, ``first`` + 1 and so on."""
    return all(
        record.index == (first + place) % INDEX_MODULUS for place, record in enumerate(found)
    )
