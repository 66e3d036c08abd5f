"""A dry contact, debounced. Pure."""

from __future__ import annotations


class Contact:
    """A state counts once it has lasted; until then the one before it stands.

    ``state`` is ``None`` until the first one has lasted. Times are monotonic seconds.
    """

    def __init__(self, debounce_s: float, state: bool | None = None) -> None:
        self.state = state
        self._debounce_s = debounce_s
        self._candidate: bool | None = None
        self._since = 0.0

    def take(self, value: bool, t: float) -> bool:
        """One reading; whether the state is another one from now on."""
        if value == self.state:
            self._candidate = None
            return False
        if value != self._candidate:
            self._candidate, self._since = value, t
        if t - self._since < self._debounce_s:
            return False
        self.state, self._candidate = value, None
        return True
