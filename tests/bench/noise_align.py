"""``vigil-edge noise align`` on simulated claps and flashes: how far the delay and the camera's
azimuth are from the truth, over several seeds and rates of pictures."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edge.noise.clapping import Clapping, asked, truth
from vigil_edge.noise.align.command import align
from vigil_edge.noise.align.recording import NotAligned, read

SEEDS = range(6)
WRONG_DEG = 6.0
RECORDINGS = (
    ("flash_10fps", "flash", 12, 10.0, 0.0),
    ("flash_25fps", "flash", 12, 25.0, 0.0),
    ("flash_10fps_jitter", "flash", 14, 10.0, 0.015),
    ("clap_10fps", "clap", 16, 10.0, 0.0),
    ("clap_25fps", "clap", 16, 25.0, 0.0),
)


def main() -> int:
    for name, kind, count, fps, jitter_s in RECORDINGS:
        errors, sure, turned, refused = [], [], [], 0
        for seed in SEEDS:
            delay_s = 0.05 + 0.09 * seed
            clapping = Clapping(
                "flash" if kind == "flash" else "clap", count, delay_s, fps, seed, jitter_s
            )
            with tempfile.TemporaryDirectory() as folder:
                recording = read(clapping.write(Path(folder)))
                try:
                    found = align(recording, asked(azimuth=truth().azimuth + WRONG_DEG))
                except NotAligned:
                    refused += 1
                    continue
            errors.append(1000.0 * abs(found.delay.seconds - delay_s))
            sure.append(1000.0 * found.delay.uncertainty_s)
            if found.looked is not None:
                turned.append(abs(found.looked.view.azimuth - truth().azimuth))
        print(f"noise_align {name}_refused: {refused} of {len(SEEDS)}")
        if errors:
            print(f"noise_align {name}_delay_error_median_ms: {np.median(errors):.1f}")
            print(f"noise_align {name}_delay_error_worst_ms: {max(errors):.1f}")
            print(f"noise_align {name}_told_uncertainty_median_ms: {np.median(sure):.1f}")
        if turned:
            print(f"noise_align {name}_azimuth_error_worst_deg: {max(turned):.2f}")
        print(f"noise_align {name}_views_told: {len(turned)} of {len(errors)}", flush=True)
    return 0
