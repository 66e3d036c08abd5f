"""Simulated pass-bys mixed at known levels into street recordings: found, how loud, and when.

The truth is reckoned over the whole spectrum at once (``vigil_sim.noise.weighting``), not by the
gateway's filters: of the mixture, and, for the corrected level, of the vehicle alone.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

import data
from edge.noise.tones import Signal
from vigil_edge.cli import main as vigil_edge
from vigil_edge.noise.sound.pcm import channel_units
from vigil_edge.noise.sound.wav import open_wav, write_wav
from vigil_sim.noise.sound import HEARD_S, Vehicle, passage
from vigil_sim.noise.vehicle import SAMPLE_RATE, VehicleKind
from vigil_sim.noise.weighting import FAST_S, REFERENCE_PA, a_weighted

Array = NDArray[np.float64]
STREETS = ("street_CT101", "street_CT102", "street_CT103", "street_CT104")
KINDS: tuple[tuple[VehicleKind, tuple[float, float]], ...] = (
    ("scooter", (5200.0, 8200.0)),
    ("car", (1800.0, 2600.0)),
    ("van", (1500.0, 1500.0)),
)
OVER_DB = (6.0, 9.0, 12.0, 20.0)
"""Of the vehicle's LAFmax above that of the street, whatever the street's own level is."""
QUIET_DB = 62.0
"""LAeq that each street is brought to: the recordings are not calibrated."""
SECONDS = 30.0


def fast_db(pressure: Array) -> Array:
    """LAF at each sample, by the recursion of an RC circuit on the exactly weighted pressure."""
    a = np.exp(-1 / (SAMPLE_RATE * FAST_S))
    squares = a_weighted(pressure, SAMPLE_RATE) ** 2
    running = lfilter([1 - a], [1, -a], squares)
    return np.asarray(10 * np.log10(np.maximum(running, 1e-20) / REFERENCE_PA**2))


def street(name: str) -> Signal:
    """Half a minute of it at 48 kHz, ``QUIET_DB``."""
    file = open_wav(data.shared(f"noise/{name}.wav"))
    frames = np.concatenate(list(file.blocks(SAMPLE_RATE)))
    units = channel_units(frames, 0)[: round(SECONDS * file.format.rate_hz)]
    sound = resample_poly(units, SAMPLE_RATE, file.format.rate_hz)
    repeated = np.tile(sound, int(np.ceil(SECONDS * SAMPLE_RATE / len(sound))))
    sound = repeated[: round(SECONDS * SAMPLE_RATE)]
    level = 10 * np.log10(np.mean(a_weighted(sound, SAMPLE_RATE) ** 2) / REFERENCE_PA**2)
    return np.asarray(sound * 10 ** ((QUIET_DB - level) / 20))


def triggers(folder: Path, mixed: Array, threshold_db: float) -> list[dict[str, Any]]:
    """What ``vigil-edge noise measure --events`` says of it."""
    path = folder / "mixed.wav"
    write_wav(path, mixed.astype(np.float32)[:, None], SAMPLE_RATE)
    said = io.StringIO()
    words = ["--pascal-per-unit", "1", "--events", "--threshold-db", f"{threshold_db:.2f}"]
    with contextlib.redirect_stdout(said):
        vigil_edge(["noise", "measure", str(path), *words])
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    return [line for line in lines if line["kind"] == "trigger"]


def main() -> int:
    if not (data.SHARED / "noise" / f"{STREETS[0]}.wav").exists():
        print("passages skipped: the recordings are not beside the checkout")
        return 0
    found, of = 0, 0
    level, corrected, moment = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed, name in enumerate(STREETS):
            quiet = street(name)
            loudest = float(fast_db(quiet)[SAMPLE_RATE:].max())
            for over_db in OVER_DB:
                for kind, rpm in KINDS:
                    alone = np.zeros(len(quiet))
                    vehicle = Vehicle(kind, 14.0, rpm, loudest + over_db, seed=100 * seed + of)
                    sound = passage(vehicle, 1)[:, 0]
                    at = round((SECONDS - HEARD_S - 6) * SAMPLE_RATE) - len(sound) // 2
                    alone[at : at + len(sound)] += sound[: len(alone) - at]
                    truth = fast_db(quiet + alone)
                    when = int(truth.argmax())
                    of += 1
                    near = [
                        one
                        for one in triggers(Path(folder), quiet + alone, loudest + 3)
                        if one["t"] - 0.5 <= when / SAMPLE_RATE <= one["end"] + 0.5
                    ]
                    if not near:
                        continue
                    found += 1
                    one = max(near, key=lambda each: float(each["LAFmax"]))
                    level.append(one["LAFmax"] - truth[when])
                    moment.append(abs(one["t_LAFmax"] - when / SAMPLE_RATE))
                    if one["LAFmax_corrected"] is not None:
                        corrected.append(one["LAFmax_corrected"] - fast_db(alone).max())
    print(f"passages recall: {found / of:.3f} of {of}")
    print(f"passages LAFmax_worst_error_db: {np.abs(level).max():.3f}")
    print(f"passages moment_worst_error_s: {max(moment):.3f}")
    errors = np.abs(corrected)
    print(f"passages corrected: {len(corrected)}")
    print(f"passages corrected_median_error_db: {np.median(errors):.3f}")
    print(f"passages corrected_p95_error_db: {np.quantile(errors, 0.95):.3f}")
    print(f"passages corrected_worst_error_db: {errors.max():.3f}")
    return 0
