"""From what the cloud has stored to figures with their uncertainty. Pure."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy.stats import beta

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of ours. ``low`` and ``high``: its 95 % interval; ``None`` where nothing of the
    kind happened."""

    key: str
    value: float | None
    low: float | None
    high: float | None
    count: int
    """Units that it was counted over."""
    method: str
    """How the interval was made: ``clopper-pearson`` or ``bootstrap``."""
    basis: str
    basis_zh: str
    """Where it was read."""


def share(key: str, hits: int, of: int, basis: str, basis_zh: str) -> Figure:
    """A proportion with its Clopper-Pearson interval (exact, never too narrow)."""
    if not of:
        return Figure(key, None, None, None, 0, "clopper-pearson", basis, basis_zh)
    low, high = clopper_pearson(hits, of)
    return Figure(key, hits / of, low, high, of, "clopper-pearson", basis, basis_zh)


def clopper_pearson(hits: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Of a binomial proportion. Raises ``ValueError`` for more hits than units."""
    if not 0 <= hits <= of or of < 1:
        raise ValueError(f"{hits} of {of}")
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def mean(key: str, values: Sequence[float], seed: int, basis: str, basis_zh: str) -> Figure:
    """A mean with its bootstrap interval over the units (percentiles)."""
    if not values:
        return Figure(key, None, None, None, 0, "bootstrap", basis, basis_zh)
    low, high = bootstrap(values, seed)
    found = statistics.fmean(values)
    return Figure(key, found, low, high, len(values), "bootstrap", basis, basis_zh)


def bootstrap(values: Sequence[float], seed: int) -> tuple[float, float]:
    """Percentile interval of the mean."""
    draw = random.Random(seed)
    means = sorted(statistics.fmean(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    cut = int((1 - CONFIDENCE) / 2 * RESAMPLES)
    return means[cut], means[-1 - cut]
