"""Makes the pictures and the films that a case's package holds of its folder; the films' copies are
made in ``copies``.

Pictures are read one after another: a case of a large camera needs no more memory
than a few of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

import cv2

from vigil_edge.noise.pictures.case_folder import SHOWN, put
from vigil_edge.noise.pictures.copies import THUMBNAIL, write_thumbnail
from vigil_edge.noise.pictures.reading import (
    Film,
    Frames,
    pictures_of,
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


def write_original(folder: Path, film: Film, camera: CameraRole = "overview") -> list[str]:
    """One camera's film as it saw the passage: ``video.webm`` or ``plate-video.webm``; returns its
    name, nothing where there is no picture. Frames that are no pictures are left out."""
    name = VIDEO[camera]
    return [name] if write_video(folder / name, pictures_of(film.frames), film.fps) else []


def write_stills(
    folder: Path, film: Film, near: Film | None = None, find: FindPlate | None = None
) -> list[str]:
    """``frame.jpg``, ``thumbnail.jpg`` and, if one is found, ``plate.jpg``, and in ``cameras.json``
    which of two cameras each came from; returns the names. Where the overview (``film``) delivered
    nothing, the plate camera's pictures (``near``) show at least who was there.

    ``find``: the plate among the frames near the loudest moment; ``best_plate`` where it is not
    given.
    """
    shown: CameraRole = "overview"
    nearest = _nearest(film.frames, film.loudest_s)
    if nearest is None and near is not None:
        shown, nearest = "plate", _nearest(near.frames, near.loudest_s)
    if nearest is None:
        return []
    put(folder / "frame.jpg", nearest.read_bytes())
    taken_by: dict[str, CameraRole] = {"frame.jpg": shown}
    look = find or best_plate
    found = look(film.frames, film.loudest_s) if shown == "overview" else None
    taken_by[THUMBNAIL] = _thumbnail(folder, (shown, nearest), found)
    if found is not None:
        crop = found.plate.crop(found.picture)
        factor = max(1.0, 320.0 / crop.shape[1])
        larger = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        jpeg = cv2.imencode(".jpg", larger, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        put(folder / PLATE, jpeg.tobytes())
        taken_by[PLATE] = found.camera
    if near is not None:
        put(folder / SHOWN, json.dumps(taken_by).encode())
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
