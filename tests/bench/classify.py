"""The veto on made sounds of unseen seeds, on the street simulator's vehicles, on recordings: by
the model's own threshold, as ``noise classify`` says it, and by the live one, which a passage is
kept from a case by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import signal, stats

from vigil_edge.noise.classify.command import classify
from vigil_edge.noise.classify.features import RATE_HZ, features
from vigil_edge.noise.classify.live import SURELY
from vigil_edge.noise.classify.model import Verdict, shipped
from vigil_sim.noise.clips.scene import SOURCES, clip
from vigil_sim.noise.sound import Vehicle, background, passage
from vigil_sim.noise.vehicle import SAMPLE_RATE, VehicleKind

UNSEEN = 3_000_000
OF_EACH = 20
VEHICLES = 100
PASSAGES = 24
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "noise"


def share(name: str, hits: Sequence[bool]) -> None:
    """With the bounds that Clopper and Pearson give at 95 %."""
    count, of = sum(hits), len(hits)
    least = stats.beta.ppf(0.025, count, of - count + 1) if count else 0.0
    most = stats.beta.ppf(0.975, count + 1, of - count) if count < of else 1.0
    print(f"{name}: {count / of:.3f} of {of} (95 %: {least:.3f} to {most:.3f})")


def live(verdict: Verdict) -> bool:
    """As ``classify.live`` decides."""
    return verdict.vetoed and verdict.vehicle < SURELY


def made() -> None:
    """Clips of the training's own generator, of seeds that it never used."""
    rejected, surely = list[bool](), list[bool]()
    for kind in SOURCES:
        count = VEHICLES if kind == "vehicle" else OF_EACH
        said = [shipped().judge(features(clip(kind, UNSEEN + seed))) for seed in range(count)]
        vetoed = [each.vetoed for each in said]
        print(f"classify made {kind} rejected: {np.mean(vetoed):.3f} of {count}")
        if kind == "vehicle":
            print(f"classify made vehicles_lost: {np.mean(vetoed):.3f}")
            # Clopper and Pearson's.
            most = stats.beta.ppf(0.975, sum(vetoed) + 1, count - sum(vetoed) or 1)
            print(f"classify made vehicles_lost_at_most_95: {most:.3f}")
            share("classify live made vehicles_lost", [live(each) for each in said])
        else:
            rejected += vetoed
            surely += [live(each) for each in said]
    print(f"classify made others_rejected: {np.mean(rejected):.3f} of {len(rejected)}")
    share("classify live made others_vetoed", surely)


def passages() -> None:
    """Vehicles by other code than the training's: engine, propagation and street."""
    rng = np.random.default_rng(60)
    kinds: tuple[VehicleKind, ...] = ("scooter", "car", "taxi", "van")
    chances, lost, surely = [], [], []
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
        surely.append(live(verdict))
        chances.append(verdict.vehicle)
    print(f"classify simulated_street vehicles_lost: {np.mean(lost):.3f} of {PASSAGES}")
    share("classify live simulated_street vehicles_lost", surely)
    print(f"classify simulated_street vehicle_chance median: {np.median(chances):.3f}")


def recordings() -> None:
    """Clips beside the checkout that nothing was trained on or chosen by."""
    files = sorted(RECORDINGS.glob("negatives/*.ogg"))
    if not files:
        print("classify recordings skipped: they are not beside the checkout")
        return
    found: dict[str, list[tuple[str, bool]]] = {}
    surely = []
    for file in files:
        verdict = classify(file)
        found.setdefault(file.stem.split("_1-")[0], []).append((verdict.kind, verdict.vetoed))
        surely.append(verdict.vetoed and verdict.vehicle < SURELY)
    for kind, verdicts in found.items():
        said = dict(Counter(each for each, _ in verdicts))
        rejected = sum(vetoed for _, vetoed in verdicts)
        print(f"classify recorded {kind} rejected: {rejected} of {len(verdicts)}, said {said}")
    every = [vetoed for verdicts in found.values() for _, vetoed in verdicts]
    print(f"classify recorded others_rejected: {np.mean(every):.3f} of {len(every)}")
    share("classify live recorded others_vetoed", surely)


def main() -> int:
    made()
    passages()
    recordings()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
