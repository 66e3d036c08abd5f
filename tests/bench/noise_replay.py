"""``vigil-edge noise replay`` against a chain of SciPy filters and against pyoctaveband.

Processor time beyond start-up: of ten minutes of sound at 48 kHz less of one second of it, each a
whole process, WAV in and JSON lines out; the least of three. Both peers write the same columns:
LAeq and LAFmax of each second; LAeq, LAFmax, LCeq and LZeq in total. ``scipy_bilinear`` is what
people write by hand: A and C by the bilinear transform at the recording's own rate, far from the
standard's curve above 10 kHz. ``scipy_as_accurate`` has the sections of our own filters.
pyoctaveband runs as accurately as it can (96 kHz inside); it needs its own Python, which
``VIGIL_PEER_PYTHON`` names.

The processes run one after the other: on a busy machine the ratios swing; run it several times.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from scipy.io import wavfile

from bench.water_replay import processor_s

RATE_HZ: Final = 48_000
SECONDS: Final = 600
FULL_SCALE_DB: Final = 120.0
_COLUMNS: Final = (
    f"full_scale_db = {FULL_SCALE_DB}"
    + """
import json, sys
import numpy as np
from scipy.io import wavfile
rate, counts = wavfile.read(sys.argv[1])
pascal = counts / 32768.0 * 20e-6 * 10 ** (full_scale_db / 20)
db = lambda squares: 10 * np.log10(np.maximum(squares, 1e-30) / 4e-10)
by_second = lambda values: values[: len(values) // rate * rate].reshape(-1, rate)
def told(a, c, z, fast):
    leq, most = db((by_second(a) ** 2).mean(1)), db(by_second(fast).max(1))
    for at in range(len(leq)):
        row = {"LAeq": round(float(leq[at]), 3), "LAFmax": round(float(most[at]), 3)}
        print(json.dumps({"kind": "second", "t": at, **row}))
    total = {"LAeq": (a ** 2).mean(), "LAFmax": fast.max()}
    total |= {"LCeq": (c ** 2).mean(), "LZeq": (z ** 2).mean()}
    print(json.dumps({"kind": "total", **{n: float(db(x)) for n, x in total.items()}}))
"""
)
_CHAIN: Final = """
from scipy import signal
a, c, z = filtered(pascal)
keep = np.exp(-1 / (rate * 0.125))
told(a, c, z, signal.lfilter([1 - keep], [1, -keep], a ** 2))
"""
BILINEAR: Final = (
    _COLUMNS
    + """
w = 2 * np.pi * np.array([20.598997, 107.65265, 737.86223, 12194.217])
def sections(zeros, poles):
    z, p, k = signal.bilinear_zpk(zeros, poles, 1.0, rate)
    _, h = signal.freqz_zpk(z, p, k, [1000.0], fs=rate)
    return signal.zpk2sos(z, p, k / abs(h[0]))
def filtered(x):
    a = sections([0] * 4, [-w[0], -w[0], -w[1], -w[2], -w[3], -w[3]])
    return signal.sosfilt(a, x), signal.sosfilt(sections([0] * 2, [-w[0]] * 2 + [-w[3]] * 2), x), x
"""
    + _CHAIN
)
AS_ACCURATE: Final = (
    _COLUMNS
    + """
from vigil_edge.noise.meter.weighting import a_after_c_sections, c_sections, z_sections
def filtered(x):
    c = signal.sosfilt(c_sections(rate), x)
    return signal.sosfilt(a_after_c_sections(rate), c), c, signal.sosfilt(z_sections(rate), x)
"""
    + _CHAIN
)
PYOCTAVEBAND: Final = (
    _COLUMNS
    + """
import pyoctaveband as p
a, c = (p.weighting_filter(pascal, rate, curve, high_accuracy=True) for curve in "AC")
told(a, c, pascal, p.time_weighting(a, rate, mode="fast"))
"""
)


def street(path: Path, seconds: int) -> None:
    """Noise whose level goes up and down, 16 bits."""
    rng = np.random.default_rng(9)
    swell = 10 ** (np.sin(np.arange(seconds * RATE_HZ) / RATE_HZ / 5) - 1.5)
    sound = rng.normal(size=seconds * RATE_HZ) * swell / 8
    wavfile.write(path, RATE_HZ, (np.clip(sound, -1, 1) * 32767).astype(np.int16))


def beyond_start_s(command: list[str], files: tuple[Path, Path]) -> float:
    """Processor time of the longer file less that of the shorter."""
    long, short = (min(processor_s([*command, str(file)]) for _ in range(3)) for file in files)
    return long - short


def main() -> int:
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        files = (Path(folder) / "long.wav", Path(folder) / "short.wav")
        street(files[0], SECONDS)
        street(files[1], 1)
        edge = str(Path(sys.executable).with_name("vigil-edge"))
        ours = [edge, "noise", "replay", "--full-scale-peak-db", str(FULL_SCALE_DB)]
        took = beyond_start_s(ours, files)
        print(f"noise_replay times_real_time: {SECONDS / took:.0f}")
        for name, chain in (("scipy_bilinear", BILINEAR), ("scipy_as_accurate", AS_ACCURATE)):
            theirs = beyond_start_s([sys.executable, "-c", chain], files)
            print(f"noise_replay of_{name}: {theirs / took:.2f}")
        peer = os.environ.get("VIGIL_PEER_PYTHON", sys.executable)
        if subprocess.run([peer, "-c", "import pyoctaveband"], capture_output=True).returncode:
            print("noise_replay of_pyoctaveband skipped: VIGIL_PEER_PYTHON names no Python with it")
            return 0
        theirs = beyond_start_s([peer, "-c", PYOCTAVEBAND], files)
        print(f"noise_replay of_pyoctaveband: {theirs / took:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
