"""Which of the vehicles in the pictures was loud: bearings of the sound against tracks. Pure.

What a vehicle gave off at one moment is heard later, by its distance over the speed of sound (20 m:
58 ms, in which it drives 0.8 m at 50 km/h). So each sighting is dated by when it is heard, and
compared with the bearing of that moment, while the passage is nearly as loud as at most.
The answer is one track or none: where two stand within 10° of each other, where no track is where
the sound comes from, or where the sound tells no direction, that is said instead. As far as the
pictures' moments are not known, nobody else may be where the sound comes from with all of them
taken so much earlier or later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.pictures.tracks import Followed, Sighting, Track
from vigil_edge.noise.pictures.view import View
from vigil_edge.noise.rivals import LOUD_DB, RISEN_DB, cut_off

Array = npt.NDArray[np.float64]

APART_DEG: Final = 10.0
"""Two tracks nearer to each other than this cannot be told apart."""
_MATCH_DEG: Final = 9.0
"""Most between a track and its sound: what is seen is the vehicle's outline on the road, what is
heard its exhaust or its tyres."""
_LEAST_COMPARED: Final = 5
_NEARER_DEG: Final = APART_DEG / 2
"""So much nearer to a bearing than another a track is that it came from."""
_ALL_THE_TIME: Final = 0.9
"""Share of the bearings: one may point to an echo."""
_MOSTLY: Final = 0.5
_FARTHEST_M: Final = 80.0
_OTHERS_HEARD: Final = 0.25
"""Share of the bearings that may point elsewhere than to the best track: more is a source that no
picture shows."""
_GAP_S: Final = 0.5
"""Between two sightings a track is taken to go on for so long."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Bearings of a passage, each (n,)."""

    time_s: Array
    """Seconds since 1970: the middle of each window."""
    azimuth: Array
    """Degrees counter-clockwise from +x; NaN where it abstained."""
    level_db: Array
    """LAF then."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """Number of the track among those followed; ``None`` with the reason."""

    track: int | None
    abstained: str | None
    apart_deg: float = 0.0
    compared: int = 0
    travel_s: float = 0.0
    """Of the loudest sound, from the vehicle to the microphones."""
    rival_deg: float | None = None
    rival_off_s: float | None = None
    """By how much earlier than is said the pictures would have been taken where another track is
    the one, or as near; absent where it is so by the moments that are said."""
    seen: Sighting | None = None
    """Nearest to the moment at which the loudest sound left it."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """One track as the microphones hear it, each (n,)."""

    heard_s: Array
    azimuth: Array
    travel_s: Array
    sightings: tuple[Sighting, ...]

    def at(self, time_s: Array) -> Array:
        """Azimuth at these moments; NaN where it was not seen."""
        if len(self.heard_s) < 2:
            return np.full_like(time_s, np.nan)
        turned = np.degrees(np.unwrap(np.radians(self.azimuth)))
        found = np.interp(time_s, self.heard_s, turned, left=np.nan, right=np.nan)
        after = np.searchsorted(self.heard_s, time_s).clip(1, len(self.heard_s) - 1)
        gap = self.heard_s[after] - self.heard_s[after - 1]
        return np.asarray(np.where(gap <= _GAP_S, found, np.nan))


@dataclass(frozen=True, slots=True)
class _Compared:
    """All tracks against the bearings, by one date of the pictures."""

    best: int
    off_deg: Array
    """Of each track, median; infinite where too little can be compared."""
    apart_deg: Array
    """Of each track and bearing, NaN where it was not seen."""
    seen: Array
    """Azimuth of each track at each bearing."""
    compared: npt.NDArray[np.int64]
    """Bearings of each track."""
    loudest: npt.NDArray[np.bool_]
    """Of the bearings, within ``RISEN_DB`` of the maximum: what is accused."""

    @property
    def matches(self) -> bool:
        """Whether a track is where the sound comes from."""
        return bool(self.off_deg[self.best] <= _MATCH_DEG)


def attribute(
    followed: Followed,
    view: View,
    origin: Array,
    speed_of_sound: float,
    sound: Sound,
    earlier: Sequence[float] = (0.0,),
) -> Attributed:
    """``origin``: middle of the array, (3,), in the coordinates of ``view``. ``earlier``: by so
    many seconds earlier than is said all pictures may have been taken (``Known.moved``)."""
    if not followed.tracks:
        return Attributed(None, "no-track")
    loud = sound.level_db >= np.nanmax(sound.level_db) - LOUD_DB
    told = loud & np.isfinite(sound.azimuth)
    if told.sum() < _LEAST_COMPARED:
        return Attributed(None, "no-bearing")
    heard = [_heard(track, view, origin, speed_of_sound) for track in followed.tracks]
    times, azimuth, level = sound.time_s[told], sound.azimuth[told], sound.level_db[told]
    loudest = level >= level.max() - RISEN_DB
    said = _compared(heard, times, azimuth, loudest)
    best = said.best
    if not said.matches:
        return Attributed(None, "no-match")
    elsewhere = said.apart_deg[best][np.isfinite(said.apart_deg[best])] > APART_DEG
    if elsewhere.mean() >= _OTHERS_HEARD:
        return Attributed(None, "several-heard")
    rival = _nearest(followed, said, view, origin, times)
    if rival is not None and rival < APART_DEG:
        return Attributed(None, "several", rival_deg=rival)
    for off_s in sorted(earlier, key=abs):
        # Had they been taken earlier, they would show where the vehicles were then.
        moved = _compared(heard, times + off_s, azimuth, loudest)
        if not moved.matches:
            continue
        near = _nearest(followed, moved, view, origin, times + off_s)
        if moved.best != best or (near is not None and near < APART_DEG):
            return Attributed(None, "several", rival_deg=near, rival_off_s=round(off_s, 3))
    loudest_s = float(sound.time_s[int(np.nanargmax(sound.level_db))])
    near = int(np.abs(heard[best].heard_s - loudest_s).argmin())
    return Attributed(
        best,
        None,
        apart_deg=round(float(said.off_deg[best]), 2),
        compared=int(said.compared[best]),
        travel_s=round(float(heard[best].travel_s[near]), 4),
        rival_deg=rival,
        seen=heard[best].sightings[near],
    )


def _compared(
    heard: Sequence[_Heard], times: Array, azimuth: Array, loudest: npt.NDArray[np.bool_]
) -> _Compared:
    """``times``, ``azimuth``, ``loudest`` (n,): of the bearings."""
    seen = np.stack([one.at(times) for one in heard])
    compared = np.isfinite(seen).sum(axis=1)
    apart = np.abs((seen - azimuth + 180.0) % 360.0 - 180.0)
    off = np.array(
        [
            float(np.nanmedian(row)) if count >= _LEAST_COMPARED else np.inf
            for row, count in zip(apart, compared, strict=True)
        ]
    )
    return _Compared(int(off.argmin()), off, apart, seen, compared, loudest)


def _nearest(
    followed: Followed, found: _Compared, view: View, origin: Array, times: Array
) -> float | None:
    """How near to the best another vehicle came, degrees; ``None`` where there is none."""
    between = [
        _rival(found),
        _cut_rival(followed, found.best, view, origin, times, found.seen[found.best]),
    ]
    return min((each for each in between if each is not None), default=None)


def _heard(track: Track, view: View, origin: Array, speed_of_sound: float) -> _Heard:
    """Where its outline meets the road; not where the picture's edge cuts that off."""
    whole = tuple(each for each in track.sightings if not each.cut)
    if not whole:
        none = np.empty(0)
        return _Heard(none, none, none, ())
    foot = np.array([(each.box[0] + each.box[2] / 2, each.box[1] + each.box[3]) for each in whole])
    way = view.on_road(foot) - origin
    distance = np.linalg.norm(way, axis=1)
    near = np.isfinite(distance) & (distance < _FARTHEST_M)
    travel = distance[near] / speed_of_sound
    times = np.array([each.time_s for each in whole])[near]
    azimuth = np.degrees(np.arctan2(way[near, 1], way[near, 0])) % 360.0
    order = np.argsort(times + travel, kind="stable")
    kept = [each for each, keep in zip(whole, near, strict=True) if keep]
    return _Heard(
        (times + travel)[order],
        azimuth[order],
        travel[order],
        tuple(kept[index] for index in order),
    )


