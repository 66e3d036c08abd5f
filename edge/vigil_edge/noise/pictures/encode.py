"""Makes what a case's package holds of its folder: pictures, videos, third octaves, spectrogram.

Pictures are read one after another: a case of a large camera needs no more memory
than a few of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import cv2

from vigil_edge.noise import analysis
from vigil_edge.noise.pictures.copies import THUMBNAIL, write_copies, write_thumbnail
from vigil_edge.noise.pictures.reading import Frames, frames_of, read_grey, read_picture, spread
from vigil_edge.noise.pictures.street import Street
from vigil_edge.noise.pictures.video import write_video
from vigil_edge.noise.plate.candidates import Picture, Plate, candidates

PLATE_WITHIN_S: Final = 2.0
"""A vehicle that comes towards the camera leaves its picture before it is loudest."""
PLATE_FRAMES: Final = 41

FindPlate = Callable[["Frames", float], "BestPlate | None"]


def measure(folder: Path) -> list[str]:
    """Third octaves and spectrogram of ``audio.wav``, by the calibration in ``case.json``;
    returns the names."""
    case = json.loads((folder / "case.json").read_text("utf-8"))
    calibration = case["calibration"]
    return analysis.write(
        folder, int(calibration["channel"]), float(calibration["pascal_per_unit"])
    )


def encode(folder: Path, find: FindPlate | None = None) -> list[str]:
    """Write ``frame.jpg``, ``thumbnail.jpg``, ``video.webm`` and its copies, and, if one is found,
    ``plate.jpg``; returns the names.

    ``find``: the plate among the frames near the loudest moment; ``best_plate`` where it is not
    given. Frames that are no pictures are left out.
    """
    frames, loudest_s, fps = frames_of(folder)
    written = []
    # The pictures first: should time run out on a slow gateway, it is the video that is missing.
    nearest = _nearest(frames, loudest_s)
    if nearest is None:
        return []
    (folder / "frame.jpg").write_bytes(nearest.read_bytes())
    written.append("frame.jpg")
    found = (find or best_plate)(frames, loudest_s)
    _thumbnail(folder, nearest, found)
    written.append(THUMBNAIL)
    if found is not None:
        picture, plate = found.picture, found.plate
        crop = plate.crop(picture)
        factor = max(1.0, 320.0 / crop.shape[1])
        larger = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "plate.jpg"), larger, [cv2.IMWRITE_JPEG_QUALITY, 92])
        written.append("plate.jpg")
    if write_video(folder / "video.webm", _pictures(frames), fps):
        written.append("video.webm")
    return written + write_copies(folder, lambda: _pictures(frames), fps)


def _thumbnail(folder: Path, nearest: Path, found: BestPlate | None) -> None:
    """Of the loudest moment; where the plate of what moves was made out, that picture, with it."""
    if found is not None and found.moves:
        write_thumbnail(folder, found.picture, found.plate)
    elif (picture := read_picture(nearest)) is not None:
        write_thumbnail(folder, picture, None)


def _nearest(frames: Frames, loudest_s: float) -> Path | None:
    """The picture nearest to the loudest moment that can be read."""
    by_distance = sorted(frames, key=lambda frame: abs(frame[1] - loudest_s))
    return next((path for path, _ in by_distance if read_picture(path) is not None), None)


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
    street = Street.of(
        [grey for path, _ in spread(frames) if (grey := read_grey(path)) is not None]
    )
    best = _best(_passing(near, street)) if street else None
    moves = best is not None
    if best is None and not (street and _anything_passes(near, street)):
        best = _best(_still(near))
    if best is None:
        return None
    picture = read_picture(best[0])
    return None if picture is None else BestPlate(picture, best[1], moves)


Found = Iterable[tuple[Path, Plate]]


def _best(found: Found) -> tuple[Path, Plate] | None:
    return max(found, key=lambda each: each[1].score, default=None)


def _passing(frames: Frames, street: Street) -> Found:
    for path, _ in frames:
        grey = read_grey(path)
        if grey is not None and grey.shape == street.still.shape:
            yield from ((path, plate) for plate in street.passing(grey))


def _anything_passes(frames: Frames, street: Street) -> bool:
    greys = (read_grey(path) for path, _ in frames)
    return any(
        grey is not None and grey.shape == street.still.shape and street.vehicle(grey)
        for grey in greys
    )


def _still(frames: Frames) -> Found:
    for path, _ in frames:
        grey = read_grey(path)
        if grey is not None:
            yield from ((path, plate) for plate in candidates(grey))


def _near(frames: Frames, loudest_s: float) -> Frames:
    """At most ``PLATE_FRAMES`` within ``PLATE_WITHIN_S``, evenly thinned out if there are more."""
    near = [frame for frame in frames if abs(frame[1] - loudest_s) <= PLATE_WITHIN_S]
    return near[:: -(-len(near) // PLATE_FRAMES) or 1]


def _pictures(frames: Frames) -> Iterator[tuple[Picture, float]]:
    """Pictures with their moments; frames that are none are left out."""
    for path, time_s in frames:
        picture = read_picture(path)
        if picture is not None:
            yield picture, time_s
