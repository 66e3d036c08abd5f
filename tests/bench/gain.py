"""The flag ``gain-change``: false ones on vehicles and streets, and injected changes found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vigil_edge.noise.instrument import Instrument
from vigil_edge.noise.meter.signs import GAIN_CHANGE
from vigil_edge.noise.sound.pcm import PcmFormat, channel_units
from vigil_edge.noise.sound.wav import open_wav
from vigil_sim.noise.clips.scene import clip
from vigil_sim.noise.sound import Vehicle, background, pascal_per_unit, passage
from vigil_sim.noise.vehicle import SAMPLE_RATE, VehicleKind

Array = NDArray[np.float64]
PASSAGES = 120
CLIPS = 60
STEPS_DB = (-12.0, -6.0, -4.0, 4.0, 6.0, 12.0)
FULL_SCALE_DB = 130.0
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "noise"


def flagged(pressure: Array, rate_hz: int = SAMPLE_RATE) -> int:
    """Seconds with the flag, of a converter's 16 bits."""
    scale = pascal_per_unit(FULL_SCALE_DB)
    units = np.clip(np.round(pressure / scale * 32768), -32768, 32767) / 32768
    layout = PcmFormat("s16le", rate_hz, 1)
    one = Instrument(layout, scale, full_scale_known=True, begins="anyhow")
    seconds = [*one.feed(units).seconds, *one.flush().seconds]
    return sum(GAIN_CHANGE in second.flags for second in seconds)


def passages(count: int) -> list[Array]:
    """Vehicles of the street simulator before its background."""
    rng = np.random.default_rng(73)
    kinds: tuple[VehicleKind, ...] = ("scooter", "car", "taxi", "van")
    found = []
    for seed in range(count):
        low = float(rng.uniform(1500, 6500))
        vehicle = Vehicle(
            kinds[seed % 4],
            float(rng.uniform(5, 22)),
            (low, low * float(rng.uniform(0.9, 1.6))),
            float(rng.uniform(75, 105)),
            away=bool(rng.random() < 0.5),
            seed=seed,
        )
        heard = passage(vehicle, 1)[:, 0].astype(float)
        level = float(rng.uniform(45, 66))
        found.append(heard + np.resize(background(level, 1, seed % 8)[:, 0], heard.shape))
    return found


def streets() -> list[Array]:
    """Recorded ones, at 65 dB or so."""
    found = []
    for file in sorted(RECORDINGS.glob("street_*.wav")):
        recording = open_wav(file)
        units = [channel_units(block, 0) for block in recording.blocks(SAMPLE_RATE)]
        sound = np.concatenate(units)
        found.append(sound / sound.std() * 0.04)
    return found


def stepped(sound: Array, step_db: float, rng: np.random.Generator) -> Array:
    """With a change of gain at some moment, within up to 0.15 s."""
    at = int(rng.uniform(0.25, 0.75) * len(sound))
    ramp = max(1, int(rng.uniform(0.0, 0.15) * SAMPLE_RATE))
    gain_db = step_db * np.clip((np.arange(len(sound)) - at) / ramp, 0.0, 1.0)
    changed: Array = sound * 10 ** (gain_db / 20)
    return changed


def _rate(name: str, found: int, of: int) -> None:
    most = stats.beta.ppf(0.975, found + 1, of - found) if found < of else 1.0
    print(f"gain {name}: {found / of:.4f} of {of} (95 % at most {most:.4f})")


def main() -> int:
    vehicles = passages(PASSAGES)
    _rate("false passages", sum(flagged(each) > 0 for each in vehicles), len(vehicles))
    made = [clip("vehicle", 5_000_000 + seed, SAMPLE_RATE) * 0.1 for seed in range(CLIPS)]
    _rate("false made_vehicles", sum(flagged(each) > 0 for each in made), len(made))
    recorded = streets()
    if recorded:
        seconds = sum(len(each) // SAMPLE_RATE for each in recorded)
        _rate("false street_seconds", sum(map(flagged, recorded)), seconds)
    rng = np.random.default_rng(12)
    floors = [background(float(rng.uniform(45, 66)), 1, seed)[:, 0] for seed in range(4)]
    for step_db in STEPS_DB:
        within = [*floors, *recorded]
        found = [flagged(stepped(each, step_db, rng)) > 0 for each in within for _ in range(3)]
        print(f"gain detected {step_db:+.0f}_dB: {np.mean(found):.3f} of {len(found)}")
        during = [flagged(stepped(each, step_db, rng)) > 0 for each in vehicles[:24]]
        print(f"gain detected {step_db:+.0f}_dB_in_passage: {np.mean(during):.3f} of {len(during)}")
    return 0
