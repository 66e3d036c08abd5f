"""Train ``vigil-edge noise classify`` on made sounds; prints what the model card tells.

``cd tests && python -m training.noise_classifier --vectors FOLDER [--rounds N]``: the vectors
are kept in the folder, so that a second training needs seconds; the model is written into the
edge's package. Nothing is read but what ``vigil_sim.noise.clips`` makes: no recording.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil_edge.noise.classify import model
from vigil_edge.noise.classify.features import RATE_HZ, features
from vigil_sim.noise.clips.scene import SOURCES, clip

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

KINDS: Final = tuple(sorted(SOURCES))
VEHICLE: Final = KINDS.index("vehicle")
VEHICLES_PER_ROUND: Final = 5
HELD_OUT: Final = 1_000_000
"""Seeds from here on are never trained on."""
NETWORKS: Final = 5
HIDDEN: Final = 40
EPOCHS: Final = 60
LOST: Final = 0.005
"""Share of made vehicles under the threshold, each judged by the network that never saw it."""
MOST: Final = 0.2
"""The threshold at most: recordings are judged with less certainty than made sounds."""


def vectors(rounds: int, first: int) -> tuple[Array, Labels]:
    """Figures (n, features) and classes (n,): a clip of each class a round, five vehicles."""
    figures, kinds = [], []
    for each in range(rounds):
        for index, kind in enumerate(KINDS):
            for more in range(VEHICLES_PER_ROUND if index == VEHICLE else 1):
                seed = first + each * VEHICLES_PER_ROUND + more
                figures.append(features(clip(kind, seed, RATE_HZ)))
                kinds.append(index)
    return np.array(figures), np.array(kinds)


def kept(folder: Path, name: str, rounds: int, first: int) -> tuple[Array, Labels]:
    """The vectors of the folder, made where they are not there yet."""
    file = folder / f"{name}.npz"
    if not file.exists():
        figures, kinds = vectors(rounds, first)
        np.savez(file, X=figures, y=kinds)
    with np.load(file) as stored:
        return stored["X"], stored["y"]


def network(x: Array, y: Labels, seed: int) -> tuple[Array, Array]:
    """Weights of one network: Adam on the cross entropy, with noise and dropout on its input."""
    rng = np.random.default_rng(seed)
    shapes = ((x.shape[1] + 1, HIDDEN), (HIDDEN + 1, len(KINDS)))
    weights = [rng.standard_normal(shape) / np.sqrt(shape[0]) for shape in shapes]
    moments = [[np.zeros(shape) for shape in shapes] for _ in range(2)]
    wanted = 0.98 * np.eye(len(KINDS))[y] + 0.02 / len(KINDS)
    step = 0
    for epoch in range(EPOCHS):
        rate = 0.004 * (1 - epoch / EPOCHS) + 1e-4
        for part in np.array_split(rng.permutation(len(x)), max(1, len(x) // 96)):
            step += 1
            gradients = _gradients(_roughened(x[part], rng), wanted[part], weights)
            for index, gradient in enumerate(gradients):
                gradient = gradient + 2e-4 * weights[index]
                moments[0][index] = 0.9 * moments[0][index] + 0.1 * gradient
                moments[1][index] = 0.99 * moments[1][index] + 0.01 * gradient**2
                mean = moments[0][index] / (1 - 0.9**step)
                size = np.sqrt(moments[1][index] / (1 - 0.99**step)) + 1e-8
                weights[index] = weights[index] - rate * mean / size
    return weights[0], weights[1]


def _roughened(x: Array, rng: np.random.Generator) -> Array:
    rough = x + 0.3 * rng.standard_normal(x.shape)
    return np.asarray(rough * (rng.random(x.shape) > 0.15) / 0.85)


def _gradients(x: Array, wanted: Array, weights: list[Array]) -> list[Array]:
    first, second = weights
    hidden = np.tanh(x @ first[:-1] + first[-1])
    total = hidden @ second[:-1] + second[-1]
    chances = np.exp(total - total.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    error = (chances - wanted) / len(x)
    back = (error @ second[:-1].T) * (1 - hidden**2)
    return [
        np.vstack([x.T @ back, back.sum(axis=0)]),
        np.vstack([hidden.T @ error, error.sum(axis=0)]),
    ]


def train(figures: Array, kinds: Labels) -> model.Classifier:
    """Networks that each leave out a fifth, and the threshold from what they left out."""
    mean, deviation = figures.mean(axis=0), figures.std(axis=0) + 1e-6
    x = np.clip((figures - mean) / deviation, -model.FARTHEST, model.FARTHEST)
    fold = (np.arange(len(x)) // (len(KINDS) - 1 + VEHICLES_PER_ROUND)) % NETWORKS
    pairs = [network(x[fold != each], kinds[fold != each], each) for each in range(NETWORKS)]
    unseen = []
    for each, (first, second) in enumerate(pairs):
        part = (fold == each) & (kinds == VEHICLE)
        alone = model.Classifier(KINDS, mean, deviation, first[None], second[None], 0.0)
        unseen.append(alone.chances(figures[part])[:, VEHICLE])
    threshold = min(MOST, float(np.quantile(np.concatenate(unseen), LOST)))
    return model.Classifier(
        KINDS,
        mean,
        deviation,
        np.array([first for first, _ in pairs]),
        np.array([second for _, second in pairs]),
        threshold,
    )


def write(classifier: model.Classifier, file: Path) -> None:
    """Single precision: what is shipped is what ``report`` measures afterwards."""
    np.savez_compressed(
        file,
        kinds=np.array(classifier.kinds),
        mean=classifier.mean.astype(np.float32),
        deviation=classifier.deviation.astype(np.float32),
        first=classifier.first.astype(np.float32),
        second=classifier.second.astype(np.float32),
        threshold=np.float32(classifier.threshold),
    )


def report(classifier: model.Classifier, figures: Array, kinds: Labels) -> list[str]:
    """Lines ``name: value``, and the confusion: rows are what it was."""
    chances = classifier.chances(figures)
    vetoed = chances[:, VEHICLE] < classifier.threshold
    vehicles = kinds == VEHICLE
    lines = [
        f"threshold: {classifier.threshold:.4f}",
        f"vehicles lost: {vetoed[vehicles].mean():.4f} of {vehicles.sum()}",
        f"others rejected: {vetoed[~vehicles].mean():.4f} of {(~vehicles).sum()}",
        "| is | rejected | " + " | ".join(KINDS) + " |",
    ]
    said = chances.argmax(axis=1)
    for index, kind in enumerate(KINDS):
        part = kinds == index
        counts = np.bincount(said[part], minlength=len(KINDS))
        row = " | ".join(str(count) for count in counts)
        lines.append(f"| {kind} | {vetoed[part].mean():.3f} | {row} |")
    return lines


def main() -> None:
    """Train, write the model, print its figures on sounds it was not trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=220)
    parser.add_argument("--held-out", type=int, default=20, metavar="ROUNDS")
    arguments = parser.parse_args()
    arguments.vectors.mkdir(parents=True, exist_ok=True)
    classifier = train(*kept(arguments.vectors, "train", arguments.rounds, 0))
    write(classifier, Path(model.__file__).with_name("model.npz"))
    held_out = kept(arguments.vectors, "test", arguments.held_out, HELD_OUT)
    print("\n".join(report(model.shipped(), *held_out)))


if __name__ == "__main__":
    main()
