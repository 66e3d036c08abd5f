"""When a picture of a network camera was taken. Pure but for the relay that it asks.

Its stream counts the time exactly, in the camera's clock; the sender's reports tie that to the
camera's wall clock. Where there are none, the least delayed arrivals do, so that a stall moves no
picture; what is left is the camera's own delay, which ``noise align`` measures.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Final, NamedTuple, Protocol

from vigil_edge.noise.pictures.frame import Dated
from vigil_edge.noise.pictures.moments import LATEST_S
from vigil_edge.noise.pictures.rtcp import VIDEO_HZ
from vigil_edge.noise.sound.clock import SampleClock

SOONEST_S: Final = -0.05
"""Less between a picture's taking, by its camera's clock, and its arrival cannot be: the clock is
wrong."""
DELAY_WITHIN_S: Final = 0.2
"""So near to the delay that was measured, where one was."""
LEAST_PICTURES: Final = 12
"""Before so many the beginning of OpenCV's count is not known to a picture."""
_KEPT: Final = 100


class Moment(NamedTuple):
    """When a picture was taken, and by what that is known."""

    time_s: float
    """Seconds since 1970; 0 where nothing is known."""
    dated: Dated
    clock_off: bool = False
    offset_s: float | None = None
    """Arrival less the moment by the camera's clock, where it told one."""


def believed(offset_s: float, delay_s: float | None) -> bool:
    """Whether a camera's clock can be right whose least delayed pictures arrive so long after it
    says that they were taken. ``delay_s``: as it was measured. One that is believed may be wrong
    all the same: ``moments`` says by how much."""
    if delay_s is not None and abs(offset_s - delay_s) > DELAY_WITHIN_S:
        return False
    return SOONEST_S <= offset_s <= LATEST_S


class SenderTimes(Protocol):
    """What is read on the way of a stream's packets (``RtspRelay``)."""

    def wall_s(self, since_first_s: float) -> float | None:
        """When the picture nearest to this was taken, by the sender's wall clock; ``None`` before
        it told."""


@dataclass(slots=True)
class Dating:
    """Of one connection; told of every picture in the order in which they are shown."""

    sender: SenderTimes | None
    delay_s: float | None = None
    """From a picture's taking to its arrival, as it was measured."""
    _began: deque[float] = field(init=False)
    """What OpenCV's exact count leaves out at the beginning, as each picture says it, s."""
    _arrivals: SampleClock = field(init=False)
    _at_s: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._began = deque(maxlen=_KEPT)
        self._arrivals = SampleClock(VIDEO_HZ)

    def grabbed(self, exact_s: float, rough_s: float, now: datetime) -> None:
        """The next picture, here at ``now``: ``exact_s`` since OpenCV's beginning, ``rough_s``
        since the first packet, to half a picture."""
        self._began.append(rough_s - exact_s)
        if self._at_s == 0.0 < exact_s:
            # Those before came while OpenCV did not count yet: they arrived too early for 0.
            self._arrivals = SampleClock(VIDEO_HZ)
        self._at_s = exact_s
        self._arrivals.arrived(round(exact_s * VIDEO_HZ), now, may_step=True)

    def moment(self) -> Moment:
        """Of the picture grabbed last."""
        if self._at_s is None:
            return Moment(0.0, "arrival")
        arrived = self._arrivals.snapshot().at(round(self._at_s * VIDEO_HZ)).timestamp()
        wall_s = None
        if self.sender is not None and len(self._began) >= LEAST_PICTURES:
            wall_s = self.sender.wall_s(self._at_s + median(self._began))
        if wall_s is None:
            return Moment(arrived, "arrival")
        offset_s = arrived - wall_s
        if not believed(offset_s, self.delay_s):
            return Moment(arrived, "arrival", clock_off=True, offset_s=offset_s)
        return Moment(wall_s, "sender", offset_s=offset_s)
