"""Which sequence numbers of one source are stored: a cumulative mark and sparse ranges above it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

MAX_RANGES: Final = 256
"""As many as a receipt can tell of; a number that would open one more has to come again."""


class Progress:
    """Mutable; numbers begin at 1. ``beyond`` holds disjoint, non-adjacent inclusive ranges."""

    __slots__ = ("beyond", "refused", "stored")

    def __init__(
        self, stored: int = 0, beyond: Iterable[tuple[int, int]] = (), refused: int = 0
    ) -> None:
        self.stored = stored
        self.beyond: list[tuple[int, int]] = [(first, last) for first, last in beyond]
        self.refused = refused

    def __contains__(self, number: int) -> bool:
        if number <= self.stored:
            return True
        if not self.beyond:
            return False
        index = bisect_right(self.beyond, (number, _INFINITY)) - 1
        return index >= 0 and self.beyond[index][1] >= number

    def add(self, number: int) -> bool:
        """Note a number as stored. ``False`` where there is no room for one more gap."""
        if number == self.stored + 1:
            self.stored = number
            if self.beyond and self.beyond[0][0] == number + 1:
                self.stored = self.beyond.pop(0)[1]
            return True
        if number in self:
            return True
        index = bisect_right(self.beyond, (number, _INFINITY))
        joins_left = index > 0 and self.beyond[index - 1][1] == number - 1
        joins_right = index < len(self.beyond) and self.beyond[index][0] == number + 1
        if not joins_left and not joins_right and len(self.beyond) >= MAX_RANGES:
            return False
        first = self.beyond[index - 1][0] if joins_left else number
        last = self.beyond[index][1] if joins_right else number
        self.beyond[index - joins_left : index + joins_right] = [(first, last)]
        return True


_INFINITY: Final = 1 << 62
