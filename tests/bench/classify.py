"""The veto on made sounds of unseen seeds, on the street simulator's vehicles, on recordings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from scipy import signal, stats

from vigil_edge.noise.classify.command import classify
from vigil_edge.noise.classify.features import RATE_HZ, features
from vigil_edge.noise.classify.model import shipped
from vigil_sim.noise.clips.scene import SOURCES, clip
from vigil_sim.noise.sound import Vehicle, background, passage
from vigil_sim.noise.vehicle import SAMPLE_RATE, VehicleKind

UNSEEN = 3_000_000
OF_EACH = 20
VEHICLES = 100
PASSAGES = 24
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "noise"


def made() -> None:
    """Clips of the training's own generator, of seeds that it never used."""
    rejected = []
    for kind in SOURCES:
        count = VEHICLES if kind == "vehicle" else OF_EACH
        vetoed = [
            shipped().judge(features(clip(kind, UNSEEN + seed))).vetoed for seed in range(count)
        ]
        print(f"classify made {kind} rejected: {np.mean(vetoed):.3f} of {count}")
        if kind == "vehicle":
            print(f"classify made vehicles_lost: {np.mean(vetoed):.3f}")
            # Clopper and Pearson's.
            most = stats.beta.ppf(0.975, sum(vetoed) + 1, count - sum(vetoed) or 1)
            print(f"classify made vehicles_lost_at_most_95: {most:.3f}")
        else:
            rejected += vetoed
    print(f"classify made others_rejected: {np.mean(rejected):.3f} of {len(rejected)}")


def passages() -> None:
    """Vehicles by other code than the training's: engine, propagation and street."""
    rng = np.random.default_rng(60)
    kinds: tuple[VehicleKind, ...] = ("scooter", "car", "taxi", "van")
    chances, lost = [], []
    for seed in range(PASSAGES):
        low = float(rng.uniform(1500, 6500))
        vehicle = Vehicle(
            kinds[seed % 4],
            float(rng.uniform(5, 22)),
            (low, low * float(rng.uniform(0.9, 1.4))),
            float(rng.uniform(75, 98)),
            away=bool(rng.random() < 0.5),
            seed=seed,
        )
        heard = passage(vehicle, 1)[:, 0].astype(float)
        heard += np.resize(background(float(rng.uniform(50, 62)), 1, seed)[:, 0], heard.shape)
        middle = len(heard) // 2 + round(float(rng.uniform(-1, 1)) * SAMPLE_RATE)
        half = round(2.5 * SAMPLE_RATE)
        sound = signal.resample_poly(heard[middle - half : middle + half], 147, 320)
        verdict = shipped().judge(features(sound[: 5 * RATE_HZ]))
        lost.append(verdict.vetoed)
        chances.append(verdict.vehicle)
    print(f"classify simulated_street vehicles_lost: {np.mean(lost):.3f} of {PASSAGES}")
    print(f"classify simulated_street vehicle_chance median: {np.median(chances):.3f}")


def recordings() -> None:
    """Clips beside the checkout that nothing was trained on or chosen by."""
    files = sorted(RECORDINGS.glob("negatives/*.ogg"))
    if not files:
        print("classify recordings skipped: they are not beside the checkout")
        return
    found: dict[str, list[tuple[str, bool]]] = {}
    for file in files:
        verdict = classify(file)
        found.setdefault(file.stem.split("_1-")[0], []).append((verdict.kind, verdict.vetoed))
    for kind, verdicts in found.items():
        said = dict(Counter(each for each, _ in verdicts))
        rejected = sum(vetoed for _, vetoed in verdicts)
        print(f"classify recorded {kind} rejected: {rejected} of {len(verdicts)}, said {said}")
    every = [vetoed for verdicts in found.values() for _, vetoed in verdicts]
    print(f"classify recorded others_rejected: {np.mean(every):.3f} of {len(every)}")


def main() -> int:
    made()
    passages()
    recordings()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
