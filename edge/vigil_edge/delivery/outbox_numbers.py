"""Sequence numbers of one lane within one opening of the outbox file: in memory and nowhere else.

A file can fall back in time: a card that lied about its fsync, a snapshot or a clone put back.
Numbers that lay in it would then be given a second time, to other rows, and the cloud would
take those for repetitions. So each opening draws an epoch of its own and numbers the rows
that it finds from 1; what the cloud has of them already it knows by their event ids.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Numbers:
    """Rows get numbers in the order of their ordinals (their places in the file), without gaps."""

    __slots__ = ("_numbers", "_ordinals", "issued", "last", "last_ordinal")

    def __init__(self, rows: int) -> None:
        self.issued = rows
        """The number of the last row, whether it was given to anybody yet or not."""
        self.last = 0
        """Highest number that was given out."""
        self.last_ordinal = 0
        self._numbers: list[int] = []
        """Given out and not confirmed, ascending; ``_ordinals`` beside them."""
        self._ordinals: list[int] = []

    def copy(self) -> Numbers:
        """To go back to, where a transaction fails."""
        copied = Numbers(self.issued)
        copied.last, copied.last_ordinal = self.last, self.last_ordinal
        copied._numbers, copied._ordinals = self._numbers[:], self._ordinals[:]
        return copied

    def of(self, ordinal: int) -> int:
        """The number of a row; the next one, where it has none yet. Ask in the order of rows."""
        if ordinal > self.last_ordinal:
            self.last += 1
            self.last_ordinal = ordinal
            self._numbers.append(self.last)
            self._ordinals.append(ordinal)
            return self.last
        return self._numbers[bisect_left(self._ordinals, ordinal)]

    def behind(self, number: int) -> int:
        """The rows with higher numbers, or none yet, lie behind this ordinal."""
        index = bisect_right(self._numbers, number)
        return self._ordinals[index] - 1 if index < len(self._ordinals) else self.last_ordinal

    def confirm(self, first: int, last: int) -> tuple[int, int] | None:
        """Forget numbers ``first`` to ``last``; the first and last ordinal that had them."""
        start, stop = bisect_left(self._numbers, first), bisect_right(self._numbers, last)
        if start >= stop:
            return None
        span = self._ordinals[start], self._ordinals[stop - 1]
        del self._numbers[start:stop], self._ordinals[start:stop]
        return span
