"""The pictures of a case folder: ``frames.json`` and the JPEG files that it names, and of a place
with two cameras ``plate-frames.json`` with its own.

Pictures are read one after another: a case of a large camera needs no more memory than a few.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np

from vigil_edge.noise.pictures.case_folder import FRAMES
from vigil_edge.noise.pictures.moments import UNKNOWN, Known
from vigil_edge.noise.plate.candidates import Grey, Picture
from vigil_schemas.evidence import CameraRole

STREET_FRAMES: Final = 9
"""Spread over the whole passage: a vehicle covers no place in half of them."""

_REDUCED: Final = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)
"""How many times smaller a JPEG is decoded, for less than decoding it whole."""

Frames = list[tuple[Path, float]]
"""JPEG files and their moments in seconds."""


@dataclass(frozen=True, slots=True)
class Film:
    """One camera's pictures of a passage."""

    frames: Frames
    loudest_s: float
    """The moment of LAFmax."""
    fps: float
    known: Known
    """How well the moments of all of them are known."""


def film_of(folder: Path, camera: CameraRole = "overview") -> Film:
    """``folder/frames.json``: ``{"fps":…, "LAFmax_s":…, "known_s":[earlier, later],
    "frames":[[name, seconds], …]}``, the names being JPEG files in ``folder/frames``; ``plate-``
    before both of the plate camera. Where nothing says how well their moments are known (a case
    that waited while its gateway was updated), they are not.

    Raises ``FileNotFoundError`` where the place has no such camera.
    """
    name = FRAMES[camera]
    case = json.loads((folder / f"{name}.json").read_text())
    frames = [(folder / name / file, float(time_s)) for file, time_s in case["frames"]]
    known = Known(*map(float, case["known_s"])) if "known_s" in case else UNKNOWN
    return Film(frames, float(case["LAFmax_s"]), float(case["fps"]), known)


def plate_film_of(folder: Path) -> Film | None:
    """The plate camera's; ``None`` where the place has one camera."""
    try:
        return film_of(folder, "plate")
    except FileNotFoundError:
        return None


def spread(frames: Frames) -> Frames:
    """Some of them, evenly over the whole passage."""
    chosen = np.linspace(0, len(frames) - 1, min(STREET_FRAMES, len(frames)))
    return [frames[round(float(index))] for index in chosen]


def read_picture(path: Path) -> Picture | None:
    """In colour; None for what is no picture."""
    return cast("Picture | None", decoded(path, cv2.IMREAD_COLOR))


def pictures_of(frames: Frames, least_width: int | None = None) -> Iterator[tuple[Picture, float]]:
    """Pictures with their moments; frames that are none are left out.

    ``least_width``: they need be no wider, and are decoded smaller where that leaves so much.
    """
    how = cv2.IMREAD_COLOR if least_width is None else _as_small_as(least_width, frames)
    for path, time_s in frames:
        picture = decoded(path, how)
        if picture is not None:
            yield cast(Picture, picture), time_s


def _as_small_as(least_width: int, frames: Frames) -> int:
    """The flag for pictures as wide as the first that can be read."""
    first = next((found for path, _ in frames if (found := read_grey(path)) is not None), None)
    width = 0 if first is None else first.shape[1]
    return next((how for times, how in _REDUCED if width >= times * least_width), cv2.IMREAD_COLOR)


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
