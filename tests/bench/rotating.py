"""Rotating ids of 10,000 beacons: how soon an id is resolved, and how many replays are known.

``rotating_resolved_p99_ms``: one look-up in the table of windows, of ids sent within a day and of
strangers' in turn. ``rotating_block_s``: making one block of the table (18 hours of ids).
``rotating_replays_marked_percent``: ids recorded and sent again one minute to two days after their
window, by beacons whose clocks drift by up to 100 ppm; ``rotating_false_percent``: genuine ones
that are taken for replays.
"""

from __future__ import annotations

import hashlib
import random
import time
from typing import Final

import numpy as np

from vigil_cloud.checkin.eid import BLOCK_S, SLACK_S, Key, Offset, ids, judged
from vigil_cloud.checkin.eid_table import Table

KEYS: Final = 10_000
LOOKS: Final = 20_000
REPLAYS: Final = 10_000
NOW: Final = 1_800_000_000.0


def main() -> None:
    """Prints the figures."""
    draw = random.Random(2)
    keys = [
        Key(hashlib.sha256(n.to_bytes(4, "big")).digest()[:16], 10, NOW - draw.uniform(1e6, 3e7))
        for n in range(KEYS)
    ]
    table = Table(keys, at_once=KEYS)
    began = time.perf_counter()
    table.find(bytes(8), NOW, NOW)
    blocks = time.perf_counter() - began
    print(f"rotating_block_s: {blocks / 5:.2f}")
    spans, wrong = [], 0
    for number in range(LOOKS):
        beacon, moment = draw.randrange(KEYS), NOW - draw.uniform(0, BLOCK_S)
        key = keys[beacon]
        sent = ids(key, int((moment - key.zero_s) // key.window_s), 1)[0]
        if number % 2:
            sent = draw.randbytes(8)
        began = time.perf_counter()
        found = table.find(sent, moment, NOW)
        spans.append(time.perf_counter() - began)
        wrong += [match.beacon for match in found] != ([] if number % 2 else [beacon])
    print(f"rotating_keys: {KEYS}")
    print(f"rotating_resolved_p99_ms: {1000 * float(np.quantile(spans, 0.99)):.3f}")
    print(f"rotating_resolved_wrong: {wrong}", flush=True)
    caught = doubted = 0
    for _ in range(REPLAYS):
        key = draw.choice(keys)
        known, moment = Offset(-SLACK_S, SLACK_S, NOW - 30 * 86_400), NOW - 30 * 86_400
        lag, drift = 0.0, draw.uniform(-100e-6, 100e-6)
        for _ in range(20):  # heard now and then for a month
            pause = draw.expovariate(1 / 120_000)
            moment, lag = moment + pause, lag + drift * pause
            window = int((moment - lag - key.zero_s) // key.window_s)
            after = judged(key, window, known, moment, moment)
            doubted += after is None
            known = after or known
        window = int((moment - lag - key.zero_s) // key.window_s)
        end = key.zero_s + lag + (window + 1) * key.window_s
        again = end + draw.uniform(60, 2 * 86_400)
        caught += judged(key, window, known, again, again) is None
    print(f"rotating_replays_marked_percent: {100 * caught / REPLAYS:.2f}")
    print(f"rotating_false_percent: {100 * doubted / REPLAYS / 20:.3f}", flush=True)


if __name__ == "__main__":
    main()
