"""A city's clock that is set, beside one that nobody sets."""

from __future__ import annotations

from datetime import timedelta

from cloud_city import City
from vigil_cloud.jobs.clock import ClockWatch


class Clocks:
    """The city's wall clock, and one that nobody sets."""

    def __init__(self, city: City) -> None:
        self.city, self.elapsed = city, 0.0
        self.watch = self.started_anew()

    def started_anew(self) -> ClockWatch:
        watch = ClockWatch(self.city.services, lambda: self.elapsed)
        watch.look()
        return watch

    def later(self, seconds: float) -> None:
        self.elapsed += seconds
        self.city.later(seconds=seconds)
        self.watch.look()

    def set(self, step: timedelta) -> timedelta | None:
        """The clock is set; a second later the process looks at it."""
        self.elapsed += 1
        self.city.time += step + timedelta(seconds=1)
        return self.watch.look()
