"""Times of samples over a simulated day: an audio clock that drifts, blocks that come late, lost
blocks, and a wall clock that NTP slews."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from vigil_edge.noise.sound.clock import SampleClock

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
RATE = 48_000
BLOCK = RATE // 20
DAY_S = 86_400
SETTLED_S = 600
SLEWED_S = 0.003
"""So far, and back within an hour, the wall clock strays from UTC, as NTP leaves it."""


@dataclass(frozen=True)
class Day:
    """What happens in it."""

    name: str
    ppm: float
    late_s: float
    """Mean lateness of a block."""
    stall_every_s: float = math.inf
    """So often the gateway stands still for 2 s."""
    lost_every_s: float = math.inf
    """So often three blocks are lost, and counted."""
    slewed_s: float = 0.0


DAYS = (
    Day("drift_100ppm", 100.0, 0.005),
    Day("drift_minus_100ppm", -100.0, 0.005),
    Day("drift_100ppm_stalls", 100.0, 0.02, stall_every_s=97.0),
    Day("drift_100ppm_lost_blocks", 100.0, 0.005, lost_every_s=61.0),
    Day("drift_100ppm_ntp_slew", 100.0, 0.005, slewed_s=SLEWED_S),
)


def play(day: Day) -> tuple[np.ndarray, SampleClock]:
    """Errors against UTC at the end of each second, seconds."""
    rng, clock = np.random.default_rng(24), SampleClock(RATE)
    errors = []
    step_s = BLOCK / RATE
    lates = rng.exponential(day.late_s, round(DAY_S / step_s) + 1)
    for number in range(1, round(DAY_S / step_s) + 1):
        samples = number * BLOCK
        true_s = number * step_s * (1.0 + day.ppm * 1e-6)
        if true_s % day.lost_every_s < 3 * step_s and math.isfinite(day.lost_every_s):
            continue  # its samples are filled in, so the count goes on
        late_s = float(lates[number])
        if true_s % day.stall_every_s < 2.0 and math.isfinite(day.stall_every_s):
            late_s += 2.0 - true_s % day.stall_every_s
        strayed_s = day.slewed_s * math.sin(2 * math.pi * true_s / 3600.0)
        now = BEGIN + timedelta(seconds=true_s + late_s + strayed_s)
        clock.arrived(samples, now, may_step=True)
        if number % 20 == 0 and true_s > SETTLED_S:
            said = (clock.snapshot().at(samples) - BEGIN).total_seconds()
            errors.append(said - true_s)
    return np.array(errors), clock


def main() -> int:
    for day in DAYS:
        errors, clock = play(day)
        least, most = float(errors.min()), float(errors.max())
        name = f"audio_clock {day.name}"
        print(f"{name} hours: {DAY_S / 3600:.0f}")
        print(f"{name} error_ms worst: {1000 * max(-least, most):.2f}")
        print(f"{name} error_ms median: {1000 * float(np.median(np.abs(errors))):.3f}")
        print(f"{name} drift_ppm found: {(clock.drift or 0.0) * 1e6:.2f} of {day.ppm:g}")
        print(f"{name} steps: {clock.stepped}")
    return 0
