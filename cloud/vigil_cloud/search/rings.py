"""How far people with dementia are found from where they were last seen. Pure.

Koester's quantiles for dementia in urban terrain (Lost Person Behavior, International Search &
Rescue Incident Database): 0.2, 0.7, 2.0 and 7.8 miles for 25, 50, 75 and 95 %.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

MILE_M: Final = 1609.344
EARTH_M: Final = 6_371_008.8
"""Mean radius (IUGG)."""


class Ring(NamedTuple):
    """So many of those who were searched for were found within so far, metres."""

    share: float
    radius_m: float


URBAN: Final = tuple(
    Ring(share, miles * MILE_M)
    for share, miles in ((0.25, 0.2), (0.5, 0.7), (0.75, 2.0), (0.95, 7.8))
)


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Along the great circle, of two latitudes and longitudes in degrees (haversine)."""
    (lat1, lon1), (lat2, lon2) = one, other
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half = (
        math.sin((phi2 - phi1) / 2) ** 2
        + math.cos(phi1) * math.cos(phi2) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))
