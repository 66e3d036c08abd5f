"""The digital chain against the standard's analytic curves and tonebursts, and the reports of a
type-approved meter in every column that both know."""

from __future__ import annotations

import contextlib
import io
import json
import math

import numpy as np
from numpy.typing import NDArray

import data
from edge.noise import test_approved_meter as approved
from edge.noise.meter.test_levels import STANDARD, analogue, exact_hz
from edge.noise.tones import silence, tone
from vigil_edge.cli import main as vigil_edge
from vigil_edge.noise.meter import weighting
from vigil_edge.noise.meter.chain import TimeWeighting
from vigil_edge.noise.meter.levels import Meter, Seconds, level_db

Array = NDArray[np.float64]
RATES = (44100, 48000)
TAU_S = {"F": 0.125, "S": 1.0}
BURST_HZ = 4000.0
BURST_DB = 94.0


def weightings(frequencies: list[float]) -> None:
    """At the exact third-octave frequencies, against annex E; Z against 0 dB."""
    reference = np.array([1000.0])
    for rate in RATES:
        for letter in "ACZ":
            hz = np.array([exact_hz(each) for each in frequencies])
            wanted = np.zeros(len(hz))
            if letter != "Z":
                wanted = 10 * np.log10(analogue(hz, letter) / analogue(reference, letter))
            error = np.abs(weighting.response_db(letter, hz, rate) - wanted)
            worst = error[hz < 16_500].max()
            print(f"meter {rate} {letter} worst_error_to_16_kHz_db: {worst:.4f}")
            print(f"meter {rate} {letter} error_at_20_kHz_db: {error[-1]:.4f}")


def _measured(signal: Array, rate: int) -> tuple[float, float]:
    """LAFmax and LAE, dB."""
    meter, seconds = Meter(rate, 1.0), Seconds(rate)
    for slices in (meter.feed(signal), meter.flush()):
        if slices is not None:
            list(seconds.feed(slices))
    total = seconds.total.levels
    return total.LAFmax, total.LAeq + 10 * math.log10(len(signal) / rate)


def bursts(rows: list[float], slow: list[float]) -> None:
    """Against 10·lg(1 − exp(−T/τ)) and 10·lg(T), of which the standard's rows are roundings."""
    for rate in RATES:
        steady, exposure = _measured(tone(BURST_DB, 3, rate, BURST_HZ), rate)
        exposure -= 10 * math.log10(3)
        long, short = [0.0], [0.0]
        for ms in rows:
            burst = tone(BURST_DB, ms / 1000, rate, BURST_HZ)
            got = _measured(np.concatenate([silence(1, rate), burst, silence(2, rate)]), rate)
            fast = 10 * math.log10(1 - math.exp(-ms / 1000 / TAU_S["F"]))
            energy = 10 * math.log10(ms / 1000)
            errors = [abs(got[0] - steady - fast), abs(got[1] - exposure - energy)]
            (long if ms >= 2 else short).extend(errors)
        for ms in slow:
            burst = np.concatenate([tone(BURST_DB, ms / 1000, rate, BURST_HZ), silence(1, rate)])
            got_db = level_db(TimeWeighting(rate, TAU_S["S"])(burst**2).max()) - BURST_DB
            long.append(abs(got_db - 10 * math.log10(1 - math.exp(-ms / 1000 / TAU_S["S"]))))
        print(f"meter {rate} bursts: {2 * len(rows) + len(slow)}")
        print(f"meter {rate} bursts_of_2_ms_and_more_worst_error_db: {max(long):.3f}")
        print(f"meter {rate} shorter_bursts_worst_error_db: {max(short):.3f}")


def steady() -> None:
    """Decay, F against S, and linearity over 90 dB."""
    for name, constant_s in TAU_S.items():
        running = TimeWeighting(48000, constant_s)(np.concatenate([tone(94, 10), silence(2)]) ** 2)
        fall = level_db(running[10 * 48000]) - level_db(running[11 * 48000])
        print(f"meter decay_{name}_db_s: {fall:.2f}")
    squares = tone(94, 12) ** 2
    fast, slow = (level_db(TimeWeighting(48000, each)(squares)[-1]) for each in TAU_S.values())
    print(f"meter F_less_S_db: {fast - slow:+.4f}")
    errors = [_measured(tone(level, 1.5), 48000)[0] - level for level in range(35, 126, 5)]
    print(f"meter linearity_over_90_db: {max(errors) - min(errors):.4f}")


def reports() -> None:
    """Whole measurements: the meter rounds to 0.1, so 0.05 dB of each difference may be its own."""
    names = {"LCpeak": "LCPKmax", "LA10": "LAF10.0%", "LA50": "LAF50.0%", "LA90": "LAF90.0%"}
    for name in approved.XL2:
        recording = data.shared(f"noise/{name}_Audio_FS128.1dBPK_00.wav")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            words = ["--full-scale-peak-db", str(approved.FULL_SCALE_DB)]
            vigil_edge(["noise", "measure", str(recording), *words])
        total = json.loads(said.getvalue().splitlines()[-1])
        (report,) = approved.table(f"{name}_123_Report.txt", "LAFmax")
        for ours in ("LAeq", "LAFmax", "LAFmin", "LASmax", "LAE", "LCeq", "LCpeak", "LZeq", *names):
            theirs = float(report[names.get(ours, ours)])
            print(f"meter {name} {ours} error_db: {total[ours] - theirs:+.3f}")


def main() -> int:
    if not STANDARD.exists():
        print("meter skipped: the standard's tables are not beside the checkout")
        return 0
    standard = json.loads(STANDARD.read_text())
    weightings([row["hz"] for row in standard["table3"]])
    rows = standard["table4_F_LAE"]
    bursts([row["ms"] for row in rows], [row["ms"] for row in standard["table4_S"]])
    steady()
    reports()
    return 0
