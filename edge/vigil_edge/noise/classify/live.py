"""What a passage sounds like, for the event that is told of it."""

from __future__ import annotations

import numpy as np

from vigil_edge.noise.classify.hearing import heard
from vigil_edge.noise.classify.model import shipped
from vigil_edge.noise.classify.reading import loudest_in
from vigil_edge.noise.sound.pcm import Frames, channel_units
from vigil_schemas.noise import Classification


def classification(
    frames: Frames, rate_hz: int, within: tuple[int, int] | None = None
) -> Classification | None:
    """Of a passage with its surroundings, shape (n, channels); ``None`` where it is too short or
    holds nothing. ``within``: its first and last sample among them: something else may be louder
    beside it. A broken driver's NaN counts as silence. It is vetoed where ``heard`` is sure of
    another class, as ``noise classify`` says it. What is not sure founds a case, and its reviewers
    hear it."""
    units = np.stack([channel_units(frames, each) for each in range(frames.shape[1])], axis=1)
    if not np.isfinite(units).all():
        np.nan_to_num(units, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if not len(units):
        return None
    try:
        found = heard(loudest_in(units, rate_hz, within))
    except ValueError:  # shorter than half a second, or silent
        return None
    return Classification(
        kind=found.kind,
        score=round(found.score, 4),
        vehicle=round(found.vehicle, 4),
        vetoed=found.vetoed,
        model=shipped().name,
    )