def _rival(found: _Compared) -> float | None:
    """How near the nearest other track came, while both were seen (``_apart``)."""
    nearest: list[float] = []
    for index, row in enumerate(found.seen):
        if index == found.best or not found.compared[index]:
            continue
        between = np.abs((row - found.seen[found.best] + 180.0) % 360.0 - 180.0)
        if np.isfinite(between).any():
            nearest.append(_apart(found, index, between))
    return round(min(nearest), 2) if nearest else None


def _apart(found: _Compared, other: int, between: Array) -> float:
    """From the best, degrees. Where they stood near each other while it was loudest, that counts
    alone: what told them apart before or after was quieter, and the loudest may be the other's.
    ``between``: as of ``_told_apart``."""
    loudest = between[found.loudest & np.isfinite(between)]
    if len(loudest) and (loudest < APART_DEG).mean() > _MOSTLY:
        return float(np.median(loudest))
    if _told_apart(found, other, between):
        return float(np.median(between[between >= APART_DEG]))
    return float(np.nanmedian(between))


def _told_apart(found: _Compared, other: int, between: Array) -> bool:
    """Whether the two stood apart for a while and the sound came from the best all that time:
    vehicles that follow each other are seen under one angle once they are far away, and under two
    before. ``between``: degrees between both, at each bearing."""
    far = between >= APART_DEG
    own, others = found.apart_deg[found.best][far], found.apart_deg[other][far]
    if far.sum() < _LEAST_COMPARED:
        return False
    return bool((own + _NEARER_DEG <= others).mean() >= _ALL_THE_TIME)


