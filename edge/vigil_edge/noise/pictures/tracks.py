"""Vehicles followed through a passage's pictures (OpenCV).

What differs from the street without the passage, the median of pictures spread over it, is cut out;
light that a vehicle throws on the road is left out, for it shows the same surface brighter. Pieces
are linked from picture to picture where each is expected next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from vigil_edge.noise.pictures.street import middle_level

Small = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""x, y, width, height."""

_WIDTH: Final = 480
"""Pictures are made about so wide: vehicles need not be sharper."""
_STREET_PICTURES: Final = 15
_LEAST_PICTURES: Final = 5
_CHANGE: Final = 12
"""Grey levels."""
_WINDOW: Final = 7
_ALIKE: Final = 0.75
"""Correlation with the street at which it is the same surface in another light."""
_FLAT: Final = 12.0
"""Variance, grey levels squared, below which a surface shows no texture."""
_LEAST_HEIGHT: Final = 0.03
"""Of the picture's."""
_LEAST_AREA: Final = 40
_MOST_PIECES: Final = 100
"""Of one picture; in rain or snow there are more, and all of them small."""
_JOIN: Final = 0.25
"""Pieces nearer than this, in their heights, are one vehicle."""
_LOST_S: Final = 0.6
_LEAST_SIGHTINGS: Final = 4
_LEAST_CUT: Final = 2
_LEAST_WAY: Final = 0.5
"""In its own widths; or it grows or shrinks by a quarter."""
_LEAST_GROWTH: Final = 1.25
MOST_TRACKS: Final = 64


@dataclass(frozen=True, slots=True)
class Sighting:
    """One vehicle in one picture."""

    picture: int
    """Index among the pictures."""
    time_s: float
    box: Box
    """In pixels of the picture."""
    cut: bool
    """It reaches the picture's edge, beyond which the rest of it may be."""


@dataclass(frozen=True, slots=True)
class Track:
    """One vehicle, in the order of time."""

    sightings: tuple[Sighting, ...]

    def __len__(self) -> int:
        return len(self.sightings)


@dataclass(frozen=True, slots=True)
class Followed:
    """What moves in a passage's pictures, which are all of one size."""

    width: int
    height: int
    tracks: tuple[Track, ...]
    brief: tuple[Track, ...] = ()
    """Seen at the picture's edge and too shortly to be followed: each may be a vehicle that the
    edge cuts off, and none of them is known to move."""


@dataclass(slots=True)
class _Open:
    sightings: list[Sighting] = field(default_factory=list)

    def expected(self, time_s: float) -> tuple[float, float, Box]:
        """Where its middle should be, and its last box."""
        last = self.sightings[-1]
        x, y = _middle(last.box)
        if len(self.sightings) > 1:
            before = self.sightings[max(0, len(self.sightings) - 4)]
            passed = last.time_s - before.time_s
            if passed > 0:
                share = (time_s - last.time_s) / passed
                bx, by = _middle(before.box)
                x, y = x + share * (x - bx), y + share * (y - by)
        return x, y, last.box


def follow(frames: Sequence[tuple[Path, float]]) -> Followed | None:
    """Of JPEG files and their moments; ``None`` where there are too few pictures to tell what
    moves, or where their sizes differ."""
    spread = [frames[round(float(at))] for at in np.linspace(0, len(frames) - 1, _STREET_PICTURES)]
    stills = [small for path, _ in dict.fromkeys(spread) if (small := _read(path)) is not None]
    if len(stills) < _LEAST_PICTURES or len({still.shape for still in stills}) != 1:
        return None
    street = np.median(np.stack(stills), axis=0).astype(np.uint8)
    usual = middle_level(street)
    size = _size_of(frames)
    scale = size[0] / street.shape[1]
    opened: list[_Open] = []
    closed: list[_Open] = []
    for index, (path, time_s) in enumerate(frames):
        small = _read(path)
        if small is None or small.shape != street.shape:
            continue
        boxes = list(_boxes(_moved(small, street, usual)))
        seen = [_sighting(index, time_s, box, small.shape, scale) for box in boxes]
        opened, lost = _linked(opened, seen, time_s)
        closed += lost
    every = [*closed, *opened]
    found = [Track(tuple(each.sightings)) for each in every if _moves(each)]
    found.sort(key=lambda track: -len(track))
    brief = [Track(tuple(each.sightings)) for each in every if _at_the_edge(each)]
    brief.sort(key=lambda track: -max(sighting.box[3] for sighting in track.sightings))
    return Followed(*size, tuple(found[:MOST_TRACKS]), tuple(brief[:MOST_TRACKS]))


def _sighting(
    index: int, time_s: float, box: Box, shape: tuple[int, ...], scale: float
) -> Sighting:
    x, y, width, height = box
    edge = 2.0
    cut = x <= edge or y + height >= shape[0] - edge or x + width >= shape[1] - edge
    return Sighting(
        index, time_s, (x * scale, y * scale, width * scale, height * scale), cut or y <= edge
    )


def _read(path: Path) -> Small | None:
    content = np.fromfile(path, np.uint8)
    try:
        picture: Any = (
            cv2.imdecode(content, cv2.IMREAD_REDUCED_GRAYSCALE_2) if content.size else None
        )
    except cv2.error:  # a header that asks for gigabytes
        return None
    if picture is None or picture.shape[1] <= _WIDTH:
        return None if picture is None else np.asarray(picture, np.uint8)
    factor = _WIDTH / picture.shape[1]
    return np.asarray(
        cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )


