"""Light and shadow that vehicles bring: glowing lamps, beams on the road, dark under the body."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vigil_sim.noise.view import View

Array = NDArray[np.float64]
_NEAREST_GROUND_M = 2.5


@lru_cache(maxsize=64)
def _disc(size: int) -> NDArray[np.float32]:
    u = np.linspace(-1, 1, size, dtype=np.float32)
    square = u[np.newaxis, :] ** 2 + u[:, np.newaxis] ** 2
    return np.asarray(np.exp(-square * 7.0) * (square < 1), dtype=np.float32)


def glow(
    image: NDArray[np.uint8], view: View, at: Array, radius_m: float, colour: tuple[int, int, int]
) -> None:
    """Add a soft light around a point; lamps far away stay a few pixels wide."""
    depth = float(view.depth(at)[0])
    if depth < 1.0:
        return
    u, v = view.project(at)[0]
    size = int(np.clip(2 * radius_m * view.focal / depth, 7, view.width // 2)) | 1
    left, top = round(u) - size // 2, round(v) - size // 2
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + size, image.shape[1]), min(top + size, image.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    disc = _disc(size)[y0 - top : y1 - top, x0 - left : x1 - left, np.newaxis]
    region = image[y0:y1, x0:x1]
    added = (disc * np.array(colour, dtype=np.float32)).astype(np.uint8)
    region[:] = cv2.add(region, added)


@lru_cache(maxsize=1)
def _beam_pattern() -> NDArray[np.float32]:
    """Light of a dipped beam over the ground: columns across, rows from near to far."""
    across = np.linspace(-1, 1, 96, dtype=np.float32)[np.newaxis, :]
    along = np.linspace(0, 1, 160, dtype=np.float32)[:, np.newaxis]
    rise = np.clip(along / 0.12, 0, 1) ** 1.5
    width = 0.22 + 0.6 * along
    pattern = rise * np.exp(-3.0 * along) * np.exp(-((across / width) ** 2) * 1.6)
    pattern *= np.clip((1 - np.abs(across)) / 0.2, 0, 1) * np.clip((1 - along) / 0.2, 0, 1)
    return np.asarray(pattern, dtype=np.float32)


def beam(  # noqa: PLR0913 - the shape of a beam, by name
    image: NDArray[np.uint8],
    view: View,
    front_x: float,
    y: float,
    heading: int,
    *,
    strength: float,
    half_width: float = 2.4,
    reach_m: float = 22.0,
) -> None:
    """Add the head lamps' light on the road before a vehicle's front."""
    pattern = _beam_pattern()
    near, far = front_x, front_x + heading * reach_m
    low, high = min(near, far), max(near, far)
    cut = max(low, _NEAREST_GROUND_M)
    if high - cut < 0.5:
        return
    rows = pattern.shape[0]
    if cut > low:
        keep = round(rows * (high - cut) / reach_m)
        pattern = pattern[:keep] if heading < 0 else pattern[rows - keep :]
    start, stop = (cut, high) if heading > 0 else (high, cut)
    quad = np.array(
        [
            [start, y + half_width, 0.0],
            [start, y - half_width, 0.0],
            [stop, y - half_width, 0.0],
            [stop, y + half_width, 0.0],
        ]
    )
    pixels = view.project(quad)
    top = max(int(pixels[:, 1].min()), 0)
    bottom = min(int(pixels[:, 1].max()) + 1, image.shape[0])
    if bottom - top < 2:
        return
    height, width = pattern.shape
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    moved = (pixels - np.array([0, top])).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(source, moved)
    light = cv2.warpPerspective(pattern, matrix, (image.shape[1], bottom - top))
    region = image[top:bottom]
    lit = light[..., np.newaxis] * (150.0 * strength) * np.array([0.82, 0.95, 1.0], np.float32)
    region[:] = cv2.add(region, lit.astype(np.uint8))


def shadow(
    image: NDArray[np.uint8], view: View, x: float, y: float, half_length: float, half_width: float
) -> None:
    """Darken the road under a vehicle."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(24)], axis=1)
    for grow, keep in ((1.25, 0.88), (1.1, 0.84), (0.95, 0.8), (0.8, 0.8)):
        size = np.array([half_length, half_width, 0.0]) * grow
        pixels = view.polygon(np.array([x, y, 0.0]) + ring * size)
        if pixels is None:
            continue
        outline = np.round(np.clip(pixels, -8000, 8000)).astype(np.int32)
        low = np.clip(outline.min(axis=0), 0, [image.shape[1], image.shape[0]])
        high = np.clip(outline.max(axis=0) + 1, 0, [image.shape[1], image.shape[0]])
        if (high - low).min() < 1:
            continue
        mask = np.zeros((int(high[1] - low[1]), int(high[0] - low[0])), dtype=np.float32)
        cv2.fillPoly(mask, [outline - low.astype(np.int32)], 1.0 - keep, cv2.LINE_AA)
        region = image[low[1] : high[1], low[0] : high[0]]
        region[:] = (region * (1.0 - mask[..., np.newaxis])).astype(np.uint8)
