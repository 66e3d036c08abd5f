"""``make bench``: every figure, one bench after the other; ``ARGS="levels rest"`` for some."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

BENCHES = (
    "levels",
    "meter",
    "passages",
    "noise_replay",
    "evidence",
    "bearing",
    "plates",
    "plates_abroad",
    "classify",
    "gain",
    "noise_chain",
    "audio_clock",
    "picture_times",
    "noise_align",
    "right_vehicle",
    "two_cameras",
    "water_replay",
    "water_alarms",
    "rest",
    "latency",
    "fire_chain",
    "alarm_lane",
    "interlink",
    "station",
    "llrp",
    "rotating",
    "footprints",
    "nuisance",
    "supervision",
    "screen",
    "first_paint",
    "many",
    "forgetting",
    "enrolment",
    "search",
    "search_map",
    "search_geolife",
    "locate",
    "aed_dispatch",
    "water_detector",
    "water_trace",
    "aed_rules",
    "journeys",
    "streams",
    "ingest",
    "handlers",
    "crowd",
    "disk",
    "week",
    "no_loss",
)


def main(names: list[str]) -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.stderr.write(f"bench: no bench called {unknown[0]!r}; there are {', '.join(BENCHES)}\n")
        return 2
    failed = []
    for name in names or BENCHES:
        print(f"# {name}", flush=True)
        began = time.monotonic()
        try:
            code = importlib.import_module(f"bench.{name}").main()
        except Exception as error:  # one bench that cannot run must not hide the others' figures
            print(f"{name} error: {type(error).__name__}: {error}", flush=True)
            code = 1
        if code:
            failed.append(name)
        print(f"# {name} took {time.monotonic() - began:.0f} s", flush=True)
    if failed:
        sys.stderr.write(f"bench: could not be run: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
