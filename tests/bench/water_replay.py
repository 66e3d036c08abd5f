"""``vigil-edge water replay`` against ioos_qc: ten years of four signals, CSV in, JSON lines out.

The peer reads with pandas, runs QARTOD's gross range, spike, rate and flat line tests and their
summary, and writes the same lines with ``json``; needs the packages ioos_qc and pandas (not
among the project's own: VIGIL_PEER_PYTHON names a Python that has them).
"""

from __future__ import annotations

import math
import os
import random
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROWS = 350_640
PEER = """
import json, sys
import numpy as np, pandas as pd
from ioos_qc import qartod
table = pd.read_csv(sys.argv[1])
stamps = pd.to_datetime(table["time"])
times = stamps.values
asked = {"temp": ((-5, 50), (-0.5, 40), 0.6), "ph": ((0.5, 13.5), (5, 10.5), 0.25),
         "cond": ((0, 2e5), (1e-9, 7e4), 50), "turb": ((-5, 1e4), (-0.5, 4e3), 20)}
flags, values = {}, {}
for name, (fail, suspect, step) in asked.items():
    v = table[name].to_numpy()
    found = [qartod.gross_range_test(v, fail_span=fail, suspect_span=suspect),
             qartod.spike_test(v, suspect_threshold=step, fail_threshold=3 * step),
             qartod.rate_of_change_test(v, times, threshold=step / 900),
             qartod.flat_line_test(v, times, suspect_threshold=43200, fail_threshold=172800)]
    flags[name] = np.asarray(qartod.qartod_compare(found)).tolist()
    values[name] = v.tolist()
for at, stamp in enumerate(stamps.dt.strftime("%Y-%m-%dT%H:%M:%SZ")):
    line = {"t": stamp, "values": {n: values[n][at] for n in asked},
            "flags": {n: flags[n][at] for n in asked}}
    sys.stdout.write(json.dumps(line) + "\\n")
"""


def ten_years(path: Path) -> None:
    """Every 15 minutes, with a spike in two thousand readings."""
    draw, time = random.Random(1), datetime(2014, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="ascii") as file:
        file.write("time,temp,ph,cond,turb\n")
        for at in range(ROWS):
            day = at / 96 * 2 * math.pi
            temp, ph = 20 + 5 * math.sin(day), 7.5 + 0.2 * math.sin(day + 1)
            cond = 500 + 50 * math.sin(at / 3000) + draw.gauss(0, 2)
            cond *= 3 if draw.random() < 0.0005 else 1
            file.write(
                f"{time:%Y-%m-%d %H:%M:%S},{temp + draw.gauss(0, 0.05):.2f},"
                f"{ph + draw.gauss(0, 0.01):.2f},{cond:.1f},{abs(10 + draw.gauss(0, 1)):.1f}\n"
            )
            time += timedelta(minutes=15)


def processor_s(command: list[str]) -> float:
    """Of one whole process, its start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ten.csv"
        ten_years(path)
        ours = [str(Path(sys.executable).with_name("vigil-edge")), "water", "replay", str(path)]
        ours += ["--time", "time", "--signals", "temp,ph,cond,turb"]
        took = min(processor_s(ours) for _ in range(3))
        print(f"water_replay rows_per_processor_s: {ROWS / took:.0f}")
        peer = os.environ.get("VIGIL_PEER_PYTHON", sys.executable)
        known = subprocess.run([peer, "-c", "import ioos_qc, pandas"], capture_output=True)
        if known.returncode:
            print("water_replay ratio skipped: VIGIL_PEER_PYTHON names no Python with ioos_qc")
            return 0
        theirs = min(processor_s([peer, "-c", PEER, str(path)]) for _ in range(3))
        print(f"water_replay ioos_qc_rows_per_processor_s: {ROWS / theirs:.0f}")
        print(f"water_replay ratio: {theirs / took:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
