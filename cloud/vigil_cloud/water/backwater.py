"""How much slower water comes to the end of a reach than it runs on its mean. Pure.

The depth changes along a channel by what its bed falls more than friction takes:
``dh/dx = (S0 - Sf) / (1 - Fr2)`` (Chow, *Open-Channel Hydraulics*, 1959, chapter 9). Friction is
Manning's. Of a section only its area is registered; a channel that is two to five times as wide as
it is deep has a hydraulic radius of 0.34 roots of its area, within 5 %, and so a depth.
"""

from __future__ import annotations

from math import hypot, sqrt
from typing import Final, NamedTuple

from vigil_cloud.water.channels import Reach

_GRAVITY: Final = 9.81
_MANNING: Final = 0.028
"""Of canals of concrete, earth and weeds: 0.02 to 0.035 s/m^(1/3)."""
_ROUGHNESS: Final = 0.15
"""Standard deviation of its logarithm."""
_RADIUS: Final = 0.34
_DEPTH: Final = 0.58
"""Roots of the area: of a section three times as wide as deep."""
_SHAPE: Final = 0.3
"""Of the change itself: the depth, and a course that is no straight line."""
_LEAST: Final = 0.05
_RAPID: Final = 0.6
"""Square of the Froude number from which on the formula says little."""


class Uneven(NamedTuple):
    """A share of the mean slowness: above 0 the reach is slower at its end, and as much faster at
    its beginning."""

    share: float
    sd: float


def uneven(reach: Reach, within: float) -> Uneven:
    """``within``: the share by which velocities may be off, and change along a reach, where nothing
    more is known of it than its mean."""
    depth = _DEPTH * sqrt(reach.area_m2)
    froude = reach.velocity_m_s**2 / (_GRAVITY * depth)
    if reach.slope is None or froude > _RAPID:
        return Uneven(0.0, within)
    radius = _RADIUS * sqrt(reach.area_m2)
    friction = (reach.velocity_m_s * _MANNING) ** 2 / radius ** (4 / 3)
    half = reach.length_m / 2 / depth / (1 - froude)
    deeper = (reach.slope - friction) * half
    off = 2 * hypot(_ROUGHNESS, within * sqrt(2 / 3)) * friction * half
    variance = _LEAST**2 + (_SHAPE * deeper) ** 2 + off**2
    weight = within**2 / (within**2 + variance)
    return Uneven(weight * deeper, sqrt(weight * variance))
