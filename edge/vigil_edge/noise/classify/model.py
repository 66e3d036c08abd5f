"""The classifier: a few small networks of one hidden layer, evaluated with numpy alone.

Trained by ``tests/training/noise_classifier.py``; how, on what and how well is in the model
card, docs/noise-classifier.md.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FILE: Final = "model.npz"
FARTHEST: Final = 4.0
"""Standard deviations: beyond what was trained on, a figure says no more than this."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a stretch of sound is."""

    kind: str
    score: float
    """The chance that it is this, 0 to 1."""
    vehicle: float
    """The chance that it is a vehicle's driving noise."""
    vetoed: bool
    """Surely no vehicle: the chance is below what all but few vehicles reach."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """Weights of the networks and the threshold of the veto."""

    kinds: tuple[str, ...]
    mean: Array
    deviation: Array
    first: Array
    """(networks, features + 1, hidden); the last row is the bias."""
    second: Array
    """(networks, hidden + 1, kinds)."""
    threshold: float
    name: str = ""
    """Which model it is: a part of its file's digest."""

    def judge(self, features: Array) -> Verdict:
        """The class of one vector."""
        chances = self.chances(features[np.newaxis])[0]
        best = int(chances.argmax())
        vehicle = float(chances[self.kinds.index("vehicle")])
        return Verdict(self.kinds[best], float(chances[best]), vehicle, vehicle < self.threshold)

    def chances(self, features: Array) -> Array:
        """Of each class, (n, kinds), for vectors (n, features)."""
        x = np.clip((features - self.mean) / self.deviation, -FARTHEST, FARTHEST)
        total = np.zeros((len(x), len(self.kinds)))
        for first, second in zip(self.first, self.second, strict=True):
            hidden = np.tanh(x @ first[:-1] + first[-1])
            total += hidden @ second[:-1] + second[-1]
        total /= len(self.first)
        chances = np.exp(total - total.max(axis=1, keepdims=True))
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))


@cache
def shipped() -> Classifier:
    """The one that lies in the package."""
    content = resources.files("vigil_edge.noise.classify").joinpath(_FILE).read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return Classifier(
            kinds=tuple(str(each) for each in stored["kinds"]),
            mean=stored["mean"].astype(np.float64),
            deviation=stored["deviation"].astype(np.float64),
            first=stored["first"].astype(np.float64),
            second=stored["second"].astype(np.float64),
            threshold=float(stored["threshold"]),
            name=f"sha256:{hashlib.sha256(content).hexdigest()[:16]}",
        )
