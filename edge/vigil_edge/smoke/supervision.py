"""How often an alarm speaks when nothing happens, and for how long its silence is no loss. Pure.

BS 5839 and EN 54-25 have a lost radio link shown within two hours; an alarm that speaks less often
than hourly is given two of its own intervals. Its interval is learned: of each hour or more of
hearing it, the longest gap counts, and of the last few the second longest, so that neither a burst
of messages nor one night without the gateway moves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SHOWN_WITHIN_S: Final = 7_190.0
"""Two hours, less the time until the next look."""
HOURLY_S: Final = 3_780.0
"""With its jitter: what speaks so often is shown within two hours."""
_SPELL_S: Final = 3_600.0
_KEPT: Final = 6
_LEARNED: Final = 3


@dataclass(slots=True)
class Rhythm:
    """What is known of one alarm's supervision messages, seconds."""

    gaps: list[float] = field(default_factory=list)
    """The longest gap of each of the last few spells."""
    spell_s: float = 0.0
    longest_s: float = 0.0
    """Of the spell that goes on."""

    def heard(self, after_s: float) -> None:
        """It spoke again, ``after_s`` after it did before."""
        if after_s <= 0:
            return
        self.spell_s += after_s
        self.longest_s = max(self.longest_s, after_s)
        if self.spell_s >= _SPELL_S:
            self.gaps = [*self.gaps[1 - _KEPT :], self.longest_s]
            self.spell_s = self.longest_s = 0.0

    @property
    def interval_s(self) -> float | None:
        """``None`` while it is not learned."""
        return None if len(self.gaps) < _LEARNED else sorted(self.gaps)[-2]

    def patience_s(self, most_s: float) -> float:
        """So long it may be silent; never longer than ``most_s``."""
        interval_s = self.interval_s
        if interval_s is None:
            return most_s
        patience_s = SHOWN_WITHIN_S if interval_s <= HOURLY_S else 2 * interval_s
        return min(patience_s, most_s)

    def kept(self) -> list[float]:
        """For ``restored``; empty where nothing is known."""
        return [self.spell_s, self.longest_s, *self.gaps] if self.spell_s or self.gaps else []


def restored(state: Sequence[Any]) -> Rhythm:
    """From what ``Rhythm.kept`` gave."""
    if not state:
        return Rhythm()
    spell_s, longest_s, *gaps = state
    return Rhythm(list(gaps), spell_s, longest_s)
