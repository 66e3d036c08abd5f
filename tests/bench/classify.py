"""The veto on made sounds of unseen seeds, on sounds of another make than what it was trained on,
on the street simulator's vehicles, on recordings, on passages of real streets: by the model's own
threshold (``rejected``, ``vehicles_lost``), and ``live``: by the rule of two hearings that the live
trigger and ``noise classify`` judge by (ADR 142).

``VIGIL_CLASSIFY_SEED`` moves the first seed of what is made."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from bench import sounds_apart
from vigil_edge.noise.classify.features import RATE_HZ, features
from vigil_edge.noise.classify.hearing import heard as judged_live
from vigil_edge.noise.classify.model import shipped
from vigil_edge.noise.classify.reading import loudest_in, loudest_stretch
from vigil_edge.noise.sound.pcm import channel_units
from vigil_edge.noise.sound.wav import open_wav
from vigil_sim.noise.clips.scene import SOURCES, clip
from vigil_sim.noise.sound import Vehicle, background, passage
from vigil_sim.noise.vehicle import SAMPLE_RATE, VehicleKind

UNSEEN = int(os.environ.get("VIGIL_CLASSIFY_SEED", "3000000"))
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


def judged(name: str, kinds: Sequence[str], sound: Callable[[str, int], NDArray[Any]]) -> None:
    """Each kind's share that is rejected, vehicles', and all the others'."""
    rejected, surely = list[bool](), list[bool]()
    for kind in kinds:
        count = VEHICLES if kind == "vehicle" else OF_EACH
        sounds = [sound(kind, UNSEEN + seed) for seed in range(count)]
        vetoed = [shipped().judge(features(each)).vetoed for each in sounds]
        live = [judged_live(each).vetoed for each in sounds]
        print(f"classify {name} {kind} rejected: {np.mean(vetoed):.3f} of {count}", flush=True)
        print(f"classify live {name} {kind} vetoed: {np.mean(live):.3f} of {count}", flush=True)
        if kind == "vehicle":
            share(f"classify {name} vehicles_lost", vetoed)
            share(f"classify live {name} vehicles_lost", live)
        else:
            rejected += vetoed
            surely += live
    share(f"classify {name} others_rejected", rejected)
    share(f"classify live {name} others_vetoed", surely)


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
        surely.append(judged_live(sound[: 5 * RATE_HZ]).vetoed)
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
        sound = loudest_stretch(file)
        verdict = shipped().judge(features(sound))
        found.setdefault(file.stem.split("_1-")[0], []).append((verdict.kind, verdict.vetoed))
        surely.append(judged_live(sound).vetoed)
    for kind, verdicts in found.items():
        said = dict(Counter(each for each, _ in verdicts))
        rejected = sum(vetoed for _, vetoed in verdicts)
        print(f"classify recorded {kind} rejected: {rejected} of {len(verdicts)}, said {said}")
    every = [vetoed for verdicts in found.values() for _, vetoed in verdicts]
    print(f"classify recorded others_rejected: {np.mean(every):.3f} of {len(every)}")
    share("classify live recorded others_vetoed", surely)


def streets() -> None:
    """Passages of recorded streets, about each maximum of the Fast A-weighted level: with what the
    file has around it, and with its mirror image before and after, as a stream would go on."""
    files = sorted(RECORDINGS.glob("street_*.wav"))
    if not files:
        print("classify streets skipped: they are not beside the checkout")
        return
    every: list[bool] = []
    for file in files:
        vetoed = [judged_live(sound).vetoed for sound in street_passages(file)]
        print(f"classify live {file.stem} vetoed: {sum(vetoed)} of {len(vetoed)}")
        every += vetoed
    share("classify live streets vetoed", every)


def street_passages(file: Path) -> list[NDArray[Any]]:
    """The whole file first, then two of each maximum, (n,) at 22,050 Hz."""
    recording = open_wav(file)
    rate_hz = recording.format.rate_hz
    frames = np.concatenate(list(recording.blocks(rate_hz)))
    found = [loudest_stretch(file)]
    for channel in range(frames.shape[1]):
        sound = channel_units(frames, channel)[:, np.newaxis]
        count = len(sound)
        longer = np.concatenate([sound[::-1], sound, sound[::-1]])
        for peak in _maxima(sound[:, 0], rate_hz):
            first, last = max(0, peak - rate_hz // 4), min(count, peak + rate_hz // 4)
            around = sound[max(0, peak - 2 * rate_hz) : peak + 2 * rate_hz]
            found.append(loudest_in(around, rate_hz))
            found.append(loudest_in(longer, rate_hz, (count + first, count + last)))
    return found


def _maxima(sound: NDArray[Any], rate_hz: int) -> list[int]:
    """Samples, from 0.3 s on: before that the Fast level still rises from rest."""
    spectrum = np.fft.rfft(sound)
    f2 = np.fft.rfftfreq(len(sound), 1 / rate_hz) ** 2
    gain = 12194**2 * f2**2 / ((f2 + 20.6**2) * (f2 + 12194**2))
    gain /= np.sqrt((f2 + 107.7**2) * (f2 + 737.9**2))
    weighted = np.fft.irfft(spectrum * gain, len(sound))
    part = 1 - np.exp(-1 / (0.125 * rate_hz))
    fast = 10 * np.log10(signal.lfilter([part], [1, part - 1], weighted**2) + 1e-15)
    peaks, _ = signal.find_peaks(fast, distance=rate_hz // 4, prominence=0.8)
    return [int(peak) for peak in peaks if peak > 0.3 * rate_hz]


def main() -> int:
    # Of the make that it was trained on, by seeds that it never heard, and of another.
    judged("made", list(SOURCES), clip)
    judged("apart", list(sounds_apart.KINDS), sounds_apart.sound)
    passages()
    recordings()
    streets()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
