"""From a belief on streets to probability on a raster: people leave the street. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter

from vigil_cloud.search.ground import Floats, Ground
from vigil_cloud.search.model import Belief
from vigil_cloud.search.regions import Raster

CELL_M: Final = 50.0
_SAMPLE_M: Final = 15.0
_OFF_STREET: Final = ((11.0, 0.5), (27.0, 0.35), (55.0, 0.15))
"""Gaussians (metres, share) that together have a median of about 15 m beside a street."""
_CERTAINTY: Final = 0.97
"""Exponent on the probabilities, set so that regions hold what they say of simulated people."""
_MARGIN_CELLS: Final = 2
"""Around the streets' box: who leaves the last street may be beyond it."""
_MOST_FINE_CELLS: Final = 1_500_000


def raster(ground: Ground, belief: Belief) -> Raster:
    """Cells of 25 m (50 m of a wide map) over the ground's box and a margin."""
    margin = _MARGIN_CELLS * CELL_M
    west, south = ground.box[0] - margin, ground.box[1] - margin
    east, north = ground.box[2] + margin, ground.box[3] + margin
    size = CELL_M / 2
    if (east - west) * (north - south) / size**2 > _MOST_FINE_CELLS:
        size = CELL_M
    cells = np.ceil(np.array([east - west, north - south]) / CELL_M).astype(int)
    columns, rows = np.maximum(cells, 1) * round(CELL_M / size)
    shape = (int(columns), int(rows))
    half = len(ground.begin) // 2
    links = belief.links[:half] + belief.links[half:]
    begin, end = ground.nodes[ground.begin[:half]], ground.nodes[ground.end[:half]]
    samples = max(1, int(np.ceil(np.median(ground.length_m) / _SAMPLE_M)))
    shares = (np.arange(samples)[:, None, None] + 0.5) / samples
    along = (begin + shares * (end - begin)).reshape(-1, 2)
    points = np.concatenate([along, ground.nodes])
    weights = np.concatenate([np.tile(links / samples, samples), belief.nodes])
    mass = _splat(shape, points, weights, (west, south), size)
    blurs: tuple[tuple[float, float], ...] = _OFF_STREET
    if not ground.streets:
        blurs = ((0.5 * float(np.median(ground.length_m)), 1.0),)
    blurred = sum(
        share * gaussian_filter(mass, sigma / size, mode="nearest", truncate=3)
        for sigma, share in blurs
    )
    calibrated = np.asarray(blurred) ** _CERTAINTY
    return Raster(calibrated / calibrated.sum(), west, south, size)


def _splat(
    shape: tuple[int, int],
    points: Floats,
    weights: Floats,
    corner: tuple[float, float],
    size: float,
) -> Floats:
    """Each weight on the four nearest cells, by how near they are."""
    at = (points - np.array(corner)) / size - 0.5
    base = np.floor(at).astype(np.int64)
    part = at - base
    mass = np.zeros(shape[0] * shape[1])
    for across in (0, 1):
        for up in (0, 1):
            share = np.abs(1 - across - part[:, 0]) * np.abs(1 - up - part[:, 1])
            column = np.clip(base[:, 0] + across, 0, shape[0] - 1)
            row = np.clip(base[:, 1] + up, 0, shape[1] - 1)
            mass += np.bincount(column * shape[1] + row, weights * share, minlength=len(mass))
    return mass.reshape(shape)
