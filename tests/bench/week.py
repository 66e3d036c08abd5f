"""The booklet of the service that this follows, re-run: a whole simulated week at scale 0.1.

``VIGIL_WEEK_SCALE`` for another scale (1 takes most of an hour). Printed beside each figure: its
95 % interval and over how many units it was counted. Seconds are the whole run's, with the start
of the cloud and the decisions of the week's cases.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

SCALE: Final = "0.1"


def main() -> int:
    scale = os.environ.get("VIGIL_WEEK_SCALE", SCALE)
    with tempfile.TemporaryDirectory(prefix="vigil-week-bench-") as name:
        began = time.monotonic()
        command = [sys.executable, "-m", "vigil_sim", "week", "chiayi", "--scale", scale]
        done = subprocess.run([*command, "--out", name], stdout=subprocess.DEVNULL, check=False)
        took_s = time.monotonic() - began
        if done.returncode:
            return done.returncode
        said = json.loads((Path(name) / "week.json").read_text("utf-8"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"week_scale: {scale}")
    print(f"week_minutes: {took_s / 60:.1f}")
    print(f"week_processor_minutes: {(used.ru_utime + used.ru_stime) / 60:.1f}")
    print(f"week_messages: {said['paths']['messages through MQTT and ingest, receipted']}")
    print(f"week_readings: {said['points']}")
    print(f"week_refused: {said['refused']}")
    for figure in said["figures"]:
        for part in ("value", "low", "high"):
            if figure[part] is not None:
                print(f"week_{figure['key']}_{part}: {figure[part]:.4f}")
        print(f"week_{figure['key']}_n: {figure['count']}")
    return 0
