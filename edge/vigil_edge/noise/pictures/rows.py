"""Rows of characters on one vehicle, in the pictures that show it largest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from vigil_edge.noise.pictures.reading import Frames, read_grey, read_picture, spread
from vigil_edge.noise.pictures.street import Street
from vigil_edge.noise.pictures.tracks import Sighting, Track
from vigil_edge.noise.plate.candidates import Grey, candidates
from vigil_edge.noise.plate.votes import Clear

_PICTURES: Final = 16
"""In which rows are looked for."""
_MARGIN: Final = 0.05
_LEAST: Final = 16
"""Pixels of a side, below which no plate could be read."""


def rows_of(track: Track, frames: Frames) -> Iterator[Clear]:
    """Writing that stood there before the vehicle came (a time stamp, a sign) is none of its."""
    street = Street.of(
        [grey for path, _ in spread(frames) if (grey := read_grey(path)) is not None]
    )
    largest = sorted(track.sightings, key=lambda each: -each.box[3])[:_PICTURES]
    for sighting in largest:
        path, _ = frames[sighting.picture]
        grey = read_grey(path)
        if grey is None or (street is not None and grey.shape != street.still.shape):
            continue
        mask = None if street is None else street.moved(grey)
        part, left, top = _around(sighting, grey)
        if min(part.shape) < _LEAST:
            continue
        for found in candidates(part):
            plate = replace(found, x=found.x + left, y=found.y + top)
            if street is None or mask is None or street.passes(plate, grey, mask):
                yield Clear(sighting.picture, plate, partial(read_picture, path))


def _around(sighting: Sighting, grey: Grey) -> tuple[Grey, int, int]:
    x, y, width, height = sighting.box
    pad = _MARGIN * max(width, height)
    left, top = max(0, int(x - pad)), max(0, int(y - pad))
    return grey[top : int(y + height + pad), left : int(x + width + pad)], left, top
