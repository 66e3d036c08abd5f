"""How well the moment of a picture is known: by how much it may have been taken earlier or later
than is said. Pure.

A picture arrives after it was taken, and of a live stream at most so much later; that bounds what a
camera's own clock says as well as an arrival. Only a delay that was measured against the sound
(``noise align``) says more: by it a camera's clock is watched, too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

FARTHEST_S: Final = 2.0
"""Between a picture's moment and its arrival, also where it was held up on its way."""
LATEST_S: Final = 1.0
"""The same of the least delayed pictures of a camera that says when it took them: 14 m at 50 km/h,
and another vehicle is there."""
SOUND_LATE_S: Final = 0.2
"""So late the sound beside the pictures may be dated, where nobody measured both together: the
pictures are late by as much less."""
STEP_S: Final = 0.1
"""Between moments that are tried: in it nobody drives out of their outline."""
MOST_HELD_UP_S: Final = 6.0
"""After a longer silence a camera is called anew."""
_KEPT: Final = 100
_LEAST_GAPS: Final = 10
_UNUSUAL: Final = 4.0
"""Times the usual gap between two pictures, or less than the usual one by as much."""
_LONG: Final = 1.8
"""Times the usual gap: a longer one is no measure of it. The connection stood still, or the camera
left pictures out."""
_FORGOTTEN: Final = 0.05
"""Of the usual gap, with each picture: what came late is forgotten within half a minute where the
camera left out what it could not send."""


@dataclass(frozen=True, slots=True)
class Known:
    """A picture was taken at the moment that is said, or at most so much before or after it."""

    earlier_s: float
    later_s: float

    @property
    def within_s(self) -> float:
        """The larger of both."""
        return max(self.earlier_s, self.later_s)

    def moved(self) -> list[float]:
        """By how much earlier (positive) than is said all pictures may have been taken: moments to
        be tried, none among them."""
        return _tried(-self.later_s, self.earlier_s)

    def beside(self, other: Known) -> list[float]:
        """By how much later these pictures may be dated than those of another camera: to be
        tried, none among them."""
        return _tried(-self.later_s - other.earlier_s, self.earlier_s + other.later_s)


UNKNOWN: Final = Known(FARTHEST_S, FARTHEST_S)
"""Where nobody said anything."""


def worst(each: Iterable[Known]) -> Known:
    """Of several pictures; of none it is not known."""
    found = list(each)
    if not found:
        return UNKNOWN
    return Known(max(one.earlier_s for one in found), max(one.later_s for one in found))


def by_own_clock(offset_s: float | None, delay_s: float | None, within_s: float) -> Known:
    """Of a picture that its camera dated.

    ``offset_s``: from that moment to the arrival, of the least delayed pictures. ``delay_s``: what
    it was measured to be, to ``within_s``.
    """
    if offset_s is None:
        return UNKNOWN
    if delay_s is None:
        # Taken before it arrived, and no longer before than any picture is.
        return Known(max(0.0, LATEST_S - offset_s), max(0.0, offset_s) + SOUND_LATE_S)
    behind_s = offset_s - delay_s
    return Known(within_s + max(0.0, -behind_s), within_s + max(0.0, behind_s))


def by_arrival(
    delay_s: float | None, within_s: float, held_up_s: float, disbelieved_s: float | None
) -> Known:
    """Of a picture that is dated by its arrival, less ``delay_s`` where that was measured to
    ``within_s``.

    ``held_up_s``: so much later than others it may have come. ``disbelieved_s``: arrival less the
    moment that the camera said and that was not believed; it may be right all the same, where what
    is on its way takes longer or shorter than it was measured to.
    """
    if delay_s is None:
        return Known(max(FARTHEST_S, LATEST_S + held_up_s), SOUND_LATE_S)
    beyond_s = 0.0 if disbelieved_s is None else disbelieved_s - delay_s
    if abs(beyond_s) > FARTHEST_S:  # that clock is wrong
        beyond_s = 0.0
    return Known(within_s + max(held_up_s, beyond_s), within_s + max(0.0, -beyond_s))


@dataclass(slots=True)
class Arrivals:
    """How much later than usual a picture may have come, of a stream that counts no time; told of
    every picture."""

    _gaps: deque[float] = field(init=False)
    """Between pictures, but for those that were held up and came together."""
    _unusual: int = field(init=False, default=0)
    """Gaps since the last usual one."""
    _last_s: float | None = field(init=False, default=None)
    _held_up_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._gaps = deque(maxlen=_KEPT)

    def held_up(self, now_s: float) -> float:
        """Of the picture that is here at ``now_s``, seconds. Before it is known how often pictures
        come, as much as the least delayed ones do."""
        last_s, self._last_s = self._last_s, now_s
        if last_s is None or now_s < last_s:
            return max(LATEST_S, self._held_up_s)
        gap_s = now_s - last_s
        of = len(self._gaps)
        usual_s = fmean(self._gaps) if of >= _LEAST_GAPS else None
        steady = usual_s is None or usual_s / _UNUSUAL <= gap_s <= usual_s * _UNUSUAL
        like_others = usual_s is None or (steady and gap_s <= _LONG * usual_s)
        if like_others:
            self._gaps.append(gap_s)
        self._unusual = 0 if like_others else self._unusual + 1
        if self._unusual >= _KEPT:  # the camera sends another number of pictures now
            self._gaps.clear()
        if usual_s is None:
            return max(LATEST_S, self._held_up_s)
        if not steady and gap_s < usual_s:
            # What was held up comes at once, each nearer to its moment than the one before. The
            # usual gap was taken between two pictures that may themselves have come late, by less
            # than a gap: dozens of them add that up.
            usual_s -= usual_s / of
        beyond_s = gap_s - usual_s - (_FORGOTTEN * usual_s if steady else 0.0)
        self._held_up_s = min(MOST_HELD_UP_S, max(0.0, self._held_up_s + beyond_s))
        return self._held_up_s


def _tried(first_s: float, last_s: float) -> list[float]:
    return [*_steps(-min(0.0, first_s), -1.0), 0.0, *_steps(max(0.0, last_s), 1.0)]


def _steps(far_s: float, sign: float) -> Iterator[float]:
    """From near to far, the end among them."""
    count = math.ceil(far_s / STEP_S - 1e-9)
    yield from (sign * far_s * number / count for number in range(1, count + 1))
