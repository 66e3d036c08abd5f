"""Vehicles as a camera sees them, by its view alone: tracks without a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_edge.noise.pictures.tracks import Box, Followed, Sighting, Track
from vigil_edge.noise.pictures.view import View
from vigil_sim.noise.street import view_section
from vigil_sim.noise.view import View as Seen

HALF_M, HIGH_M = 0.9, 1.5


def view_of(seen: Seen) -> View:
    settings = ViewSettings.model_validate(view_section(seen))
    return View(settings, seen.width, seen.height)


def track(view: View, x_m: Iterable[float], y_m: float, times: Sequence[float]) -> Track:
    """A body ``2 * HALF_M`` wide and ``HIGH_M`` high whose nearest side is so far along the road
    (simulator's coordinates), as a camera sees it whole."""
    road_z = view.settings.road_z
    sightings = []
    for number, (x, time_s) in enumerate(zip(x_m, times, strict=True)):
        corners = np.array(
            [[x - 4.0, y_m + side, road_z + up] for side in (-HALF_M, HALF_M) for up in (0, HIGH_M)]
        )
        seen = view.seen(corners)
        (left, top), (right, low) = seen.min(axis=0), seen.max(axis=0)
        inside = left > 1 and top > 1 and right < view.width - 1 and low < view.height - 1
        if right < 0 or left > view.width or low < 0 or top > view.height:
            continue
        left, right = max(0.0, left), min(float(view.width), right)
        top, low = max(0.0, top), min(float(view.height), low)
        box: Box = (float(left), float(top), float(right - left), float(low - top))
        sightings.append(Sighting(number, time_s, box, not inside))
    return Track(tuple(sightings))


def followed(view: View, *tracks: Track) -> Followed:
    """Nothing else is in the pictures."""
    return Followed(view.width, view.height, tracks)
