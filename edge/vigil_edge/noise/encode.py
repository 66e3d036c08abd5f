"""Makes pictures and a video of a case folder: ``python -m vigil_edge.noise.encode FOLDER``.

A process of its own: OpenCV's memory goes back when it ends, its work cannot
hold up the microphone, and a picture that crashes a codec crashes only this.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np

from vigil_edge.noise.plate import Picture, Plate, find_plate

PLATE_WITHIN_S: Final = 2.0
PLATE_FRAMES: Final = 24
NICENESS: Final = 10


def encode(folder: Path) -> list[str]:
    """Write ``video.webm``, ``frame.jpg`` and, if one is found, ``plate.jpg``; returns the names.

    ``folder/frames.json``: ``{"fps":…, "LAFmax_s":…, "frames":[[name, seconds], …]}``, the
    names being JPEG files in ``folder/frames``. Frames that are no pictures are left out.
    """
    case = json.loads((folder / "frames.json").read_text())
    frames = [(folder / "frames" / name, float(time_s)) for name, time_s in case["frames"]]
    frames = [(path, time_s) for path, time_s in frames if _read(path) is not None]
    if not frames:
        return []
    written = []
    if _video(folder / "video.webm", frames, float(case["fps"])):
        written.append("video.webm")
    nearest = min(frames, key=lambda frame: abs(frame[1] - case["LAFmax_s"]))
    (folder / "frame.jpg").write_bytes(nearest[0].read_bytes())
    written.append("frame.jpg")
    found = best_plate(frames, float(case["LAFmax_s"]))
    if found is not None:
        picture, plate = found
        crop = plate.crop(picture)
        factor = max(1.0, 320.0 / crop.shape[1])
        larger = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "plate.jpg"), larger, [cv2.IMWRITE_JPEG_QUALITY, 92])
        written.append("plate.jpg")
    return written


def best_plate(frames: list[tuple[Path, float]], loudest_s: float) -> tuple[Picture, Plate] | None:
    """The clearest plate in the frames nearest to the loudest moment."""
    near = sorted(frames, key=lambda frame: abs(frame[1] - loudest_s))[:PLATE_FRAMES]
    best: tuple[Picture, Plate] | None = None
    for path, time_s in near:
        picture = _read(path)
        if picture is None or abs(time_s - loudest_s) > PLATE_WITHIN_S:
            continue
        plate = find_plate(picture)
        if plate is not None and (best is None or plate.score > best[1].score):
            best = picture, plate
    return best


def _read(path: Path) -> Picture | None:
    decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return None if decoded is None else cast(Picture, decoded)


def _video(path: Path, frames: list[tuple[Path, float]], fps: float) -> bool:
    """VP8 at a steady rate: each instant shows the newest frame, so it stays with the sound."""
    first = _read(frames[0][0])
    if first is None:
        return False
    height, width = (side - side % 2 for side in first.shape[:2])
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), fps, (width, height)
    )
    try:
        if not writer.isOpened():
            return False
        for picture in _steady(frames, fps):
            fits = picture.shape[:2] == (height, width)
            writer.write(picture if fits else cv2.resize(picture, (width, height)))
    finally:
        writer.release()
    return path.stat().st_size > 0


def _steady(frames: list[tuple[Path, float]], fps: float) -> Iterator[Picture]:
    picture: Any = None
    shown = -1
    newest = 0
    steps = int((frames[-1][1] - frames[0][1]) * fps) + 1
    for step in range(steps):
        instant = frames[0][1] + step / fps
        while newest + 1 < len(frames) and frames[newest + 1][1] <= instant + 0.5 / fps:
            newest += 1
        if newest != shown:
            picture, shown = _read(frames[newest][0]), newest
        yield picture


def main() -> int:
    """The child process; prints the names of what it wrote."""
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    print(json.dumps(encode(Path(sys.argv[1]))))  # noqa: T201 - read by the parent process
    return 0


if __name__ == "__main__":
    sys.exit(main())