def _cut_rival(
    followed: Followed, best: int, view: View, origin: Array, times: Array, azimuth: Array
) -> float | None:
    """How near a vehicle came that the edge cuts off, degrees: from the nearer side of its outline,
    since the rest of it lies beyond the edge. 0 where its place on the road cannot be told."""
    nearest: list[float] = []
    known = np.isfinite(azimuth)
    turned = np.degrees(np.unwrap(np.radians(azimuth[known])))
    for during in cut_off(followed, followed.tracks[best], float(times[0]), float(times[-1])):
        moments = np.array([each.time_s for each in during])
        own = np.interp(moments, times[known], turned)
        sides = [_azimuth_of_foot(during, view, origin, side) for side in (0.0, 0.5, 1.0)]
        between = np.abs((np.stack(sides) - own + 180.0) % 360.0 - 180.0).min(axis=0)
        nearest.append(0.0 if np.isnan(between).any() else float(np.median(between)))
    return round(min(nearest), 2) if nearest else None


def _azimuth_of_foot(seen: Sequence[Sighting], view: View, origin: Array, side: float) -> Array:
    """Of the outlines' lower edge, from their left (0) to their right (1), (n,)."""
    foot = [(each.box[0] + side * each.box[2], each.box[1] + each.box[3]) for each in seen]
    way = view.on_road(np.array(foot)) - origin
    return np.asarray(np.degrees(np.arctan2(way[:, 1], way[:, 0])) % 360.0)


def level_at(curve_start_s: float, interval_s: float, curve: Sequence[float], at: Array) -> Array:
    """LAF of a level curve at moments (n,), dB."""
    times = curve_start_s + (np.arange(len(curve)) + 0.5) * interval_s
    return np.interp(at, times, np.asarray(curve, dtype=np.float64))
