"""When a battery will be empty, from the percentages that its alarm tells. Pure.

A low battery is to be warned of 30 days ahead (BS 5839), and many alarms say it at a few percent
only. The rate is that between the first and the newest of up to two months' daily values; a step
upwards is another battery. Where the rate says nothing, the device's own warning stands alone.
"""

from __future__ import annotations

from typing import Final

AHEAD_DAYS: Final = 33.0
"""Percentages are whole numbers, and told once a day at worst."""
HYSTERESIS: Final = 1.5
EMPTY_PERCENT: Final = 5.0
"""Alarms do not sound for long below."""
_DAY_US: Final = 86_400_000_000
_KEPT: Final = 60
_LEAST_DAYS: Final = 7.0
_LEAST_DROP: Final = 3.0
"""Percentages are coarse and wander with the temperature."""
_REPLACED: Final = 10.0

Track = list[tuple[int, float]]
"""Microseconds since 1970 and percent, one value a day, the oldest first."""


def noted(track: Track, at_us: int, percent: float) -> Track:
    """With one more value; anew after another battery, or a clock that was days ahead."""
    if track and (percent > _settled(track) + _REPLACED or at_us < track[-1][0] - _DAY_US):
        track = []
    if track and at_us - track[-1][0] < _DAY_US:
        return track
    return [*track[1 - _KEPT :], (at_us, percent)]


def days_left(track: Track, at_us: int, percent: float) -> float | None:
    """Until ``EMPTY_PERCENT``; ``None``: nothing can be said."""
    if not track:
        return None
    began_us, began = track[0]
    percent = max(percent, _settled(track))
    days, drop = (at_us - began_us) / _DAY_US, began - percent
    if days < _LEAST_DAYS or drop < _LEAST_DROP:
        return None
    return max(percent - EMPTY_PERCENT, 0.0) / (drop / days)


def _settled(track: Track) -> float:
    """The better of the last two days: one value that is off is no battery that runs out, and its
    end none that was replaced."""
    return max(percent for _, percent in track[-2:])
