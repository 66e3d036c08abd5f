"""From a picture to the road and back: where what stands on a pixel's place is, seen from the
array. Pure.

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
        forward, right, down = self._axes()
        across = (pixels[:, 0] - self.width / 2) / self._focal
        below = (pixels[:, 1] - self.height / 2) / self._focal
        rays = forward + across[:, None] * right + below[:, None] * down
        lens = np.asarray(self.settings.position)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = (self.settings.road_z - lens[2]) / rays[:, 2]
        far = np.where((rays[:, 2] < 0) & (far > 0), far, np.nan)
        return np.asarray(lens + far[:, None] * rays)

    def seen(self, points: Array) -> Array:
        """Pixels (n, 2) that show points (n, 3), also beyond the picture's edge; NaN behind the
        lens."""
        forward, right, down = self._axes()
        way = points - np.asarray(self.settings.position)
        ahead = way @ forward
        ahead = np.where(ahead > 0, ahead, np.nan)
        across, below = (way @ right) / ahead, (way @ down) / ahead
        return np.stack(
            [self.width / 2 + self._focal * across, self.height / 2 + self._focal * below], axis=1
        )

    @property
    def _focal(self) -> float:
        """In pixels."""
        return self.width / 2 / math.tan(math.radians(self.settings.field) / 2)

    def _axes(self) -> tuple[Array, Array, Array]:
        """Forward, right and down, each (3,), of length 1."""
        azimuth, pitch = math.radians(self.settings.azimuth), math.radians(self.settings.pitch)
        forward = np.array(
            [
                math.cos(azimuth) * math.cos(pitch),
                math.sin(azimuth) * math.cos(pitch),
                -math.sin(pitch),
            ]
        )
        right = np.array([math.sin(azimuth), -math.cos(azimuth), 0.0])
        return forward, right, np.cross(forward, right)
