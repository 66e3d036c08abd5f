"""How the camera looks, from events that were heard and seen: the azimuth of its axis and, where
they stand far enough apart in the picture, its angle of view. Pure.

A bearing tells nothing about the pitch of a camera that hangs near the array: it stays as it is
set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import optimize

from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_edge.noise.pictures.view import View

Array = npt.NDArray[np.float64]

LEAST: Final = 4
FOR_FIELD: Final = 6
ACROSS: Final = 0.4
"""Of the picture's width: events so far apart tell its angle of view."""
MOST_DEG: Final = 4.0
"""Larger differences between bearings and pictures are no calibration."""
_SOFT_DEG: Final = 1.5
_FIELD: Final = (5.0, 150.0)


@dataclass(frozen=True, slots=True)
class Looked:
    """What the events say."""

    view: ViewSettings
    field_told: bool
    residual_deg: float
    """Root mean square of what is left between bearings and pictures."""
    events: int


def places(view: View, pixels: Array, height_m: float) -> Array:
    """Points (n, 3) where something ``height_m`` above the road stands that is seen at pixels
    (n, 2); NaN above the horizon."""
    raised = view.settings.road_z + height_m
    if view.settings.position[2] <= raised:  # it is as high as the camera: nothing is told
        return np.full((len(pixels), 3), np.nan)
    level = view.settings.model_copy(update={"road_z": raised})
    return View(level, view.width, view.height).on_road(pixels)


def look(
    view: View, pixels: Array, azimuths: Array, origin: Array, height_m: float
) -> Looked | None:
    """``pixels`` (n, 2) and ``azimuths`` (n,) in degrees of the same events; ``origin`` (3,): the
    middle of the array. ``None`` where they do not tell."""
    there = np.isfinite(azimuths) & np.isfinite(pixels).all(axis=1)
    pixels, azimuths = pixels[there], azimuths[there]
    if len(pixels) < LEAST:
        return None
    across = float(np.ptp(pixels[:, 0]))
    with_field = len(pixels) >= FOR_FIELD and across >= ACROSS * view.width

    def settings(unknown: Array) -> ViewSettings:
        change = {"azimuth": float(unknown[0])}
        if with_field:
            change["field"] = float(np.clip(unknown[1], *_FIELD))
        return view.settings.model_copy(update=change)

    def left(unknown: Array) -> Array:
        points = places(View(settings(unknown), view.width, view.height), pixels, height_m)
        away = points - origin
        seen = np.degrees(np.arctan2(away[:, 1], away[:, 0]))
        difference = (azimuths - seen + 180.0) % 360.0 - 180.0
        return np.asarray(np.nan_to_num(difference, nan=60.0))

    begin = [_turned(view, left), *([view.settings.field] if with_field else [])]
    found = optimize.least_squares(left, begin, loss="soft_l1", f_scale=_SOFT_DEG)
    rest = left(found.x)
    inside = np.abs(rest) <= MOST_DEG
    residual = float(np.sqrt(np.mean(rest[inside] ** 2))) if inside.any() else np.inf
    if inside.sum() < max(LEAST, 0.7 * len(rest)):
        return None
    told = settings(found.x)
    azimuth = (told.azimuth + 180.0) % 360.0 - 180.0
    told = told.model_copy(update={"azimuth": azimuth})
    return Looked(told, with_field, residual, int(inside.sum()))


def _turned(view: View, left: Callable[[Array], Array]) -> float:
    """Where to begin: the settings' azimuth, turned by what most events say."""
    start = view.settings.azimuth
    unknown = np.array([start, view.settings.field])
    return start + float(np.median(left(unknown)))
