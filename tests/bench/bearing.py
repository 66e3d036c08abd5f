"""Bearings of sources whose place is known, 10 dB above a diffuse field; and the time they take."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import numpy.typing as npt

from edge.noise.test_bearing import RATE, RING, SQUARE, TETRAHEDRON, described, diffuse
from vigil_edge.noise.bearing.array import MicrophoneArray
from vigil_edge.noise.bearing.estimate import Bearing, bearings
from vigil_sim.noise.propagation import emission_times, propagate
from vigil_sim.noise.vehicle import Motion, VehicleKind, source_signal

Array = npt.NDArray[np.float64]
ARRAYS = {"square": SQUARE, "tetrahedron": TETRAHEDRON, "ring": RING}
KINDS: tuple[tuple[VehicleKind, tuple[float, float]], ...] = (
    ("car", (1800.0, 2600.0)),
    ("scooter", (5200.0, 8200.0)),
    ("van", (1500.0, 1500.0)),
)
SECONDS = 2.0
SNR_DB = 10.0


def rendered(
    positions: Array, kind: VehicleKind, rpm: tuple[float, float], motion: Motion, seed: int
) -> tuple[Array, Array]:
    """Sound that stays 10 dB above its noise, and the azimuth at each sample when it is heard."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(SECONDS * RATE)) / RATE
    source_t = np.arange(round((SECONDS + 0.3) * RATE)) / RATE
    source = source_signal(kind, rpm, source_t, rng)
    sound = propagate(source, -0.3, RATE, motion, positions, t)
    emitted, distance = emission_times(motion, np.zeros(3), t)
    noise = diffuse(positions, t.size, rng) * (sound * distance[:, None]).std()
    noise *= 10 ** (-SNR_DB / 20) / distance[:, None]
    place = np.array(motion.nearest) + np.outer(emitted, np.array(motion.velocity))
    return sound + noise, np.degrees(np.arctan2(place[:, 1], place[:, 0]))


def _errors(found: list[Bearing], azimuth: Array) -> list[float]:
    return [
        abs((each.azimuth - azimuth[int(each.t * RATE)] + 180) % 360 - 180)
        for each in found
        if each.azimuth is not None
    ]


def main() -> int:
    spent = heard_s = 0.0
    every: list[float] = []
    for name, positions in ARRAYS.items():
        array = MicrophoneArray.of(described(positions))
        for moving, (kind, rpm) in product((False, True), KINDS):
            wrong: list[float] = []
            due = 0
            for seed in range(4):
                rng = np.random.default_rng(seed)
                across, along = float(rng.uniform(3, 12)), float(rng.uniform(-8, 8))
                speed = float(rng.uniform(6, 18)) if moving else 0.0
                begin = -speed * SECONDS / 2 if moving else along
                motion = Motion((begin, across, -3.0), (speed, 0.0, 0.0))
                sound, azimuth = rendered(positions, kind, rpm, motion, seed)
                began = time.process_time()
                found = list(bearings(array, RATE, [sound.astype(np.float32)]))
                spent += time.process_time() - began
                heard_s += SECONDS
                due += len(found)
                wrong += _errors(found, azimuth)
            every += wrong
            way = "passing" if moving else "standing"
            print(
                f"bearing {name} {kind} {way}: answered {len(wrong) / due:.3f}, median "
                f"{np.median(wrong):.2f}, p95 {np.quantile(wrong, 0.95):.2f} degrees ({due})"
            )
        quiet = diffuse(positions, 10 * RATE, np.random.default_rng(9))
        found = list(bearings(array, RATE, [quiet.astype(np.float32)]))
        silent = sum(each.azimuth is None for each in found) / len(found)
        print(f"bearing {name} abstained in a diffuse field: {silent:.3f} ({len(found)})")
    print(f"bearing median: {np.median(every):.2f}")
    print(f"bearing p95: {np.quantile(every, 0.95):.2f}")
    print(f"bearing times_real_time_one_core: {heard_s / spent:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