def _size_of(frames: Sequence[tuple[Path, float]]) -> tuple[int, int]:
    for path, _ in frames:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is not None:
            return int(picture.shape[1]), int(picture.shape[0])
    return 1, 1


def _moved(small: Small, street: Small, usual: float) -> Small:
    """Non-zero where something else stands before the street, of which ``usual`` is the middle
    level."""
    gain = middle_level(small) / max(1.0, usual)
    still = cv2.convertScaleAbs(street, alpha=gain)
    change = cv2.absdiff(cv2.blur(small, (3, 3)), cv2.blur(still, (3, 3)))
    other = (change > _CHANGE) & ~_lit(small, still)
    closed = cv2.morphologyEx(other.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)


def _lit(small: Small, still: Any) -> npt.NDArray[np.bool_]:
    """Where the same surface is seen in another light."""
    one, two = small.astype(np.float32), still.astype(np.float32)
    window = (_WINDOW, _WINDOW)
    mean_one, mean_two = cv2.blur(one, window), cv2.blur(two, window)
    variance_one = cv2.blur(one * one, window) - mean_one**2
    variance_two = cv2.blur(two * two, window) - mean_two**2
    common = cv2.blur(one * two, window) - mean_one * mean_two
    spread = np.sqrt(np.maximum(variance_one, 1e-3) * np.maximum(variance_two, 1e-3))
    alike = (common > _ALIKE * spread) & (variance_two > _FLAT)
    plain = (variance_one < _FLAT) & (variance_two < _FLAT)
    return np.asarray(alike | plain)


def _boxes(mask: Small) -> Iterator[Box]:
    """What hangs together, pieces of one vehicle joined."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    least = max(4.0, _LEAST_HEIGHT * mask.shape[0])
    largest = stats[1:][np.argsort(-stats[1:, 4])][:_MOST_PIECES]
    boxes: list[Box] = []
    for x, y, width, height, area in largest:
        if area < _LEAST_AREA:
            break
        box = (float(x), float(y), float(width), float(height))
        # What it touches is one with it, and may touch others then.
        while near := [other for other in boxes if _near(box, other)]:
            boxes = [other for other in boxes if other not in near]
            for other in near:
                box = _around(box, other)
        boxes.append(box)
    yield from (box for box in boxes if box[3] >= least)


def _near(one: Box, other: Box) -> bool:
    reach = _JOIN * min(one[3], other[3]) + 2.0
    apart_x = max(one[0], other[0]) - min(one[0] + one[2], other[0] + other[2])
    apart_y = max(one[1], other[1]) - min(one[1] + one[3], other[1] + other[3])
    return apart_x < reach and apart_y < reach


def _around(one: Box, other: Box) -> Box:
    x, y = min(one[0], other[0]), min(one[1], other[1])
    right = max(one[0] + one[2], other[0] + other[2])
    bottom = max(one[1] + one[3], other[1] + other[3])
    return x, y, right - x, bottom - y


def _middle(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _linked(
    opened: list[_Open], seen: list[Sighting], time_s: float
) -> tuple[list[_Open], list[_Open]]:
    """Tracks that go on or begin, and those that are over."""
    costs = sorted(
        (cost, a, b)
        for a, track in enumerate(opened)
        for b, sighting in enumerate(seen)
        if (cost := _cost(track, sighting, time_s)) < 1.0
    )
    taken_tracks: set[int] = set()
    taken: set[int] = set()
    for _, a, b in costs:
        if a not in taken_tracks and b not in taken:
            opened[a].sightings.append(seen[b])
            taken_tracks.add(a)
            taken.add(b)
    lost = [track for track in opened if time_s - track.sightings[-1].time_s > _LOST_S]
    kept = [track for track in opened if track not in lost]
    fresh = [_Open([sighting]) for b, sighting in enumerate(seen) if b not in taken]
    return [*kept, *fresh], lost


def _cost(track: _Open, sighting: Sighting, time_s: float) -> float:
    """Below 1 where it may be the same vehicle."""
    x, y, box = track.expected(time_s)
    at_x, at_y = _middle(sighting.box)
    size = max(math.hypot(box[2], box[3]), math.hypot(sighting.box[2], sighting.box[3]))
    grown = sighting.box[3] / max(box[3], 1e-9)
    if not 0.4 <= grown <= 2.5:
        return math.inf
    return math.hypot(at_x - x, at_y - y) / (0.7 * size)


def _at_the_edge(track: _Open) -> bool:
    """Not followed, and cut off in at least two pictures."""
    return not _moves(track) and sum(each.cut for each in track.sightings) >= _LEAST_CUT


def _moves(track: _Open) -> bool:
    boxes = [sighting.box for sighting in track.sightings]
    if len(boxes) < _LEAST_SIGHTINGS:
        return False
    widths = [box[2] for box in boxes]
    x, y = zip(*map(_middle, boxes), strict=True)
    way = math.hypot(max(x) - min(x), max(y) - min(y))
    return way >= _LEAST_WAY * float(np.mean(widths)) or max(widths) >= _LEAST_GROWTH * min(widths)
