"""Shop signs that stand out from the houses, as in any Taiwanese street."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vigil_sim.noise.view import View

_COLOURS = (
    (0.10, 0.10, 0.85),
    (0.75, 0.25, 0.08),
    (0.12, 0.55, 0.08),
    (0.05, 0.62, 0.85),
    (0.80, 0.80, 0.80),
    (0.45, 0.08, 0.50),
)


def _lettering(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Strokes that read as characters from afar, (64·count, 64), 0..1."""
    image = np.zeros((64 * count, 64), dtype=np.float32)
    for index in range(count):
        top = 64 * index
        for _ in range(int(rng.integers(3, 5))):
            y = int(rng.integers(12, 54)) + top
            cv2.line(image, (int(rng.integers(8, 20)), y), (int(rng.integers(42, 56)), y), 1.0, 5)
        for _ in range(int(rng.integers(1, 4))):
            x = int(rng.integers(14, 50))
            cv2.line(
                image,
                (x, top + int(rng.integers(8, 24))),
                (x, top + int(rng.integers(38, 58))),
                1.0,
                5,
            )
        if rng.random() < 0.6:
            cv2.line(image, (32, top + 26), (int(rng.integers(6, 18)), top + 56), 1.0, 5)
            cv2.line(image, (34, top + 26), (int(rng.integers(46, 58)), top + 56), 1.0, 5)
    return image


def _board(
    rng: np.random.Generator, colour: tuple[float, float, float], count: int
) -> NDArray[np.float32]:
    ground = np.empty((64 * count + 16, 72, 3), dtype=np.float32)
    ground[:] = colour
    ink = np.array([0.05, 0.05, 0.6]) if min(colour) > 0.5 else np.array([0.9, 0.95, 1.0])
    letters = _lettering(rng, count)[..., np.newaxis]
    inner = ground[8:-8, 4:-4]
    inner[:] = inner * (1 - letters) + ink * letters
    cv2.rectangle(ground, (1, 1), (70, ground.shape[0] - 2), tuple(float(c) * 1.4 for c in ink), 2)
    return ground


def draw_signs(
    image: NDArray[np.float32],
    view: View,
    left_y: float,
    right_y: float,
    gap: tuple[float, float],
) -> None:
    """Paint the signs into a picture of linear light, far to near."""
    rng = np.random.default_rng(23)
    places = []
    for x in np.arange(6.0, 150.0, 3.4):
        for y, outwards in ((left_y, -1.0), (right_y, 1.0)):
            if gap[0] - 2 < x < gap[1] + 2 or rng.random() < 0.45:
                rng.random(4)
                continue
            reach, low = float(rng.uniform(0.8, 1.3)), float(rng.uniform(3.4, 6.0))
            places.append((float(x + rng.uniform(-1, 1)), y, outwards * reach, low))
    for x, y, reach, low in sorted(places, reverse=True):
        count = int(rng.integers(3, 6))
        colour = _COLOURS[int(rng.integers(len(_COLOURS)))]
        bright = float(rng.uniform(0.15, 0.75))
        board = _board(rng, colour, count) * bright * float(np.exp(-x / 170))
        high = low + abs(reach) * count * 0.95
        corners = np.array([[x, y, high], [x, y + reach, high], [x, y + reach, low], [x, y, low]])
        if reach > 0:
            corners = corners[[1, 0, 3, 2]]
        _paste(image, board, view.project(corners), float(view.depth(corners).min()))


def _paste(
    image: NDArray[np.float32], board: NDArray[np.float32], quad: NDArray[np.float64], depth: float
) -> None:
    low, high = np.floor(quad.min(axis=0)).astype(int), np.ceil(quad.max(axis=0)).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, [image.shape[1], image.shape[0]])
    size = high - low
    if depth < 1.0 or size.min() < 1:
        return
    shrink = max(1.0, board.shape[0] / max(float(np.ptp(quad[:, 1])), 1.0))
    small = cv2.resize(board, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    rows, columns = small.shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(source, (quad - low).astype(np.float32))
    warped = cv2.warpPerspective(small, matrix, (int(size[0]), int(size[1])))
    mask = np.zeros((int(size[1]), int(size[0])), dtype=np.float32)
    cv2.fillConvexPoly(mask, np.round((quad - low) * 16).astype(np.int32), 1.0, cv2.LINE_AA, 4)
    region = image[low[1] : high[1], low[0] : high[0]]
    region[:] = region * (1 - mask[..., np.newaxis]) + warped * mask[..., np.newaxis]
