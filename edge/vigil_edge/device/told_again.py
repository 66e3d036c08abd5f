"""What stands, told once more on a new connection to the cloud: it may have been restored from a
backup of before it began. A cloud that knows it takes it as a repetition (ids are
idempotency keys).

The cost is bounded where the link flaps and thousands of things stand: a few at a time, and after
a round the next one waits the longer the more was told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

AT_ONCE: Final = 50
EACH_S: Final = 0.5
LONGEST_S: Final = 600.0

Key = tuple[str, ...]


class ToldAgain:
    """Of one source; it outlives the source's pipelines, or one that fails all the time would tell
    all the time."""

    def __init__(self) -> None:
        self._session = 0
        self._next = -math.inf
        self._waiting: list[Key] = []
        self._given = 0

    def due(
        self, session: int, moment: float, standing: Callable[[], Sequence[Key]]
    ) -> Sequence[Key]:
        """What to tell now. ``session``: of the newest connection; ``standing``: names of what
        stands, asked where a round begins: what is over meanwhile is to be left out. The same is
        given again until it is ``told``."""
        if session != self._session and not self._waiting and moment >= self._next:
            self._session = session
            self._waiting = list(standing())
            self._next = moment + min(len(self._waiting) * EACH_S, LONGEST_S)
        given = self._waiting[:AT_ONCE]
        self._given = len(given)
        return given

    def told(self) -> None:
        """What was given last is on the disk."""
        del self._waiting[: self._given]
        self._given = 0
