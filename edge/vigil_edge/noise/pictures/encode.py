"""Makes what a case's package holds of its folder: pictures, videos, third octaves, spectrogram.

Pictures are read one after another: a case of a large camera needs no more memory
than a few of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import cv2

from vigil_edge.noise import analysis
from vigil_edge.noise.pictures.case_folder import SHOWN
from vigil_edge.noise.pictures.copies import (
    THUMBNAIL,
    write_blurred,
    write_overlay,
    write_thumbnail,
)
from vigil_edge.noise.pictures.reading import (
    Film,
    Frames,
    film_of,
    plate_film_of,
    read_grey,
    read_picture,
    spread,
)
from vigil_edge.noise.pictures.street import Street
from vigil_edge.noise.pictures.video import write_video
from vigil_edge.noise.plate.candidates import Picture, Plate, candidates
from vigil_schemas.evidence import CameraRole

PLATE_WITHIN_S: Final = 2.0
"""A vehicle that comes towards the camera leaves its picture before it is loudest."""
PLATE_FRAMES: Final = 41

VIDEO: Final[dict[CameraRole, str]] = {"overview": "video.webm", "plate": "plate-video.webm"}
PLATE: Final = "plate.jpg"

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
    """Write ``frame.jpg``, ``thumbnail.jpg``, ``video.webm`` and its copies, if one is found
    ``plate.jpg``, and of a plate camera ``plate-video.webm`` and its blurred copy; returns the
    names.

    ``find``: the plate among the frames near the loudest moment; ``best_plate`` where it is not
    given. Frames that are no pictures are left out.
    """
    film, near = film_of(folder), plate_film_of(folder)
    # The pictures first: should time run out on a slow gateway, it is the video that is missing.
    # And the originals before their copies, the blurred ones before the sharp one.
    written = _stills(folder, film, near, find or best_plate)
    films: list[tuple[CameraRole, Film]] = [("overview", film)]
    if near is not None:
        films.append(("plate", near))
    for camera, one in films:
        if write_video(folder / VIDEO[camera], _pictures(one.frames), one.fps):
            written.append(VIDEO[camera])
    for camera, one in films:
        written += write_blurred(folder, partial(_pictures, one.frames), one.fps, camera)
    return written + write_overlay(folder, partial(_pictures, film.frames), film.fps)


def _stills(folder: Path, film: Film, near: Film | None, find: FindPlate) -> list[str]:
    """``frame.jpg``, ``thumbnail.jpg`` and ``plate.jpg``, and in ``cameras.json`` which of two
    cameras each came from. Where the overview delivered nothing, the plate camera's pictures show
    at least who was there."""
    shown: CameraRole = "overview"
    nearest = _nearest(film.frames, film.loudest_s)
    if nearest is None and near is not None:
        shown, nearest = "plate", _nearest(near.frames, near.loudest_s)
    if nearest is None:
        return []
    (folder / "frame.jpg").write_bytes(nearest.read_bytes())
    taken_by: dict[str, CameraRole] = {"frame.jpg": shown}
    found = find(film.frames, film.loudest_s) if shown == "overview" else None
    taken_by[THUMBNAIL] = _thumbnail(folder, (shown, nearest), found)
    if found is not None:
        crop = found.plate.crop(found.picture)
        factor = max(1.0, 320.0 / crop.shape[1])
        larger = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / PLATE), larger, [cv2.IMWRITE_JPEG_QUALITY, 92])
        taken_by[PLATE] = found.camera
    if near is not None:
        (folder / SHOWN).write_text(json.dumps(taken_by))
    return list(taken_by)


def _thumbnail(
    folder: Path, nearest: tuple[CameraRole, Path], found: BestPlate | None
) -> CameraRole:
    """Of the loudest moment; where the plate of what moves was made out, that picture, with it.
    Returns whose picture it is."""
    camera, path = nearest
    if found is not None and found.moves:
        write_thumbnail(folder, found.picture, found.plate, found.camera)
        return found.camera
    if (picture := read_picture(path)) is not None:
        write_thumbnail(folder, picture, None, camera)
    return camera


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
    camera: CameraRole = "overview"
    """Whose picture it is."""


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
