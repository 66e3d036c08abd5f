"""The pictures of a case folder: ``frames.json`` and the JPEG files that it names.

Pictures are read one after another: a case of a large camera needs no more memory than a few.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np

from vigil_edge.noise.plate.candidates import Grey, Picture

STREET_FRAMES: Final = 9
"""Spread over the whole passage: a vehicle covers no place in half of them."""

Frames = list[tuple[Path, float]]
"""JPEG files and their moments in seconds."""


def frames_of(folder: Path) -> tuple[Frames, float, float]:
    """The frames, the moment of LAFmax in seconds, and the rate of the pictures.

    ``folder/frames.json``: ``{"fps":…, "LAFmax_s":…, "frames":[[name, seconds], …]}``, the
    names being JPEG files in ``folder/frames``.
    """
    case = json.loads((folder / "frames.json").read_text())
    frames = [(folder / "frames" / name, float(time_s)) for name, time_s in case["frames"]]
    return frames, float(case["LAFmax_s"]), float(case["fps"])


def spread(frames: Frames) -> Frames:
    """Some of them, evenly over the whole passage."""
    chosen = np.linspace(0, len(frames) - 1, min(STREET_FRAMES, len(frames)))
    return [frames[round(float(index))] for index in chosen]


def read_picture(path: Path) -> Picture | None:
    """In colour; None for what is no picture."""
    return cast("Picture | None", decoded(path, cv2.IMREAD_COLOR))


def read_grey(path: Path) -> Grey | None:
    """In grey levels; None for what is no picture."""
    return cast("Grey | None", decoded(path, cv2.IMREAD_GRAYSCALE))


def decoded(path: Path, how: int) -> Any:
    """As OpenCV reads it; None for what is no picture."""
    content = np.fromfile(path, np.uint8)
    try:
        return cv2.imdecode(content, how) if content.size else None
    except cv2.error:  # a header that asks for gigabytes
        return None
