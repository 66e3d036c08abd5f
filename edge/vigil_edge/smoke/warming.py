"""Whether the air at an alarm gets hot as in a fire, from the temperatures that it tells. Pure.

As rate-of-rise heat detectors judge it: 8.3 K (15 °F) within a minute (UL 521), or a static 54 °C
(EN 54-5, class A1). A value per minute or less is enough; of slower ones the rate counts. Where it
was as hot ten minutes before it is the sun on a roof: only what rises counts there.

A rise begins at a value that another one beside it confirms: a single cold one among warm ones (a
sensor that starts, a bus that fails) is no air that was cold, and what follows it has not risen. A
single hot one counts at once: that a fire is told late would be worse. So does a rise from a first
value that nothing confirms, to what nobody lives in: a restart may be followed by a fire.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

RISE_K: Final = 8.3
STATIC_C: Final = 54.0
LIVED_IN_C: Final = 40.0
"""Hotter is no room that a sensor which starts was cold in."""
_LOOKED_BACK_S: Final = 600.0
_MINUTE_S: Final = 60.0
_MOST: Final = 128
PLAUSIBLE_C: Final = (-40.0, 150.0)


class Warming:
    """One alarm's last minutes. Not kept over a restart: ten minutes later it knows as much."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_MOST)
        self._before_c: float | None = None
        """The newest value that is older than what is looked back at."""

    def is_hot(self, celsius: float, moment: float) -> bool:
        """Take one value; ``moment`` is monotonic, seconds."""
        if not PLAUSIBLE_C[0] <= celsius <= PLAUSIBLE_C[1]:
            return False
        while self._seen and moment - self._seen[0][0] > _LOOKED_BACK_S:
            self._before_c = self._seen.popleft()[1]
        rises = any(
            celsius - before >= RISE_K * max(1.0, (moment - at) / _MINUTE_S)
            for at, before in self._confirmed(celsius)
        )
        self._seen.append((moment, celsius))
        usual = self._before_c is not None and self._before_c >= STATIC_C
        return rises or (celsius >= STATIC_C and not usual)

    def _confirmed(self, now_c: float) -> Iterator[tuple[float, float]]:
        """Values of the last minutes that the one before or the one after agrees with: not colder
        than both by as much as a rise is. The very first one as well, where it is hot now."""
        values = list(self._seen)
        for index, (at, celsius) in enumerate(values):
            before = values[index - 1][1] if index else self._before_c
            after = values[index + 1][1] if index + 1 < len(values) else None
            beside = [one for one in (before, after) if one is not None]
            first = index == 0 and self._before_c is None and now_c >= LIVED_IN_C
            if first or any(one - celsius < RISE_K for one in beside):
                yield at, celsius
