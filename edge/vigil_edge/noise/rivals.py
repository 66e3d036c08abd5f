"""Who else may have been loud: vehicles that only the picture or only the sound shows. Pure.

A track that the picture's edge cuts off is placed nowhere, and a source that no picture shows has
no track; either may be the one that was measured. Where there is one the answer is none, and says
why: a plate that could be another's is read by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.pictures.moments import Known
from vigil_edge.noise.pictures.tracks import Box, Followed, Sighting, Track

Array = npt.NDArray[np.float64]
Doubt = Literal["not-in-picture", "cut-off", "several-heard"]

LOUD_DB: Final = 10.0
"""Below LAFmax: so far the sound is the passage's own."""
RISEN_DB: Final = 3.0
"""Above the valley beside a passage: what is louder again behind it is something else."""
_AROUND_S: Final = 0.35
"""Between two pictures of a slow camera, and the sound's way from the vehicle."""
_AS_HIGH: Final = 0.4
"""Of the followed vehicle's outline: what is lower at the edge is a bush, or far away."""
_GOES_ON_S: Final = 1.2
"""So long before and after its sightings a vehicle is taken to go on as it went."""


def doubt_of_only(
    followed: Followed, loudest_s: float, curve_s: Array, level_db: Array, known: Known
) -> Doubt | None:
    """Why the one vehicle that was followed need not be the one that was measured, where no array
    tells where the sound came from; ``None`` where nothing speaks against it.

    ``loudest_s``: LAFmax, seconds since 1970. ``curve_s``, ``level_db``: the level curve, (n,).
    ``known``: how well the pictures' moments are: where one that shows LAFmax may be dated, it has
    to be seen.
    """
    (only,) = followed.tracks
    if not all(_seen_at(only, loudest_s + late_s) for late_s in known.moved()):
        return "not-in-picture"
    span, louder = np.array([loudest_s]), False
    if len(level_db):
        loudest = _loudest(curve_s, level_db, loudest_s)
        span = curve_s[own_part(level_db, loudest)]
        louder = float(np.nanmax(level_db)) > float(level_db[loudest]) + RISEN_DB
    first, last = float(span[0]) - known.later_s, float(span[-1]) + known.earlier_s
    if any(True for _ in cut_off(followed, only, first, last)):
        return "cut-off"
    # What was louder before or after is another source, and may hide how many there were here.
    if louder or humps(level_db) > 1:
        return "several-heard"
    return None


def _loudest(curve_s: Array, level_db: Array, loudest_s: float) -> int:
    """Of the curve the value of LAFmax: its moment may lie at the edge of one."""
    near = int(np.abs(curve_s - loudest_s).argmin())
    first = max(0, near - 1)
    return first + int(np.argmax(level_db[first : near + 2]))


def own_part(level_db: Array, loudest: int) -> slice:
    """Of levels (n,) the stretch about the passage's loudest moment that is its own: within
    ``LOUD_DB``, and to the valley on either side. What passes before or after it may be louder."""
    least = level_db[loudest] - LOUD_DB
    before = _to_valley(level_db[loudest::-1], least)
    after = _to_valley(level_db[loudest:], least)
    return slice(loudest - before, loudest + after + 1)


def _to_valley(level_db: Array, least: float) -> int:
    """How far the level falls, from its first value on."""
    valley = 0
    for index, level in enumerate(level_db):
        if level < least or level > level_db[valley] + RISEN_DB:
            break
        if level <= level_db[valley]:
            valley = index
    return valley


def humps(level_db: Array) -> int:
    """How many sources a level curve (n,) shows: maxima within ``LOUD_DB`` of the highest, each
    ``RISEN_DB`` above the valleys on both sides."""
    if not len(level_db):
        return 0
    least = float(np.nanmax(level_db)) - LOUD_DB
    count, rising, turn = 0, True, float(level_db[0])
    for level in map(float, level_db):
        if rising:
            turn = max(turn, level)
            if level < turn - RISEN_DB:
                count += turn >= least
                rising, turn = False, level
        else:
            turn = min(turn, level)
            if level > turn + RISEN_DB:
                rising, turn = True, level
    return count + (rising and turn >= least)


def cut_off(
    followed: Followed, best: Track, since_s: float, until_s: float
) -> Iterator[Sequence[Sighting]]:
    """Sightings, within that time, of whatever the picture's edge cut off all the time: tracks that
    stand nowhere on the road, and pieces too short to be followed. Without what is ``best`` itself
    as it comes and goes, and what is much lower than it."""
    height = float(np.median([each.box[3] for each in best.sightings]))
    for track in (*followed.tracks, *followed.brief):
        if track is best or not all(each.cut for each in track.sightings):
            continue
        during = [
            each
            for each in track.sightings
            if since_s - _AROUND_S <= each.time_s <= until_s + _AROUND_S
        ]
        if not during or max(each.box[3] for each in during) < _AS_HIGH * height:
            continue
        own = sum(_is_best(each, best) for each in during)
        if 2 * own < len(during):
            yield during


def _seen_at(track: Track, at_s: float) -> bool:
    return any(abs(each.time_s - at_s) <= _AROUND_S for each in track.sightings)


def _is_best(sighting: Sighting, best: Track) -> bool:
    """Whether it lies where ``best`` is, or would be had it gone on as it went."""
    expected = _expected(best, sighting.time_s)
    if expected is None:
        return False
    x, y = _middle(sighting.box)
    at_x, at_y, size = expected
    reach = max(size, float(np.hypot(sighting.box[2], sighting.box[3])))
    return float(np.hypot(x - at_x, y - at_y)) < reach


def _expected(best: Track, time_s: float) -> tuple[float, float, float] | None:
    """Middle and diagonal of its outline then, in pixels."""
    seen = best.sightings
    times = np.array([each.time_s for each in seen])
    if not times[0] - _GOES_ON_S <= time_s <= times[-1] + _GOES_ON_S:
        return None
    near = seen[:4] if time_s < times[0] else seen[-4:]
    middles = np.array([_middle(each.box) for each in seen])
    closest = seen[int(np.abs(times - time_s).argmin())]
    size = float(np.hypot(closest.box[2], closest.box[3]))
    if times[0] <= time_s <= times[-1] or len(near) < 2:
        x, y = (float(np.interp(time_s, times, middles[:, axis])) for axis in (0, 1))
        return x, y, size
    passed = near[-1].time_s - near[0].time_s
    (x0, y0), (x1, y1) = _middle(near[0].box), _middle(near[-1].box)
    share = (time_s - near[-1].time_s) / passed if passed > 0 else 0.0
    return x1 + share * (x1 - x0), y1 + share * (y1 - y0), size


def _middle(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2
