"""Levels of the type-approved meter's recordings against the meter's own report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "noise"
LEVELS = ("LAeq", "LAFmax", "LCeq", "LZeq")


def reported(report: Path) -> dict[str, float]:
    """The meter's own levels, dB, rounded by it to 0.1."""
    lines = report.read_text("utf-8", "replace").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("# Broadband Results"))
    names = [name.strip() for name in lines[start + 2].split("\t")]
    values = [value.strip() for value in lines[start + 4].split("\t")]
    return {name: float(values[names.index(name)]) for name in LEVELS}


def measured(recording: Path, full_scale_peak_db: float) -> dict[str, float]:
    """What ``vigil-edge noise replay`` says of the whole file, dB."""
    command = [str(Path(sys.executable).with_name("vigil-edge")), "noise", "replay"]
    command += [str(recording), "--full-scale-peak-db", str(full_scale_peak_db)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    total = json.loads(done.stdout.strip().splitlines()[-1])
    return {name: total[name] for name in LEVELS}


def main() -> int:
    recordings = sorted(RECORDINGS.glob("xl2_*_Audio_*.wav"))
    if not recordings:
        print("levels skipped: the recordings are not beside the checkout")
        return 0
    worst = 0.0
    for recording in recordings:
        scale = re.search(r"FS([\d.]+)dBPK", recording.name)
        assert scale is not None, recording.name
        meter = reported(recording.with_name(f"{recording.name[:7]}_123_Report.txt"))
        ours = measured(recording, float(scale[1]))
        for name in LEVELS:
            error = ours[name] - meter[name]
            worst = max(worst, abs(error))
            print(f"levels {recording.name[:7]} {name} error_db: {error:+.3f}")
    print(f"levels worst_error_db: {worst:.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
