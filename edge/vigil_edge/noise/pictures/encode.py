"""Makes what a case's package holds of its folder: pictures, videos, third octaves, spectrogram.
``python -m vigil_edge.noise.pictures.encode FOLDER``.

A process of its own: OpenCV's memory goes back when it ends, its work cannot
hold up the microphone, and a picture that crashes a codec crashes only this.

Pictures are read one after another: a case of a large camera needs no more memory
than a few of them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import cv2
import numpy as np

from vigil_edge.noise import analysis
from vigil_edge.noise.pictures.copies import THUMBNAIL, write_copies, write_thumbnail
from vigil_edge.noise.pictures.street import Street
from vigil_edge.noise.pictures.video import write_video
from vigil_edge.noise.plate.candidates import Grey, Picture, Plate, candidates

PLATE_WITHIN_S: Final = 2.0
"""A vehicle that comes towards the camera leaves its picture before it is loudest."""
PLATE_FRAMES: Final = 41
STREET_FRAMES: Final = 9
"""Spread over the whole passage: a vehicle covers no place in half of them."""
NICENESS: Final = 10

Frames = list[tuple[Path, float]]
"""JPEG files and their moments in seconds."""


def measure(folder: Path) -> list[str]:
    """Third octaves and spectrogram of ``audio.wav``, by the calibration in ``case.json``;
    returns the names."""
    case = json.loads((folder / "case.json").read_text("utf-8"))
    calibration = case["calibration"]
    return analysis.write(
        folder, int(calibration["channel"]), float(calibration["pascal_per_unit"])
    )


def encode(folder: Path) -> list[str]:
    """Write ``frame.jpg``, ``thumbnail.jpg``, ``video.webm`` and its copies, and, if one is found,
    ``plate.jpg``; returns the names.

    ``folder/frames.json``: ``{"fps":…, "LAFmax_s":…, "frames":[[name, seconds], …]}``, the
    names being JPEG files in ``folder/frames``. Frames that are no pictures are left out.
    """
    case = json.loads((folder / "frames.json").read_text())
    frames = [(folder / "frames" / name, float(time_s)) for name, time_s in case["frames"]]
    loudest_s = float(case["LAFmax_s"])
    written = []
    # The pictures first: should time run out on a slow gateway, it is the video that is missing.
    nearest = _nearest(frames, loudest_s)
    if nearest is None:
        return []
    (folder / "frame.jpg").write_bytes(nearest.read_bytes())
    written.append("frame.jpg")
    found = best_plate(frames, loudest_s)
    _thumbnail(folder, nearest, found)
    written.append(THUMBNAIL)
    if found is not None:
        picture, plate = found.picture, found.plate
        crop = plate.crop(picture)
        factor = max(1.0, 320.0 / crop.shape[1])
        larger = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "plate.jpg"), larger, [cv2.IMWRITE_JPEG_QUALITY, 92])
        written.append("plate.jpg")
    if write_video(folder / "video.webm", _pictures(frames), float(case["fps"])):
        written.append("video.webm")
    return written + write_copies(folder, lambda: _pictures(frames), float(case["fps"]))


def _thumbnail(folder: Path, nearest: Path, found: BestPlate | None) -> None:
    """Of the loudest moment; where the plate of what moves was made out, that picture, with it."""
    if found is not None and found.moves:
        write_thumbnail(folder, found.picture, found.plate)
    elif (picture := _read(nearest)) is not None:
        write_thumbnail(folder, picture, None)


def _nearest(frames: Frames, loudest_s: float) -> Path | None:
    """The picture nearest to the loudest moment that can be read."""
    by_distance = sorted(frames, key=lambda frame: abs(frame[1] - loudest_s))
    return next((path for path, _ in by_distance if _read(path) is not None), None)


class BestPlate(NamedTuple):
    """A plate and the picture that it stands in."""

    picture: Picture
    plate: Plate
    moves: bool
    """It belongs to something that passes, and not to the street."""


def best_plate(frames: Frames, loudest_s: float) -> BestPlate | None:
    """The clearest plate of what moves in the frames nearest to the loudest moment.

    Where there are too few frames to tell what moves, or no vehicle moves, the most
    plate-like row of characters of all. Where one moves and its plate cannot be made out,
    None: a shop's sign is no evidence.
    """
    near = _near(frames, loudest_s)
    street = Street.of([grey for path, _ in _spread(frames) if (grey := _grey(path)) is not None])
    best = _best(_passing(near, street)) if street else None
    moves = best is not None
    if best is None and not (street and _anything_passes(near, street)):
        best = _best(_still(near))
    if best is None:
        return None
    picture = _read(best[0])
    return None if picture is None else BestPlate(picture, best[1], moves)


Found = Iterable[tuple[Path, Plate]]


def _best(found: Found) -> tuple[Path, Plate] | None:
    return max(found, key=lambda each: each[1].score, default=None)


def _passing(frames: Frames, street: Street) -> Found:
    for path, _ in frames:
        grey = _grey(path)
        if grey is not None and grey.shape == street.still.shape:
            yield from ((path, plate) for plate in street.passing(grey))


def _anything_passes(frames: Frames, street: Street) -> bool:
    greys = (_grey(path) for path, _ in frames)
    return any(
        grey is not None and grey.shape == street.still.shape and street.vehicle(grey)
        for grey in greys
    )


def _still(frames: Frames) -> Found:
    for path, _ in frames:
        grey = _grey(path)
        if grey is not None:
            yield from ((path, plate) for plate in candidates(grey))


def _near(frames: Frames, loudest_s: float) -> Frames:
    """At most ``PLATE_FRAMES`` within ``PLATE_WITHIN_S``, evenly thinned out if there are more."""
    near = [frame for frame in frames if abs(frame[1] - loudest_s) <= PLATE_WITHIN_S]
    return near[:: -(-len(near) // PLATE_FRAMES) or 1]


def _spread(frames: Frames) -> Frames:
    chosen = np.linspace(0, len(frames) - 1, min(STREET_FRAMES, len(frames)))
    return [frames[round(float(index))] for index in chosen]


def _pictures(frames: Frames) -> Iterator[tuple[Picture, float]]:
    """Pictures with their moments; frames that are none are left out."""
    for path, time_s in frames:
        picture = _read(path)
        if picture is not None:
            yield picture, time_s


def _read(path: Path) -> Picture | None:
    return cast("Picture | None", _decoded(path, cv2.IMREAD_COLOR))


def _grey(path: Path) -> Grey | None:
    return cast("Grey | None", _decoded(path, cv2.IMREAD_GRAYSCALE))


def _decoded(path: Path, how: int) -> Any:
    content = np.fromfile(path, np.uint8)
    try:
        return cv2.imdecode(content, how) if content.size else None
    except cv2.error:  # a header that asks for gigabytes
        return None


def main() -> int:
    """The child process; prints the names of what it wrote."""
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    folder = Path(sys.argv[1])
    try:
        written = encode(folder)
    finally:  # whatever is wrong with the pictures, the sound is measured
        measured = measure(folder)
    print(json.dumps(written + measured))  # noqa: T201 - read by the parent process
    return 0


if __name__ == "__main__":
    sys.exit(main())
