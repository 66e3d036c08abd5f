"""Plates rendered by the simulators' own program: exact, wrong and unread ones, and the time.

``VIGIL_PICTURES``: how many (100; a bound of 0.5 % on wrong ones needs 600 and more).
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vigil_edge.noise.plate.reader import load, read_plate
from vigil_sim.noise.plate import plate

SAMPLE = int(os.environ.get("VIGIL_PICTURES", "100"))
PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "plates"
SERIES = ("LLL-DDDD", "LLL-DDDD", "LL-DDDD", "DDDD-LL", "LLL-DDD", "DDD-LLL", "ELL-DDDD")
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def _text(series: str, rng: np.random.Generator) -> str:
    draw = {"L": LETTERS, "D": "0123456789"}
    return "".join(
        draw[kind][int(rng.integers(len(draw[kind])))] if kind in draw else kind for kind in series
    )


def picture(text: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A street of 960 × 540 with the plate at up to 40° to the side, by day or night, blurred."""
    night = rng.random() < 0.4
    flat = plate(text, scooter=bool(rng.random() < 0.4)).astype(np.float32)
    if rng.random() < 0.25:  # white or yellow-green on dark, as electric and taxi series
        flat = 255.0 - flat
    height, width = flat.shape[:2]
    size = float(rng.uniform(110, 240))
    yaw, roll = np.radians(rng.uniform(-40, 40)), np.radians(rng.uniform(-6, 6))
    half_w, half_h = size / 2, size / 2 * height / width
    corners = []
    for x, y in ((-half_w, -half_h), (half_w, -half_h), (half_w, half_h), (-half_w, half_h)):
        near = 1.0 / (1.0 + 0.0008 * x * math.sin(yaw))
        u, v = x * math.cos(yaw) * near, y * near
        corners.append(
            (
                480 + u * math.cos(roll) - v * math.sin(roll),
                300 + u * math.sin(roll) + v * math.cos(roll),
            )
        )
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, np.array(corners, np.float32))
    ground = np.clip(rng.normal(95, 25, (27, 48, 3)), 0, 255).astype(np.float32)
    scene = cv2.resize(ground, (960, 540), interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(flat, (0, 0), max(0.1, width / size / 2.5))
    warped = cv2.warpPerspective(soft, matrix, (960, 540))
    mask = cv2.warpPerspective(np.ones_like(flat), matrix, (960, 540))
    scene = scene * (0.25 if night else 1.0) * (1 - mask) + warped * (0.75 if night else 1.0) * mask
    scene = cv2.GaussianBlur(scene, (0, 0), float(rng.uniform(0.3, 1.4)))
    scene = scene + rng.normal(0, 9 if night else 4, scene.shape)
    encoded = cv2.imencode(".jpg", np.clip(scene, 0, 255).astype(np.uint8))[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _folded(text: str) -> str:
    return text.replace("-", "").replace("O", "0").replace("I", "1")


def photographs() -> None:
    """Street photographs beside the checkout; the label of one has two letters exchanged."""
    files = sorted(PHOTOGRAPHS.glob("*.jpg"))
    if not files:
        print("plates photographs skipped: they are not beside the checkout")
        return
    read = {path.stem: read_plate(load(path)[0]).text for path in files}
    exact = sum(text is not None and _folded(text) == _folded(name) for name, text in read.items())
    wrong = {name: text for name, text in read.items() if text not in (None, name)}
    print(f"plates photographs: {len(read)}, exact {exact}, otherwise {wrong}")


def main() -> int:
    photographs()
    rng = np.random.default_rng(61)
    exact = wrong = 0
    times = []
    for number in range(SAMPLE):
        text = _text(SERIES[number % len(SERIES)], rng)
        shown = picture(text, rng)
        began = time.process_time()
        read = read_plate(shown)
        times.append(time.process_time() - began)
        if read.text is None:
            continue
        right = _folded(read.text) == _folded(text)
        exact += right
        wrong += not right
    print(f"plates rendered: {SAMPLE}")
    print(f"plates exact: {exact / SAMPLE:.3f}")
    print(f"plates wrong: {wrong / SAMPLE:.4f}")
    # Clopper and Pearson's.
    print(f"plates wrong_at_most_95: {stats.beta.ppf(0.975, wrong + 1, SAMPLE - wrong):.4f}")
    print(f"plates processor_ms median: {1000 * float(np.median(times)):.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
