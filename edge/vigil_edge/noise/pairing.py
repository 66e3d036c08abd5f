"""The vehicle that was followed on the overview, found again in the plate camera's pictures. Pure.

Both cameras' views are known. Where a vehicle's outline meets the road in a plate camera's picture
is a place on the road, and that place lies somewhere in the overview: within the outline of the
vehicle in question, at that moment, or not. The two pictures are compared in the overview and not
on the road, because there an error of the views or of a clock is no larger far away than near by.
The answer is one track or none: a plate that could be another's is read by nobody. That counts for
the moments as well: as far as they are not known (``Known``), whoever drives so far ahead or behind
stands in the one picture where the loud vehicle stands in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.pictures.tracks import Followed, Sighting, Track
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.rivals import cut_off

Array = npt.NDArray[np.float64]
NotPaired = Literal["no-track", "no-match", "several"]

_GAP_S: Final = 0.5
"""Between two sightings a track is taken to go on for so long."""
_LEAST_COMPARED: Final = 3
_EDGE: Final = 4.0
"""Pixels: nearer to the picture's edge an outline is cut off by it."""
_ACROSS: Final = 0.6
"""Of the outline's width, from its middle: so far to either side the place may lie."""
_UP_AND_DOWN: Final = 0.35
"""Of the outline's height, from its lower edge; to the side as well, of what is narrow."""
_AGREED: Final = 0.6
"""Share of the compared pictures in which it must lie there."""
_MAY_BE: Final = 0.4
"""Of another vehicle: with more it may be the one in question. Far away the feet of two that follow
each other lie within one outline; near by they do not."""


def paired(
    overview: Followed,
    loud: Track,
    wide: View,
    plate: Followed,
    near: View,
    late: Sequence[float],
) -> Track | NotPaired:
    """The track of ``plate`` that is ``loud`` of ``overview``, or why none is known to be.

    ``wide``, ``near``: the views of the overview and of the plate camera. ``late``: by so many
    seconds the plate camera's pictures may be dated later than the overview's
    (``Known.beside``).
    """
    if not plate.tracks:
        return "no-track"
    outline = _Outline(loud, wide)
    shares = [_share(track, near, wide, outline) for track in plate.tracks]
    best = int(np.argmax(shares))
    if shares[best] < _AGREED:
        return "no-match"
    found = plate.tracks[best]
    for track, share in zip(plate.tracks, shares, strict=True):
        if track is found or (share >= _MAY_BE and not _together(track, found)):
            continue
        if _may_be(track, near, wide, outline, late):
            return "several"
    others = [_Outline(track, wide) for track in overview.tracks if track is not loud]
    if any(_may_be(found, near, wide, other, late) for other in others):
        return "several"
    return "several" if _hides_another(plate, found, near, wide, outline, late) else found


def _hides_another(
    plate: Followed,
    found: Track,
    near: View,
    wide: View,
    outline: _Outline,
    late: Sequence[float],
) -> bool:
    """Whether what the edge of the plate camera's picture cuts off may be the one in question."""
    first = found.sightings[0].time_s + min(0.0, *late)
    last = found.sightings[-1].time_s + max(0.0, *late)
    return any(
        _may_be_there(each, near, wide, outline, late_s)
        for cut in cut_off(plate, found, first, last)
        for each in cut
        for late_s in late
    )


class _Outline:
    """A track's outline in the overview at any moment: middle, lower edge, width, height."""

    def __init__(self, track: Track, view: View) -> None:
        whole = [each for each in track.sightings if _stands_in(each, view)]
        boxes = np.array([each.box for each in whole]).reshape(-1, 4)
        self._times = np.array([each.time_s for each in whole])
        middle, lower = boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3]
        self._lines = np.stack([middle, lower, boxes[:, 2], boxes[:, 3]], axis=1)

    def at(self, time_s: Array) -> Array:
        """(n, 4); NaN where it was not seen, or its foot was not."""
        if len(self._times) < 2:
            return np.full((len(time_s), 4), np.nan)
        found = np.stack(
            [
                np.interp(time_s, self._times, self._lines[:, line], left=np.nan, right=np.nan)
                for line in range(4)
            ],
            axis=1,
        )
        after = np.searchsorted(self._times, time_s).clip(1, len(self._times) - 1)
        gap = self._times[after] - self._times[after - 1]
        return np.asarray(np.where((gap <= _GAP_S)[:, None], found, np.nan))


def _may_be(track: Track, near: View, wide: View, outline: _Outline, late: Sequence[float]) -> bool:
    """Whether the track may be the outline's vehicle, by any of these distances of the clocks."""
    return any(_share(track, near, wide, outline, late_s) >= _MAY_BE for late_s in late)


def _share(track: Track, near: View, wide: View, outline: _Outline, late_s: float = 0.0) -> float:
    """Of the pictures that can be compared, in how many it stands where the outline does; 0 where
    there are too few of them. ``late_s``: so much later than the overview dates ``track``."""
    whole = [each for each in track.sightings if _stands_in(each, near)]
    if not whole:
        return 0.0
    feet = np.array([_foot(each, 0.5) for each in whole])
    times = np.array([each.time_s for each in whole]) - late_s
    inside, compared = _inside(feet, times, near, wide, outline)
    if compared.sum() < _LEAST_COMPARED:
        return 0.0
    return float(inside[compared].mean())


def _inside(
    feet: Array, time_s: Array, near: View, wide: View, outline: _Outline
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each foot (n, 2) of the plate camera's pictures stands where the outline does, and
    whether that can be said."""
    seen = wide.seen(near.on_road(feet))
    middle, lower, width, height = outline.at(time_s).T
    aside = np.abs(seen[:, 0] - middle)
    above = np.abs(seen[:, 1] - lower)
    reach = np.maximum(_ACROSS * width, _UP_AND_DOWN * height)
    compared = np.isfinite(aside) & np.isfinite(above)
    return (aside <= reach) & (above <= _UP_AND_DOWN * height), compared


def _may_be_there(cut: Sighting, near: View, wide: View, outline: _Outline, late_s: float) -> bool:
    """Whether what the picture's edge cuts off may be the one in question: the rest of it lies
    beyond the edge, so any part of its lower edge counts, and what has none is taken for it; so is
    what cannot be compared at that moment. ``late_s``: as of ``_share``."""
    lower = cut.box[1] + cut.box[3]
    if lower >= near.height - _EDGE:
        return True
    feet = np.array([_foot(cut, side) for side in (0.0, 0.5, 1.0)])
    inside, compared = _inside(feet, np.full(3, cut.time_s - late_s), near, wide, outline)
    return bool(inside.any()) or (late_s == 0.0 and not compared.any())


def _stands_in(sighting: Sighting, view: View) -> bool:
    """Whether its foot is in the picture: what is cut off above, as the road that a headlamp
    lights, moves no foot."""
    x, y, width, height = sighting.box
    aside = x > _EDGE and x + width < view.width - _EDGE
    return aside and y + height < view.height - _EDGE


def _foot(sighting: Sighting, side: float) -> tuple[float, float]:
    """Of the outline's lower edge, from its left (0) to its right (1)."""
    x, y, width, height = sighting.box
    return x + side * width, y + height


def _together(one: Track, other: Track) -> bool:
    """Seen at the same time: two pieces of one track, one behind the other, are one vehicle."""
    return (
        one.sightings[0].time_s <= other.sightings[-1].time_s
        and other.sightings[0].time_s <= one.sightings[-1].time_s
    )
