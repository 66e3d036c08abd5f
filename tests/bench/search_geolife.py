"""The search map on recorded walks: two people's GPS tracks (GeoLife), seen by made-up stations.

The tracks are of healthy people who also ride in cars and buses, not of whom the map is made for;
no parameter has seen them. 188 stations are drawn (``VIGIL_GEOLIFE_SEED``), half of them where the
person came by; whoever is within a station's range is heard with 0.5 a minute, and again after ten
minutes at the earliest. From each day on which somebody was heard three moments are drawn
(``VIGIL_GEOLIFE_MOMENTS``), up to three hours after a check-in and before the next; the map knows
the check-ins before it. Free ground: no streets of that city are here. The same figures as
``search_map``; skipped where the recording is absent.
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from bench.search_map import IN_A_TOWN, Found, judged, told
from data import SHARED
from vigil_cloud.search import probability_map
from vigil_cloud.search.ground import Centre
from vigil_cloud.search.replay_files import Listed, Seen

Floats = NDArray[np.float64]
SEED: Final = int(os.environ.get("VIGIL_GEOLIFE_SEED", "7"))
A_DAY: Final = int(os.environ.get("VIGIL_GEOLIFE_MOMENTS", "3"))
STATIONS: Final = 188
RANGE_M: Final = (50.0, 120.0)
DETECTIONS_A_MINUTE: Final = 0.5
HOLD_OFF_S: Final = 600.0
LONGEST_S: Final = 3 * 3600.0
_BOX_M: Final = 10_000.0
"""Half a city, around where the person mostly was."""
_APART_M: Final = 250.0
_GAP_S: Final = 120.0
"""Between two fixes: nobody knows where the person was in a longer one."""
_RECORDING: Final = SHARED / "checkin" / "geolife_two_users.csv.gz"


@dataclass(frozen=True)
class Track:
    """One person's fixes within the box: seconds of the epoch, and metres from ``centre``."""

    person: str
    centre: Centre
    at_s: Floats
    places: Floats


def tracks() -> list[Track]:
    rows: dict[str, list[tuple[float, float, float]]] = {}
    with gzip.open(_RECORDING, "rt", encoding="ascii") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC).timestamp()
            rows.setdefault(row["uid"], []).append((at, float(row["lat"]), float(row["lng"])))
    found = []
    for person, fixes in sorted(rows.items()):
        table = np.array(sorted(fixes))
        centre = Centre(float(np.median(table[:, 1])), float(np.median(table[:, 2])))
        places = centre.metres(table[:, 1], table[:, 2])
        near = (np.abs(places) < _BOX_M).all(axis=1)
        found.append(Track(person, centre, table[near, 0], places[near]))
    return found


def stations(track: Track, rng: np.random.Generator) -> list[Listed]:
    """Where the person came by, no two within 250 m; the rest anywhere in the box, as most of a
    city's stations stand where one person never comes."""
    chosen: list[Floats] = []
    for place in rng.permutation(track.places):
        if len(chosen) == STATIONS // 2:
            break
        if all(math.dist(place, other) > _APART_M for other in chosen):
            chosen.append(place)
    chosen += list(rng.uniform(-_BOX_M, _BOX_M, (STATIONS - len(chosen), 2)))
    degrees = track.centre.degrees(np.array(chosen))
    return [
        Listed(
            *(str(number), float(latitude), float(longitude), round(float(rng.uniform(*RANGE_M)))),
            *(-math.inf, math.inf, DETECTIONS_A_MINUTE),
        )
        for number, (longitude, latitude) in enumerate(degrees)
    ]


def checkins(track: Track, listed: list[Listed], rng: np.random.Generator) -> list[Seen]:
    """As the stations would have written them."""
    places = track.centre.metres(
        np.array([one.latitude for one in listed]), np.array([one.longitude for one in listed])
    )
    ranges = np.array([one.range_m for one in listed])
    spans = np.minimum(np.diff(track.at_s, append=track.at_s[-1]), _GAP_S)
    found: list[Seen] = []
    free_from = -math.inf
    for at, place, span in zip(track.at_s, track.places, spans, strict=True):
        if at < free_from:
            continue
        apart = np.hypot(*(places - place).T)
        for number in np.flatnonzero(apart <= ranges):
            if rng.random() < 1 - math.exp(-DETECTIONS_A_MINUTE * span / 60):
                found.append(Seen(float(at), listed[number].name))
                free_from = at + HOLD_OFF_S
                break
    return found


def moments(track: Track, seen: list[Seen], rng: np.random.Generator) -> Iterator[int]:
    """Of fixes: a few a day, each up to three hours after a check-in, from the third day on."""
    heard = np.array([one.at_s for one in seen])
    before = np.searchsorted(heard, track.at_s, side="right") - 1
    elapsed = track.at_s - heard[np.maximum(before, 0)]
    days = np.floor(track.at_s / 86_400)
    known = np.unique(np.floor(heard / 86_400))[2:]
    fits = (before >= 0) & (elapsed > HOLD_OFF_S) & (elapsed < LONGEST_S) & np.isin(days, known)
    for day in known:
        those = np.flatnonzero(fits & (days == day))
        yield from sorted(rng.choice(those, min(A_DAY, len(those)), replace=False))


def main() -> int:
    if not _RECORDING.exists():
        print("search_geolife skipped: the recording is not beside the checkout")
        return 0
    found: list[Found] = []
    for track in tracks():
        rng = np.random.default_rng([SEED, int(track.person)])
        listed = stations(track, rng)
        seen = checkins(track, listed, rng)
        by_name = {one.name: one for one in listed}
        for number in moments(track, seen, rng):
            at_s, truth = float(track.at_s[number]), track.places[number]
            known = [one for one in seen if one.at_s <= at_s]
            began = time.process_time()
            drawn = probability_map.draw(listed, known, at_s, None)
            seconds = time.process_time() - began
            latitude, longitude = _degrees(track.centre, truth)
            last = by_name[known[-1].station]
            here = drawn.centre.metres(
                np.array([latitude, last.latitude]), np.array([longitude, last.longitude])
            )
            place, heard = ((float(x), float(y)) for x, y in here)
            found.append(judged(drawn.raster, at_s - known[-1].at_s, place, heard, seconds))
            if len(found) % IN_A_TOWN == 0:
                sys.stderr.write(f"search_geolife: {len(found)} moments\n")
    told("search_geolife", found)
    return 0


def _degrees(centre: Centre, place: Floats) -> tuple[float, float]:
    ((longitude, latitude),) = centre.degrees(place[None, :])
    return float(latitude), float(longitude)


if __name__ == "__main__":
    raise SystemExit(main())
