"""Which of several vehicles was loud: attribution of bearings to tracks, by the views and the
sound's own way alone (no picture, no microphone). Two and three vehicles on both lanes of a street,
each a gap of 0.6 to 3 s behind the other; bearings err as those of a tetrahedron in a street do."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

from edge.noise.seen import followed, track, view_of
from vigil_edge.noise.attribution import Sound, attribute
from vigil_edge.noise.pictures.moments import Known, by_arrival, by_own_clock
from vigil_edge.noise.rivals import own_part
from vigil_sim.noise.propagation import SPEED_OF_SOUND
from vigil_sim.noise.view import View

Array = npt.NDArray[np.float64]
SCENES: Final = 400
WIDE: Final = view_of(View(960, 540))
ARRAY_X_M: Final = 4.0
EXHAUST_M: Final = 0.4
LENGTH_M: Final = 4.4
BEARING_DEG: Final = 1.5
ASTRAY: Final = 0.05
"""Share of the bearings that point anywhere."""
FPS: Final = 10


def _position(start_m: float, speed_m_s: float, lane_m: float, times: Array) -> Array:
    """Of the exhaust, in the coordinates of the array, (n, 3)."""
    behind = 0.0 if speed_m_s > 0 else LENGTH_M
    x = start_m + speed_m_s * times + behind - ARRAY_X_M
    road_z = WIDE.settings.road_z
    return np.stack([x, np.full_like(x, lane_m), np.full_like(x, road_z + EXHAUST_M)], axis=1)


def _heard(vehicle: tuple[float, float, float], rng: np.random.Generator) -> Sound:
    """Every 40 ms, of a vehicle whose level falls with the distance."""
    emitted = np.arange(-6.0, 8.0, 0.01)
    way = _position(*vehicle, emitted)
    away = np.linalg.norm(way, axis=1)
    times = np.arange(-5.0, 7.0, 0.04)
    arrives = emitted + away / SPEED_OF_SOUND
    turned = np.unwrap(np.arctan2(way[:, 1], way[:, 0]))
    azimuth = np.degrees(np.interp(times, arrives, turned))
    level = 97.0 - 20.0 * np.log10(np.interp(times, arrives, away) / 4.4)
    azimuth += rng.normal(0.0, BEARING_DEG, len(times))
    astray = rng.random(len(times)) < ASTRAY
    azimuth[astray] = rng.uniform(0.0, 360.0, int(astray.sum()))
    own = own_part(level, int(level.argmax()))
    return Sound(times[own], azimuth[own] % 360.0, level[own])


def _vehicles(rng: np.random.Generator, count: int) -> list[tuple[float, float, float]]:
    """Beginning, speed and lane of each, the loud one first; nearest to the array about 0 s."""
    found = []
    for number in range(count):
        away = bool(rng.random() < 0.7)
        speed = float(rng.uniform(8.0, 14.0)) * (1.0 if away else -1.0)
        lane_m = float(rng.choice([1.9, 2.7])) if away else 6.0
        gap_s = 0.0 if number == 0 else float(rng.choice([-1, 1]) * rng.uniform(0.6, 3.0))
        found.append((ARRAY_X_M - speed * gap_s, speed, lane_m))
    return found


def _answers(known: Known, late_s: tuple[float, float], count: int) -> Counter[str]:
    """``late_s``: between these the pictures are dated late."""
    rng, counts = np.random.default_rng(7), Counter[str]()
    for _ in range(SCENES):
        vehicles = _vehicles(rng, count)
        times = np.arange(-5.0, 7.0, 1 / FPS) + float(rng.uniform(0.0, 1 / FPS))
        dated = (times + float(rng.uniform(*late_s))).tolist()
        seen = [
            track(WIDE, [start + speed * float(t) for t in times], lane, dated)
            for start, speed, lane in vehicles
        ]
        there = [one for one in seen if len(one) >= 4]
        sound = _heard(vehicles[0], rng)
        found = attribute(
            followed(WIDE, *there), WIDE, np.zeros(3), SPEED_OF_SOUND, sound, known.moved()
        )
        if found.track is None:
            counts[f"none ({found.abstained})"] += 1
        else:
            counts["right" if there[found.track] is seen[0] else "wrong"] += 1
    return counts


def main() -> int:
    kinds = (
        ("aligned", Known(0.05, 0.05), (-0.04, 0.04)),
        ("own_clock", by_own_clock(0.2, None, 0.1), (-0.2, 0.5)),
        ("own_clock_believed", Known(0.0, 0.0), (-0.2, 0.5)),
        ("arrival", by_arrival(None, 0.1, 0.0, None), (0.0, 1.5)),
    )
    for count in (2, 3):
        for name, known, late_s in kinds:
            counts = _answers(known, late_s, count)
            answered = counts["right"] + counts["wrong"]
            share = 100.0 * counts["right"] / answered if answered else float("nan")
            of = f"right_vehicle {count}_{name}"
            print(f"{of}_answered: {answered} of {SCENES}")
            print(f"{of}_right_of_answered_percent: {share:.1f}")
            why = ", ".join(f"{name} {n}" for name, n in counts.most_common() if "none" in name)
            print(f"{of}_abstained: {why or 'never'}", flush=True)
    return 0
