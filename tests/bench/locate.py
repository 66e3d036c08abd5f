"""A beacon among sensors beside the weighted centroid, in simulated halls, and on the recording.

The centroid weighs each sensor by 10^(dBm / 10) of a second's mean, or by 10^(dBm / 20), whichever
is nearer to the truth over all. Constants of what locates come from physics and from halls of other
seeds (``VIGIL_HALL_SEED``), never from the recording, which comes last and once.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from data import SHARED
from vigil_cloud.checkin.locating import Sensor, locate
from vigil_sim.checkin.halls import hall

Floats = NDArray[np.float64]
Heard = Sequence[tuple[float, int, float]]
HALLS: Final = int(os.environ.get("VIGIL_HALLS", "40"))
SEED: Final = int(os.environ.get("VIGIL_HALL_SEED", "7000"))
_RECORDING: Final = SHARED / "checkin" / "ble_rssi_straight_01.mbd"
_PLACES: Final = (
    "b827eb4521b4 7 7.09,000000000101 7.18 .68,000000000102 .71 6.16,b827eb917e19 7.25 11.36,"
    "000000000201 .76 12.13,000000000202 7.18 17.64,b827ebf7d096 13.14 12.33,"
    "000000000301 12.82 16.83,000000000302 18.12 11.93,b827ebfd7811 13.01 5.51,"
    "000000000401 17.77 6.33,000000000402 12.76 .27"
)


def centroid(sensors: Floats, heard: Heard, seconds: int, first: int, decibels: float) -> Floats:
    """(seconds, 2): NaN where nothing was heard."""
    total = np.zeros((seconds, len(sensors)))
    count = np.zeros_like(total)
    for at, sensor, strength in heard:
        second = int(np.floor(at)) - first
        if 0 <= second < seconds:
            total[second, sensor] += strength
            count[second, sensor] += 1
    with np.errstate(invalid="ignore"):
        weight = np.where(count > 0, 10 ** (total / np.maximum(count, 1) / decibels), 0.0)
        return np.asarray(weight @ sensors / weight.sum(axis=1, keepdims=True))


def judge(sensors: Floats, heard: Heard, truth: Floats, first: int) -> dict[str, Floats]:
    """Errors in metres of each second, and whether the nearest sensor was named."""
    named = [Sensor(str(number), (x, y)) for number, (x, y) in enumerate(sensors.tolist())]
    nearest = np.hypot(*(truth[:, None] - sensors).transpose(2, 0, 1)).argmin(axis=1)
    found: dict[str, Floats] = {}
    for name, causal in (("ahead", False), ("causal", True)):
        fixes = [
            fix
            for fix in locate(named, heard, causal=causal)
            if 0 <= fix.second - first < len(truth)
        ]
        rows = np.array([fix.second - first for fix in fixes])
        places = np.array([(fix.x, fix.y) for fix in fixes])
        found[name] = np.hypot(*(places - truth[rows]).T)
        found[f"{name}_nearest"] = np.array([fix.nearest for fix in fixes]) == nearest[rows].astype(
            str
        )
    for decibels in (10, 20):
        away = np.hypot(*(centroid(sensors, heard, len(truth), first, decibels) - truth).T)
        found[f"centroid_{decibels}"] = away[np.isfinite(away)]
    return found


def recording() -> dict[str, Floats] | None:
    """The recorded walk, where it is here."""
    if not _RECORDING.exists():
        return None
    places = [one.split() for one in _PLACES.split(",")]
    numbers = {name: number for number, (name, _, _) in enumerate(places)}
    sensors = np.array([(float(x), float(y)) for _, x, y in places])
    rows = [line.split(",") for line in _RECORDING.read_text().splitlines()]
    heard = [(float(row[0]), numbers[row[1]], float(row[3])) for row in rows]
    seconds = np.floor([at for at, _, _ in heard]).astype(int)
    true = np.array([(float(row[4]), float(row[5])) for row in rows])
    first = int(seconds[0])
    truth = np.stack(
        [
            np.bincount(seconds - first, true[:, axis])
            / np.maximum(np.bincount(seconds - first), 1)
            for axis in (0, 1)
        ],
        axis=1,
    )
    return judge(sensors, heard, truth, first)


def main() -> int:
    began = time.process_time()
    halls: list[dict[str, Floats]] = []
    walked = 0
    for number in range(HALLS):
        one = hall(SEED + number)
        walked += len(one.truth)
        halls.append(judge(one.sensors, one.heard, one.truth, 0))
    spent = time.process_time() - began
    print(f"locate halls: {HALLS} ({walked} s)")
    _tell("halls", halls)
    print(f"locate processor_s_per_walked_minute: {60 * spent / walked:.2f}")
    told = recording()
    if told is not None:
        _tell("recording", [told])
    return 0


def _tell(name: str, found: list[dict[str, Floats]]) -> None:
    together = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
    peer = min(("centroid_10", "centroid_20"), key=lambda key: float(np.median(together[key])))
    centre = float(np.median(together[peer]))
    print(f"locate {name} centroid_median_m: {centre:.2f} ({peer})")
    for way in ("ahead", "causal"):
        median = float(np.median(together[way]))
        each = [np.median(one[way]) / np.median(one[peer]) for one in found]
        print(f"locate {name} {way}_median_m: {median:.2f}")
        print(f"locate {name} {way}_of_centroid: {median / centre:.2f}")
        print(f"locate {name} {way}_of_centroid_per_hall_median: {np.median(each):.2f}")
        print(f"locate {name} {way}_nearest_named: {100 * together[f'{way}_nearest'].mean():.0f} %")


if __name__ == "__main__":
    raise SystemExit(main())
