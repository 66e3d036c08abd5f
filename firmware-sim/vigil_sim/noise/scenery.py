"""The street at night without vehicles, ray-cast once per camera: road, houses, lamps, sky.

Colours are linear light (blue, green, red) until the very end, so that lamp
pools and bloom add up as light does.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vigil_sim.noise.signs import draw_signs
from vigil_sim.noise.surfaces import (
    FAR_END_X,
    LAMP_HEIGHT,
    LAMPS,
    SIDE_STREET,
    distant,
    facade,
    lamp_light,
    road,
    sky,
)
from vigil_sim.noise.view import View

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
LEFT_FACADE_Y = 12.2
RIGHT_FACADE_Y = -4.2
_LAMP_LIGHT = np.array([0.42, 0.72, 1.0], dtype=np.float32)
_HAZE = np.array([0.060, 0.042, 0.040], dtype=np.float32)
_FARTHEST_M = 400.0
_TALLEST_M = 30.0


class _Cast:
    """Rays through every pixel; what they hit is painted where nothing nearer is."""

    def __init__(self, view: View) -> None:
        rays = view.rays()
        self.image = sky(rays)
        self._rays = rays.reshape(-1, 3)
        self._pixels = self.image.reshape(-1, 3)
        self._nearest = np.full(len(self._rays), np.inf)
        self._camera = np.asarray(view.position)

    def plane(self, axis: int, at: float) -> tuple[NDArray[np.int64], Array]:
        """Pixels (n,) whose rays reach the plane of a coordinate, and the points there (n, 3)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (at - self._camera[axis]) / self._rays[:, axis]
        t = np.nan_to_num(t, nan=-1.0, posinf=-1.0, neginf=-1.0)
        # Nothing stands below the ground, or higher than the tallest house.
        z = self._camera[2] + t * self._rays[:, 2]
        hit = (t > 0) & (t < _FARTHEST_M) & (t < self._nearest)
        index = np.flatnonzero(hit & (z > -0.01) & (z < _TALLEST_M))
        points = self._camera + t[index, np.newaxis] * self._rays[index]
        return index, points.astype(np.float32)

    def paint(self, index: NDArray[np.int64], points: Array, light: Array, there: Mask) -> None:
        """Light (n, 3) from points (n, 3) into pixels (n,), where there is something."""
        index, points = index[there], points[there]
        metres = np.linalg.norm(points - self._camera, axis=1)
        clear = np.exp(-metres / 190.0)[:, np.newaxis]
        self._pixels[index] = light[there] * clear + _HAZE * (1 - clear)
        # Rays have depth 1 along the optical axis; x is the longer part of their way.
        self._nearest[index] = (points[:, 0] - self._camera[0]) / self._rays[index, 0]


def street(view: View, seed: int) -> NDArray[np.uint8]:
    """The still picture, (height, width, 3) uint8, blue-green-red."""
    fine = view.scaled(2)
    cast = _Cast(fine)
    _houses_along(cast)
    _houses_at_the_crossing(cast)
    index, points = cast.plane(0, FAR_END_X)
    light, there = distant(points[:, 1], points[:, 2])
    cast.paint(index, points, light, there)
    _ground(cast, seed)
    draw_signs(cast.image, fine, LEFT_FACADE_Y, RIGHT_FACADE_Y, SIDE_STREET)
    _draw_lamps(cast.image, fine)
    return _develop(cast.image, view, seed)


def _houses_along(cast: _Cast) -> None:
    for side, plane in ((0, LEFT_FACADE_Y), (1, RIGHT_FACADE_Y)):
        index, points = cast.plane(1, plane)
        x, y, z = points.T
        colour, light, there = facade(x, z, side)
        lamps = lamp_light(x, y, z)[:, np.newaxis] * _LAMP_LIGHT
        there &= (x > 0) & (x < FAR_END_X)
        cast.paint(index, points, colour * lamps * np.float32(0.75) + light, there)


def _houses_at_the_crossing(cast: _Cast) -> None:
    """They show their side walls to the camera."""
    for side in (0, 1):
        index, points = cast.plane(0, SIDE_STREET[1] + 1.5)
        x, y, z = points.T
        aside = y - LEFT_FACADE_Y if side == 0 else RIGHT_FACADE_Y - y
        colour, light, there = facade(aside + 40.0, z, 2 + side)
        lamps = (0.4 + lamp_light(x - 4.0, y, z))[:, np.newaxis] * _LAMP_LIGHT
        lit = colour * lamps * np.float32(0.6) + light * np.float32(0.8)
        cast.paint(index, points, lit, there & (aside > 0))


