"""How often a probe is read: more often around what happens. Pure."""

from __future__ import annotations


class Pacing:
    """``interval_s`` as a rule; ``fast_s`` while something stirs and for ``keep_s`` after, but for
    ``longest_s`` at most: a signal that stays doubtful must not empty a battery. After that it has
    to be calm once before it is read fast again. ``None``: always the same."""

    def __init__(
        self, interval_s: float, fast_s: float | None, keep_s: float, longest_s: float
    ) -> None:
        self._interval_s = interval_s
        self._fast_s = interval_s if fast_s is None else min(fast_s, interval_s)
        self._keep_s, self._longest_s = keep_s, longest_s
        self._since: float | None = None
        """Since when it is read fast."""
        self._until = 0.0
        self._tired = False

    def interval(self, now_s: float, *, stirred: bool) -> float:
        """Until the next reading. ``now_s``: of a clock for durations."""
        if not stirred and now_s >= self._until:
            self._since, self._tired = None, False
            return self._interval_s
        if stirred and not self._tired:
            self._until = now_s + self._keep_s
            self._since = now_s if self._since is None else self._since
        if self._tired or (self._since is not None and now_s - self._since >= self._longest_s):
            self._tired, self._since = True, None
            return self._interval_s
        return self._fast_s
