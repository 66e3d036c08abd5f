"""Drawn pictures of cars of Europe, the USA and Brazil: exact, unread, wrong ones, and the time.

No photographs: the figures compare one version of the reader with another.
``VIGIL_PICTURES``: how many of each region (60). ``VIGIL_PICTURES_SEED``: which (1).
``VIGIL_PICTURES_REGIONS``: ``EU,US,BR`` or some of them; each takes a minute.
"""

from __future__ import annotations

import os
import time

import numpy as np
from scipy import stats

from plate_pictures.scene import REGIONS, shown
from vigil_edge.noise.plate.reader import read_plate

SAMPLE = int(os.environ.get("VIGIL_PICTURES", "60"))
SEED = int(os.environ.get("VIGIL_PICTURES_SEED", "1"))
CHOSEN = os.environ.get("VIGIL_PICTURES_REGIONS", ",".join(REGIONS)).split(",")


def _folded(text: str) -> str:
    return text.replace("O", "0").replace("I", "1")


def main() -> int:
    for region in CHOSEN:
        exact = wrong = 0
        times = []
        for number in range(SAMPLE):
            one = shown(region, np.random.default_rng([SEED, number]))
            began = time.process_time()
            read = read_plate(one.picture)
            times.append(time.process_time() - began)
            if read.text is None:
                continue
            right = _folded(read.text) in map(_folded, one.texts)
            exact += right
            wrong += not right
            if not right:
                print(f"plates_abroad {region} {number}: {one.texts[0]} read as {read.text}")
        print(f"plates_abroad {region} rendered: {SAMPLE}")
        print(f"plates_abroad {region} exact: {exact / SAMPLE:.3f}")
        print(f"plates_abroad {region} abstained: {1 - (exact + wrong) / SAMPLE:.3f}")
        print(f"plates_abroad {region} wrong: {wrong / SAMPLE:.4f}")
        # Clopper and Pearson's.
        most = stats.beta.ppf(0.975, wrong + 1, SAMPLE - wrong)
        print(f"plates_abroad {region} wrong_at_most_95: {most:.4f}")
        print(f"plates_abroad {region} processor_ms median: {1000 * float(np.median(times)):.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
