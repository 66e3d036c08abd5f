"""A pinhole camera on the post: road coordinates to pixels, and pixels to rays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NEAR_M = 0.8
"""Nothing closer than this is drawn."""
PLATE_CAMERA = (0.0, -0.4, 2.4)
NEAR_LANE_MIDDLE_Y = 2.3
PLATE_HEIGHT_M = 0.6


@dataclass(frozen=True)
class View:
    """Where the camera hangs and how it looks; x along the road, y left, z up."""

    width: int
    height: int
    position: tuple[float, float, float] = (0.0, 0.0, 2.05)
    yaw_deg: float = 11.0
    """To the left of the road's direction."""
    pitch_deg: float = 5.9
    """Downwards."""
    field_deg: float = 32.0
    """Horizontal angle of view."""

    @property
    def focal(self) -> float:
        """In pixels."""
        return self.width / 2 / math.tan(math.radians(self.field_deg) / 2)

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """Forward, right and down as unit vectors."""
        yaw, pitch = math.radians(self.yaw_deg), math.radians(self.pitch_deg)
        forward = np.array(
            [math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), -math.sin(pitch)]
        )
        right = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
        return forward, right, np.cross(forward, right)

    @classmethod
    def on_plates(cls, width: int, height: int, distance_m: float, across_m: float) -> View:
        """Beside the other camera, on the near lane so far away; ``across_m`` wide there."""
        x, y, z = PLATE_CAMERA
        way = (distance_m - x, NEAR_LANE_MIDDLE_Y - y, PLATE_HEIGHT_M - z)
        along = math.hypot(way[0], way[1])
        yaw, pitch = math.atan2(way[1], way[0]), math.atan2(-way[2], along)
        field = 2 * math.atan(across_m / 2 / math.hypot(along, way[2]))
        turned = [math.degrees(angle) for angle in (yaw, pitch, field)]
        return cls(width, height, PLATE_CAMERA, *turned)

    def scaled(self, factor: int) -> View:
        """The same view with more pixels."""
        return View(
            self.width * factor,
            self.height * factor,
            self.position,
            self.yaw_deg,
            self.pitch_deg,
            self.field_deg,
        )

    def depth(self, points: Array) -> Array:
        """Distance along the optical axis, (n,), of points (n, 3)."""
        forward, _, _ = self.axes
        return np.asarray((np.atleast_2d(points) - np.asarray(self.position)) @ forward)

    def project(self, points: Array) -> Array:
        """Pixels (n, 2) of points (n, 3); what is behind the camera is drawn in to ``NEAR_M``."""
        forward, right, down = self.axes
        relative = np.atleast_2d(points) - np.asarray(self.position)
        depth = np.maximum(relative @ forward, NEAR_M)
        return np.stack(
            [
                self.width / 2 + self.focal * (relative @ right) / depth,
                self.height / 2 + self.focal * (relative @ down) / depth,
            ],
            axis=1,
        )

    def polygon(self, points: Array) -> Array | None:
        """Pixels (m, 2) of a plane polygon (n, 3), cut off where it comes behind the camera."""
        depth = self.depth(points)
        kept: list[Array] = []
        for index, point in enumerate(points):
            following = (index + 1) % len(points)
            if depth[index] >= NEAR_M:
                kept.append(point)
            if (depth[index] >= NEAR_M) != (depth[following] >= NEAR_M):
                part = (NEAR_M - depth[index]) / (depth[following] - depth[index])
                kept.append(point + part * (points[following] - point))
        return self.project(np.asarray(kept)) if len(kept) >= 3 else None

    def rays(self) -> Array:
        """Direction through each pixel's middle, (height, width, 3), depth component 1."""
        forward, right, down = self.axes
        u = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal
        v = (np.arange(self.height) + 0.5 - self.height / 2) / self.focal
        return np.asarray(
            forward + u[np.newaxis, :, np.newaxis] * right + v[:, np.newaxis, np.newaxis] * down
        )
