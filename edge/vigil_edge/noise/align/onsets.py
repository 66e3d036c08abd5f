"""When something began suddenly in the sound: claps, shots, the bang of a flash. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[np.float64]

BLOCK_S: Final = 0.001
APART_S: Final = 0.3
"""What follows sooner is the echo of what was before."""
_ABOVE_FLOOR: Final = 30.0
"""Energy over that of the seconds around (15 dB): nothing that is usual in this street."""
_SUDDEN: Final = 10.0
"""Energy over that of the hundredths of a second before: a vehicle comes slowly."""
_FLOOR_S: Final = 2.0
_BEFORE: Final = slice(-40, -4)
_EDGE: Final = 0.25
"""Of the largest sample: where the first wave front stands."""


def onsets(sound: Array, rate_hz: int) -> Array:
    """Moments in seconds since the beginning, (n,), of ``sound`` (samples,), in any unit."""
    steep = np.abs(np.diff(sound, prepend=sound[:1]))  # what is sudden is broad in its spectrum
    block = max(1, round(rate_hz * BLOCK_S))
    count = len(steep) // block
    if count == 0:
        return np.empty(0)
    energy = (steep[: count * block].reshape(count, block) ** 2).mean(axis=1)
    floor = ndimage.median_filter(energy, size=round(_FLOOR_S / BLOCK_S), mode="nearest")
    loud = energy > _ABOVE_FLOOR * np.maximum(floor, np.finfo(float).tiny)
    found: list[float] = []
    quiet_from = 0
    for at in map(int, np.flatnonzero(loud)):
        if at < quiet_from:
            continue
        before = energy[max(0, at + _BEFORE.start) : max(0, at + _BEFORE.stop)]
        if before.size == 0 or energy[at] < _SUDDEN * before.mean():
            continue
        found.append(_edge(steep, at * block, block) / rate_hz)
        quiet_from = at + round(APART_S / BLOCK_S)
    return np.asarray(found)


def _edge(steep: Array, sample: int, block: int) -> int:
    """The first wave front near a block."""
    begin = max(0, sample - block)
    near = steep[begin : sample + 3 * block]
    return begin + int(np.argmax(near > _EDGE * near.max()))
