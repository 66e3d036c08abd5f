"""Sixteen-bit registers to values, and how to fetch many with few reads. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from vigil_edge.modbus.numbers import number
from vigil_edge.water.signals import Signal

MAX_READ_WORDS: Final = 125
"""Modbus Application Protocol 1.1b3, section 6.3."""
GAP_WORDS: Final = 8
"""Reading over a gap this long is quicker than a second request."""


class Block(NamedTuple):
    """Registers fetched in one read, and the signals inside."""

    table: str
    address: int
    words: int
    signals: tuple[Signal, ...]


def blocks(
    signals: Iterable[Signal], gap: int = GAP_WORDS, most: int = MAX_READ_WORDS
) -> list[Block]:
    """As few reads as cover all signals, none longer than ``most``; a ``gap`` below 0 leaves
    every signal a read of its own."""
    found: list[Block] = []
    for signal in sorted(signals, key=lambda s: (s.table, s.register_)):
        end = signal.register_ + signal.words
        if found:
            last = found[-1]
            near = gap >= 0 and signal.register_ <= last.address + last.words + gap
            if last.table == signal.table and near and end - last.address <= most:
                words = max(last.words, end - last.address)
                found[-1] = last._replace(words=words, signals=(*last.signals, signal))
                continue
        found.append(Block(signal.table, signal.register_, signal.words, (signal,)))
    return found


def value(signal: Signal, words: Sequence[int]) -> float | None:
    """In the signal's unit; ``None`` where there is no reading, ±inf where it is off scale."""
    raw = number(words, signal.type, signal.byte_order)
    return meaning(signal, raw, signal.scale, signal.offset)


def meaning(signal: Signal, raw: float, scale: float = 1.0, offset: float = 0.0) -> float | None:
    """What a raw number stands for.

    NaN and the signal's sentinel mean that there is no reading; an infinite number, and
    those that the signal's settings name for it, that it is beyond the sensor's range.
    """
    if math.isnan(raw) or any(_stands_for(raw, code, signal) for code in signal.sentinels):
        return None
    if _stands_for(raw, signal.over_range, signal):
        return math.inf
    if _stands_for(raw, signal.under_range, signal):
        return -math.inf
    scaled = raw * scale + offset
    return None if math.isnan(scaled) else scaled


def _stands_for(raw: float, code: float | None, signal: Signal) -> bool:
    """Whether this is the code; of a whole number also where its sign was read otherwise."""
    if code is None:
        return False
    if math.isclose(raw, code, rel_tol=1e-6):
        return True
    if signal.type.startswith("float") or not math.isfinite(raw):
        return False
    return raw in (code + 2.0 ** (16 * signal.words), code - 2.0 ** (16 * signal.words))


def whole(words: Sequence[int]) -> int:
    """A big-endian unsigned number of any number of registers."""
    total = 0
    for word in words:
        total = total << 16 | word
    return total
