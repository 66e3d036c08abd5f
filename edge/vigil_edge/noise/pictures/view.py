"""From a picture to the road: where what stands on a pixel's place is, seen from the array. Pure.

A pinhole camera over a plane road. Coordinates are those of ``[noise.array]``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.pictures.settings import ViewSettings

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """One camera's, for pictures of one size."""

    settings: ViewSettings
    width: int
    height: int

    def on_road(self, pixels: Array) -> Array:
        """Points (n, 3) of the road that pixels (n, 2) show; NaN above the horizon."""
        azimuth, pitch = math.radians(self.settings.azimuth), math.radians(self.settings.pitch)
        forward = np.array(
            [
                math.cos(azimuth) * math.cos(pitch),
                math.sin(azimuth) * math.cos(pitch),
                -math.sin(pitch),
            ]
        )
        right = np.array([math.sin(azimuth), -math.cos(azimuth), 0.0])
        down = np.cross(forward, right)
        focal = self.width / 2 / math.tan(math.radians(self.settings.field) / 2)
        across = (pixels[:, 0] - self.width / 2) / focal
        below = (pixels[:, 1] - self.height / 2) / focal
        rays = forward + across[:, None] * right + below[:, None] * down
        lens = np.asarray(self.settings.position)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = (self.settings.road_z - lens[2]) / rays[:, 2]
        far = np.where((rays[:, 2] < 0) & (far > 0), far, np.nan)
        return np.asarray(lens + far[:, None] * rays)
