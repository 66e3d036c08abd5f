"""Distances on the ground. Pure."""

from __future__ import annotations

import math
from typing import Final

EARTH_M: Final = 6_371_008.8
"""Mean radius (IUGG)."""


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Along the great circle, of two latitudes and longitudes in degrees (haversine)."""
    (lat1, lon1), (lat2, lon2) = one, other
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half = (
        math.sin((phi2 - phi1) / 2) ** 2
        + math.cos(phi1) * math.cos(phi2) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))
