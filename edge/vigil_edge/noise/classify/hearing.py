"""A sound heard twice: as it is, and without what rumbles below it.

Under 100 Hz a street is louder than above (engines that wait, far traffic, wind upon the
microphone's cover). A-weighting takes that away, and the made sounds of the training hold little of
it: a street's passages were taken for thunder and helicopters by it (ADR 135). A sound that is
surely of one class is still of that class without its lowest octaves.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from vigil_edge.noise.classify.features import RATE_HZ, features
from vigil_edge.noise.classify.model import Verdict, shipped

RUMBLE_HZ: Final = 100.0
LOW: Final = ("thunder", "helicopter")
"""What lives in a street's own octaves."""
SURELY: Final = 0.7
"""In the mean of both hearings: the chance of one of ``LOW``, or of all other classes that are no
vehicle together, from which on no reviewer is asked."""


def heard(sound: NDArray[np.float64]) -> Verdict:
    """A stretch of sound, (n,) at 22,050 Hz: the likeliest class in the mean of both hearings, and
    the higher of their chances of a vehicle. ``vetoed``: both are below the model's threshold, and
    it is surely something else. Raises ``ValueError`` for what is too short, and for silence."""
    steep = signal.butter(2, RUMBLE_HZ, "highpass", fs=RATE_HZ, output="sos")
    without = np.asarray(signal.sosfilt(steep, sound - sound.mean()))
    model = shipped()
    both = model.chances(np.array([features(sound), features(without)]))
    return judged(both, model.kinds, model.threshold)


def judged(both: NDArray[np.float64], kinds: tuple[str, ...], threshold: float) -> Verdict:
    """As ``heard``, from the chances of each of ``kinds`` in both hearings, (2, kinds)."""
    mean = both.mean(axis=0)
    best = int(mean.argmax())
    vehicle = kinds.index("vehicle")
    low = [kinds.index(kind) for kind in LOW]
    sure = max(float(mean[low].max()), 1.0 - float(mean[[vehicle, *low]].sum()))
    likely = float(both[:, vehicle].max())
    vetoed = likely < threshold and sure >= SURELY and best != vehicle
    return Verdict(kinds[best], float(mean[best]), likely, vetoed)
