"""A source moves smoothly: each bearing from its neighbours in time, as far as they agree.

A local quadratic through the bearings around each moment, by robust weighted least squares. How
far it reaches is decided by the bearings themselves: the widest reach helps against noise and
does harm where a vehicle passes close by, and both show in what the fit leaves over.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

REACHES: Final = (2, 3, 5, 8)
"""Frames to either side."""
FARTHEST: Final = max(REACHES)
_FLOOR_DEG: Final = 0.05
_HUBER: Final = 1.5


def smoothed(azimuth: Array, sigma: Array, answered: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Degrees and their standard errors, (n,), from single ones; NaN where not ``answered``.

    With too few neighbours a bearing stays as it was.
    """
    best, error = azimuth.copy(), sigma.copy()
    for reach in REACHES:
        offset, spread = _local(azimuth, sigma, answered, reach)
        better = answered & (spread < error)
        best[better] = (azimuth + offset)[better] % 360.0
        error[better] = spread[better]
    best[~answered] = np.nan
    error[~answered] = np.nan
    return best, error


def _local(
    azimuth: Array, sigma: Array, answered: npt.NDArray[np.bool_], reach: int
) -> tuple[Array, Array]:
    """Correction in the middle (n,), and its standard error as the residuals tell it."""
    count = len(azimuth)
    around = np.arange(count)[:, None] + np.arange(-reach, reach + 1)[None]
    inside = (around >= 0) & (around < count)
    around = np.clip(around, 0, count - 1)
    apart = (azimuth[around] - azimuth[:, None] + 180.0) % 360.0 - 180.0
    weight = (inside & answered[around]) / (sigma[around] ** 2 + _FLOOR_DEG**2)
    time = np.arange(-reach, reach + 1) / reach
    powers = np.stack([np.ones_like(time), time, time**2], axis=1)
    robust = np.ones_like(weight)
    for _ in range(3):
        weighted = weight * robust
        normal = np.einsum("nk,ki,kj->nij", weighted, powers, powers) + 1e-9 * np.eye(3)
        right = np.einsum("nk,ki,nk->ni", weighted, powers, apart)
        inverse = np.linalg.inv(normal)
        fit = np.einsum("nij,nj->ni", inverse, right)
        left = apart - fit @ powers.T
        # In units of the single bearings' own errors; what outliers add is held back.
        used = (weighted > 0).sum(axis=1)
        scale = np.sqrt((weighted * left**2).sum(axis=1) / np.maximum(used - 3, 1))
        size = np.abs(left) * np.sqrt(weight) / np.maximum(scale, 0.2)[:, None]
        robust = np.minimum(1.0, _HUBER / np.maximum(size, 1e-9))
    error = np.sqrt(inverse[:, 0, 0]) * np.maximum(scale, 0.5)
    error[used < max(5, reach + 2)] = np.inf
    return fit[:, 0], error
