"""A second copy of the video with level, bearing and time in it, a third in which nobody can be
recognised (of a plate camera's film as well), and a thumbnail of that kind."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, cast

import cv2

from vigil_edge.noise.pictures.blurred import GRID, PLATE_GRID, blurred
from vigil_edge.noise.pictures.case_folder import put
from vigil_edge.noise.pictures.drawn import Overlay, Trace
from vigil_edge.noise.pictures.reading import Film, pictures_of
from vigil_edge.noise.pictures.video import write_video
from vigil_edge.noise.plate.candidates import Picture, Plate
from vigil_schemas.evidence import CameraRole

OVERLAY: Final = "overlay.webm"
BLURRED: Final[dict[CameraRole, str]] = {
    "overview": "blurred.webm",
    "plate": "plate-blurred.webm",
}
_CELLS: Final[dict[CameraRole, int]] = {"overview": GRID, "plate": PLATE_GRID}
THUMBNAIL: Final = "thumbnail.jpg"
LEVELS: Final = "levels.json"
BEARING: Final = "bearing.json"
_OVERLAY_WIDTH: Final = 960
_BLURRED_WIDTH: Final = 480
_THUMBNAIL_WIDTH: Final = 480


def trace_of(folder: Path) -> Trace | None:
    """What is drawn, by the case's own files; ``None`` where there is no curve."""
    if not (folder / LEVELS).is_file():
        return None
    said = json.loads((folder / LEVELS).read_text("utf-8"))["exceedance"]
    curve = said.get("level_curve")
    if curve is None:
        return None
    start = datetime.fromisoformat(curve["start"]).timestamp()
    bearings = _bearings(folder / BEARING)
    return Trace(start, curve["interval_s"], curve["LAF"], said["threshold_db"], bearings)


def _bearings(path: Path) -> list[tuple[float, float | None]]:
    if not path.is_file():
        return []
    said = json.loads(path.read_text("utf-8"))
    start, step = datetime.fromisoformat(said["start"]).timestamp(), said["interval_s"]
    return [(start + step * number, azimuth) for number, azimuth in enumerate(said["azimuth_deg"])]


def write_thumbnail(folder: Path, picture: Picture, keep: Plate | None, camera: CameraRole) -> None:
    """``thumbnail.jpg``; ``keep``: the plate of the vehicle in question, in this picture.
    ``camera``: whose picture it is."""
    small = _at_most(blurred(picture, keep, cells=_CELLS[camera]), _THUMBNAIL_WIDTH)
    put(
        folder / THUMBNAIL, cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    )


def write_blurred(folder: Path, film: Film, camera: CameraRole = "overview") -> list[str]:
    """The copy of one camera's film in which nobody can be recognised; returns its name, nothing
    where there is no picture or no curve to draw."""
    trace = trace_of(folder)
    if trace is None:
        return []
    overlay, cells = Overlay(trace), _CELLS[camera]
    coarse = (
        (overlay.drawn(blurred(_at_most(picture, _BLURRED_WIDTH), cells=cells), at), at)
        for picture, at in pictures_of(film.frames, _BLURRED_WIDTH)
    )
    return _named(folder, BLURRED[camera], coarse, film.fps)


def write_overlay(folder: Path, film: Film) -> list[str]:
    """The sharp copy with level, bearing and time in it; returns as ``write_blurred``."""
    trace = trace_of(folder)
    if trace is None:
        return []
    overlay = Overlay(trace)
    sharp = (
        (overlay.drawn(_at_most(picture, _OVERLAY_WIDTH), at), at)
        for picture, at in pictures_of(film.frames, _OVERLAY_WIDTH)
    )
    return _named(folder, OVERLAY, sharp, film.fps)


def _named(
    folder: Path, name: str, drawn: Iterable[tuple[Picture, float]], fps: float
) -> list[str]:
    return [name] if write_video(folder / name, drawn, fps) else []


def _at_most(picture: Picture, width: int) -> Picture:
    height, wide = picture.shape[:2]
    if wide <= width:
        return picture
    size = (width, round(height * width / wide))
    return cast(Picture, cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
