"""The timetable's clock: world seconds since the night began."""

from __future__ import annotations

import time


class CityClock:
    """World seconds since the night began; before it begins the world stands at 0."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._began: float | None = None

    def begin(self) -> None:
        """The night begins now."""
        self._began = time.monotonic()

    @property
    def began(self) -> bool:
        """Whether the night has begun."""
        return self._began is not None

    def world(self) -> float:
        """World seconds, on the timetable."""
        return 0.0 if self._began is None else (time.monotonic() - self._began) * self.speed

    def monotonic_at(self, world_s: float) -> float:
        """``time.monotonic()`` at a world time, once the night has begun."""
        if self._began is None:
            raise RuntimeError("the night has not begun")
        return self._began + world_s / self.speed