def _ground(cast: _Cast, seed: int) -> None:
    index, points = cast.plane(2, 0.0)
    x, y, z = points.T
    light = road(x, y, seed) * lamp_light(x, y, z)[:, np.newaxis] * _LAMP_LIGHT
    # Shop fronts spill light over the pavements.
    spill = np.exp(-np.abs(y - LEFT_FACADE_Y) / 1.6) + np.exp(-np.abs(y - RIGHT_FACADE_Y) / 1.6)
    light += 0.05 * spill[:, np.newaxis] * np.array([0.8, 0.95, 1.0], dtype=np.float32)
    cast.paint(index, points, light, np.ones(len(index), dtype=bool))


def _draw_lamps(image: Array, view: View) -> None:
    """Poles, arms and glowing heads, far to near; and the signal at the crossing."""
    scale = view.width / 1280
    for x, y in sorted(LAMPS, reverse=True):
        reach = -1.8 if y > 0 else 1.8
        points = np.array([[x, y, 0.0], [x, y, LAMP_HEIGHT], [x, y + reach, LAMP_HEIGHT + 0.25]])
        if view.depth(points).min() < 1.0:
            continue
        pixels = view.project(points)
        thick = max(1, round(0.13 * view.focal / float(view.depth(points)[0])))
        line = np.round(pixels * 8).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(image, [line], False, (0.035, 0.034, 0.034), thick, cv2.LINE_AA, 3)
        size = 0.42 * view.focal / float(view.depth(points)[2])
        head = tuple(int(v) for v in np.round(pixels[2] * 8))
        cv2.ellipse(
            image,
            head,
            (int(size * 8), int(size * 2.4)),
            0,
            0,
            360,
            (2.2, 3.4, 4.4),
            -1,
            cv2.LINE_AA,
            3,
        )
    x, y = SIDE_STREET[1] + 2.0, -0.4
    arm = view.project(np.array([[x, y, 0.0], [x, y, 5.4], [x, y + 3.6, 5.5]]))
    line = np.round(arm * 8).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(
        image, [line], False, (0.05, 0.055, 0.05), max(1, round(4 * scale)), cv2.LINE_AA, 3
    )
    for index, colour in enumerate(((0.05, 0.05, 0.10), (0.04, 0.09, 0.10), (2.2, 3.0, 0.7))):
        centre = view.project(np.array([[x - 0.1, y + 2.9 - 0.42 * index + 0.42, 5.1]]))[0]
        radius = 0.19 * view.focal / float(view.depth(np.array([[x, y, 5.0]]))[0])
        at = tuple(int(v) for v in np.round(centre * 8))
        cv2.circle(image, at, int(radius * 1.35 * 8), (0.012, 0.012, 0.012), -1, cv2.LINE_AA, 3)
        cv2.circle(image, at, int(radius * 8), colour, -1, cv2.LINE_AA, 3)


def _develop(light: Array, view: View, seed: int) -> NDArray[np.uint8]:
    """Bloom, exposure, tone curve, vignette and grain; down to the camera's pixels."""
    clipped = np.minimum(light, 6.0).astype(np.float32)
    image = cv2.resize(clipped, (view.width, view.height), interpolation=cv2.INTER_AREA)
    bright = np.maximum(image - 0.5, 0)
    bloom = np.zeros_like(image)
    for share, part in ((0.20, 0.005), (0.14, 0.02), (0.08, 0.06)):
        bloom += share * cv2.GaussianBlur(bright, (0, 0), part * view.width)
    u = np.linspace(-1, 1, view.width)[np.newaxis, :]
    v = np.linspace(-1, 1, view.height)[:, np.newaxis]
    vignette = 1 - 0.30 * (u**2 + v**2) ** 1.2
    exposed = 1 - np.exp(-1.55 * np.maximum((image + bloom) * vignette[..., np.newaxis], 0))
    encoded = exposed ** (1 / 2.1) * 255
    grain = np.random.default_rng(seed).normal(0, 2.0, encoded.shape[:2])
    return np.clip(encoded + grain[..., np.newaxis], 0, 255).astype(np.uint8)
