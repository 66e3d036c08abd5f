"""How far people with dementia are found from where they were last seen. Pure.

Koester's quantiles for dementia in urban terrain (Lost Person Behavior, International Search &
Rescue Incident Database): 0.2, 0.7, 2.0 and 7.8 miles for 25, 50, 75 and 95 %.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MILE_M: Final = 1609.344


class Ring(NamedTuple):
    """So many of those who were searched for were found within so far, metres."""

    share: float
    radius_m: float


URBAN: Final = tuple(
    Ring(share, miles * MILE_M)
    for share, miles in ((0.25, 0.2), (0.5, 0.7), (0.75, 2.0), (0.95, 7.8))
)

NEAREST_M: Final = 50.0
NEAREST_SHARE: Final = 0.1
"""About a tenth are found this near (MapScore's 376 cases), which the rings alone would miss."""
_LAST_FACTOR: Final = 1.6
"""The outermost 5 %: so many times as far as the ring of 95 %."""


def density(distance_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability a square metre at so far from where somebody was last seen; even within a
    ring."""
    import numpy as np  # not loaded by whoever asks for the rings alone: the API

    edges = [(0.0, 0.0), (NEAREST_SHARE, NEAREST_M), *((one.share, one.radius_m) for one in URBAN)]
    edges.append((1.0, URBAN[-1].radius_m * _LAST_FACTOR))
    found = np.zeros_like(distance_m)
    for (less, inner), (more, outer) in pairwise(edges):
        inside = (distance_m >= inner) & (distance_m < outer)
        found[inside] = (more - less) / (np.pi * (outer**2 - inner**2))
    return found
