"""How far people with dementia are found from where they were last seen. Pure.

Koester's quantiles for dementia in urban terrain (Lost Person Behavior, International Search &
Rescue Incident Database): 0.2, 0.7, 2.0 and 7.8 miles for 25, 50, 75 and 95 %.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MILE_M: Final = 1609.344


class Ring(NamedTuple):
    """So many of those who were searched for were found within so far, metres."""

    share: float
    radius_m: float


URBAN: Final = tuple(
    Ring(share, miles * MILE_M)
    for share, miles in ((0.25, 0.2), (0.5, 0.7), (0.75, 2.0), (0.95, 7.8))
)
