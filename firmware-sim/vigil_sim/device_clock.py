"""What time it is for a simulated device: on its own clock, and in the scenario's timetable."""

from __future__ import annotations

import math
from collections.abc import Callable

from vigil_sim.faults import Faults


class DeviceClock:
    """Joins true time, the scenario's timetable and the device's faults.

    ``clock()`` is true Unix time in seconds. ``world_time()`` is the second of the
    timetable; where absent it runs ``speed`` times as fast as true time from ``begin``.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        world_time: Callable[[], float] | None,
        speed: float,
        faults: Faults,
    ) -> None:
        self._clock = clock
        self._world_time = world_time
        self.speed = speed
        """Seconds of the timetable per real second."""
        self._faults = faults
        self._began = clock()

    def begin(self) -> None:
        """The device is switched on now."""
        self._began = self._clock()

    def world(self) -> float:
        """The timetable's second now."""
        if self._world_time is not None:
            return self._world_time()
        return (self._clock() - self._began) * self.speed

    def world_at(self, moment: float) -> float:
        """The timetable's second at a true time that is just past."""
        if self._world_time is not None:
            return self._world_time() - (self._clock() - moment) * self.speed
        return (moment - self._began) * self.speed

    def true(self) -> float:
        """Unix time in seconds, without the device's error."""
        return self._clock()

    def microseconds(self) -> int:
        """The device's own idea of Unix time, µs."""
        return math.floor((self._clock() + self._faults.skew(self.world())) * 1e6)
