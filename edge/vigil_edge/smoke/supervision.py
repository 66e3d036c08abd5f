"""How often an alarm speaks when nothing happens, and for how long its silence is no loss. Pure.

BS 5839 and EN 54-25 have a lost radio link shown within two hours; an alarm that speaks less often
than hourly is given two of its own intervals. Its interval is learned: of each hour or more of
hearing it, the longest gap counts, and of the last few the second longest, so that neither a burst
of messages nor one night without the gateway moves it.

What chatters is not supervised more often for it. What an alarm says because something happens
teaches nothing (``heard``'s caller leaves it out); an interval is learned in a few hours only where
the gaps agree, as those of a supervision message do; and one that is known is lengthened at once,
but shortened only by what was heard for a day and three of its intervals.
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
_DAY_S: Final = 86_400.0
_KEPT: Final = 6
_LEARNED: Final = 3
_AGREES: Final = 1.5
"""Gaps of supervision messages lie within so much of each other."""


@dataclass(slots=True)
class Rhythm:
    """What is known of one alarm's supervision messages, seconds."""

    gaps: list[tuple[float, bool]] = field(default_factory=list)
    """The longest gap of each of the last few spells, and whether those of the spell agreed."""
    spell_s: float = 0.0
    longest_s: float = 0.0
    spoke: int = 0
    """Of the spell that goes on: its length, its longest gap, and of how many."""
    interval_s: float | None = None
    """``None`` while it is not learned."""
    period_s: float = 0.0
    """For so long it was heard since the interval was found last."""
    period_gaps: list[float] = field(default_factory=list)
    """The two longest gaps of that time, the longest first."""

    def heard(self, after_s: float) -> None:
        """It spoke again, ``after_s`` after it did before, and nothing happens there."""
        if after_s <= 0:
            return
        self.spell_s += after_s
        self.longest_s = max(self.longest_s, after_s)
        self.spoke += 1
        if self.spell_s >= _SPELL_S:
            even = self.longest_s * self.spoke <= self.spell_s * _AGREES
            self.gaps = [*self.gaps[1 - _KEPT :], (self.longest_s, even)]
            self._learn(self.spell_s, self.longest_s)
            self.spell_s, self.longest_s, self.spoke = 0.0, 0.0, 0

    def patience_s(self, most_s: float) -> float:
        """So long it may be silent; never longer than ``most_s``."""
        if self.interval_s is None:
            return most_s
        patience_s = SHOWN_WITHIN_S if self.interval_s <= HOURLY_S else 2 * self.interval_s
        return min(patience_s, most_s)

    def _learn(self, spell_s: float, longest_s: float) -> None:
        """What a spell that has ended teaches."""
        self.period_s += spell_s
        self.period_gaps = sorted([*self.period_gaps, longest_s], reverse=True)[:2]
        lately = None if len(self.gaps) < _LEARNED else sorted(self.gaps)[-2][0]
        known = self.interval_s
        if known is None:
            if lately is not None and self._agree():
                self._take(lately)
            elif self.period_s >= _DAY_S:
                self._take(self.period_gaps[0])
        elif lately is not None and lately >= known:
            self._take(lately)
        elif self.period_s >= max(_DAY_S, 3 * known):
            self._take(self.period_gaps[-1])

    def _agree(self) -> bool:
        """All that were even, but for the longest of them: that may be a message that was lost."""
        even = sorted(longest for longest, even in self.gaps if even)
        return len(even) >= _LEARNED and even[-2] <= even[0] * _AGREES

    def _take(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self.period_s, self.period_gaps = 0.0, []

    def kept(self) -> list[Any]:
        """For ``restored``; empty where nothing is known."""
        if not self.spell_s and not self.gaps:
            return []
        period = [self.interval_s, self.period_s, self.period_gaps]
        return [self.spell_s, self.longest_s, self.spoke, period, *self.gaps]


def restored(state: Sequence[Any]) -> Rhythm:
    """From what ``Rhythm.kept`` gave. What an earlier release learned is learned anew: it believed
    chatter."""
    if len(state) < 4 or not isinstance(state[3], list):
        return Rhythm()
    spell_s, longest_s, spoke, period, *gaps = state
    return Rhythm([(longest, even) for longest, even in gaps], spell_s, longest_s, spoke, *period)
