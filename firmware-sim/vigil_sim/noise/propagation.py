"""From a moving source to each microphone: delay, Doppler shift and 1/r spreading.

Free field, still air. A sample heard at t left the source at τ, where
c·(t − τ) = |source(τ) − microphone|; for steady straight motion that is a
quadratic with an exact answer, and the Doppler shift follows from reading the
source's signal at τ. (Pierce, *Acoustics*, section 9-1.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vigil_sim.noise.vehicle import Motion

Array = NDArray[np.float64]
SPEED_OF_SOUND = 346.1
"""m/s in air of 25 °C."""


def emission_times(motion: Motion, microphone: Array, t: Array) -> tuple[Array, Array]:
    """When what is heard at times ``t`` (n,) was emitted, and the distance it came, both (n,)."""
    velocity = np.asarray(motion.velocity)
    offset = np.asarray(motion.nearest) - microphone
    c2 = SPEED_OF_SOUND**2
    a = c2 - velocity @ velocity
    b = offset @ velocity + c2 * t
    c = c2 * t**2 - offset @ offset
    emitted = (b - np.sqrt(b**2 - a * c)) / a
    return emitted, SPEED_OF_SOUND * (t - emitted)


def propagate(  # noqa: PLR0913 - source, motion, microphones: the terms of one formula
    source: Array,
    source_begins: float,
    sample_rate: int,
    motion: Motion,
    microphones: Array,
    t: Array,
    rear_gain_db: float = 0.0,
) -> Array:
    """Pressure at each microphone, (n, microphones), over times ``t`` (n,).

    ``source`` (m,) is the pressure at 1 m, sampled from ``source_begins`` on; it
    is silent outside. ``rear_gain_db`` is the level behind the vehicle over that
    in front of it (0: the same all round).
    """
    heard = np.empty((t.size, len(microphones)))
    coefficients = ndimage.spline_filter1d(source, order=3, mode="mirror")
    velocity = np.asarray(motion.velocity)
    speed = float(np.linalg.norm(velocity))
    for channel, microphone in enumerate(microphones):
        emitted, distance = emission_times(motion, microphone, t)
        at = (emitted - source_begins) * sample_rate
        sound = ndimage.map_coordinates(
            coefficients, at[np.newaxis], order=3, mode="constant", prefilter=False
        )
        gain = 1.0 / distance
        if rear_gain_db and speed > 0:
            along = (np.asarray(motion.nearest) - microphone) @ velocity / speed + speed * emitted
            gain = gain * 10 ** (rear_gain_db / 40.0 * along / distance)
        heard[:, channel] = sound * gain
    return heard
