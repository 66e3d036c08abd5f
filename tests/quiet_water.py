"""Three weeks of a canal in which nothing happens, and what is put into them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.water.detection.station import Detector
from vigil_cloud.water.detection.verdict import Setting, Verdict

Floats = NDArray[np.float64]


NAMES = ["temp", "cond", "ph", "do"]


INTERVAL = 900.0


DAY = 96


START = 20 * DAY


"""What is put in begins here."""


@cache
def quiet() -> Floats:
    """Three weeks of a canal: a daily course, noise, and the steps of the probe."""
    random = np.random.default_rng(11)
    rows = 22 * DAY
    phase = 2 * np.pi * np.arange(rows) / DAY
    drift = np.cumsum(random.normal(0, 0.3, rows)) * 0.3
    found = np.stack(
        [
            18 + 2 * np.sin(phase) + random.normal(0, 0.02, rows),
            430 + 6 * np.sin(phase / 2) + drift + random.normal(0, 0.5, rows),
            7.9 + 0.15 * np.sin(phase) + random.normal(0, 0.006, rows),
            8.5 + 0.8 * np.sin(phase) + random.normal(0, 0.03, rows),
        ],
        axis=1,
    )
    rounded: Floats = np.round(found, 2)
    return rounded


def times(rows: int) -> Floats:
    return 1.7e9 + INTERVAL * np.arange(rows, dtype=np.float64)


def judged(values: Floats, setting: Setting | None = None) -> list[Verdict]:
    detector = Detector(NAMES, setting=setting)
    return [
        detector.step(at, row)
        for at, row in zip(times(len(values)).tolist(), values.tolist(), strict=True)
    ]


def changed(**by: Floats) -> Floats:
    values = quiet().copy()
    for name, change in by.items():
        values[START : START + len(change), NAMES.index(name)] += change
    return np.round(values, 2)


def pulse(size: float, rows: int = 24) -> Floats:
    return size * np.exp(-3 * np.arange(rows) / rows)


def said(values: Floats, rows: int = 8) -> list[tuple[int, str, str, str]]:
    """After the change: row, signal, reason, type."""
    return [
        (number, one.signal, one.reason, one.type)
        for number, verdict in enumerate(judged(values)[START : START + rows])
        for one in verdict.findings
    ]


def in_a_flood(ph: float) -> set[str]:
    """What is told as water where conductance and pH change within three hours of rain."""
    random = np.random.default_rng(4)
    rows = START + 24
    values = np.stack(
        [1.5 + random.normal(0, 0.01, rows), quiet()[:rows, 1], quiet()[:rows, 2]], axis=1
    )
    values[START:, 0] += 0.4
    values[START : START + 10, 1] *= 0.8
    rises = np.minimum(np.arange(12) / 4, 1.0)
    values[START + 12 :, 1] += 250 * rises
    values[START + 12 :, 2] += ph * rises
    detector = Detector(["stage", "cond", "ph"])
    return {
        one.signal
        for at, row in zip(times(rows).tolist(), values.tolist(), strict=True)
        for one in detector.step(at, row).findings
        if at >= times(rows)[START + 12] and one.type == "water"
    }
