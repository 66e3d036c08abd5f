"""How many vetoed passages are kept as evidence: some of each day, spread over it. Pure.

A wrong veto can only be found where somebody can listen to what was vetoed; but a siren an hour
must not fill the gateway, and what founds no case should not leave the street in masses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

DAY_S: Final = 86_400.0
BURST: Final = 3.0


@dataclass(slots=True)
class Allowance:
    """At most ``a_day`` in the long run and ``BURST`` at once; 0: none."""

    a_day: int
    _left: float = field(init=False)
    _at_s: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._left = min(BURST, self.a_day)

    def take(self, now_s: float) -> bool:
        """Whether one more may be kept now; then it counts. ``now_s``: monotonic."""
        if self._at_s is not None:
            earned = (now_s - self._at_s) * self.a_day / DAY_S
            self._left = min(BURST, self.a_day, self._left + earned)
        self._at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
