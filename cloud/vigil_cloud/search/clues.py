"""What people bring to a search, as evidence: somebody was seen, a place was searched. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.search.ground import Centre, Floats

Box = tuple[float, float, float, float]
SEEN_WITHIN_M: Final = 120.0
"""Standard deviation of where somebody says they saw the person."""


class Clue(Protocol):
    """Something that makes places likelier or less likely, at a time."""

    @property
    def at_s(self) -> float:
        """Seconds of the epoch."""

    @property
    def anywhere(self) -> bool:
        """Whether it can be true where the filter believes nobody to be."""

    def factors(self, points: Floats, box: Box) -> Floats:
        """(points,): by how much each place (metres) becomes likelier."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody says they saw the person. ``reliability``: how probably it was this person; if it
    was not, whoever it was may be anywhere."""

    at_s: float
    place: tuple[float, float]
    reliability: float
    within_m: float = SEEN_WITHIN_M
    anywhere: bool = True

    def factors(self, points: Floats, box: Box) -> Floats:
        """Of a true one a Gaussian over the map, of a false one an even 1."""
        away2 = ((points - np.array(self.place)) ** 2).sum(axis=1)
        area = max((box[2] - box[0]) * (box[3] - box[1]), 1e6)
        variance = self.within_m**2
        dense = area / (2 * np.pi * variance) * np.exp(-away2 / 2 / variance)
        return np.asarray(1 - self.reliability + self.reliability * dense)


@dataclass(frozen=True, slots=True)
class Searched:
    """A place was searched in vain: a circle, or a polygon (``corners``, metres). ``detection``:
    how probably they would have been found, had they been there (POD)."""

    at_s: float
    detection: float
    place: tuple[float, float] | None = None
    radius_m: float = 0.0
    corners: Sequence[tuple[float, float]] = ()
    anywhere: bool = False

    def factors(self, points: Floats, box: Box) -> Floats:
        """1 outside, what was missed inside."""
        del box
        return np.where(self.inside(points), 1 - self.detection, 1.0)

    def inside(self, points: Floats) -> NDArray[np.bool_]:
        """(points,): whether each lies in it."""
        if self.place is not None:
            return np.asarray(np.hypot(*(points - np.array(self.place)).T) <= self.radius_m)
        return within(points, self.corners)


def within(points: Floats, corners: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """(points,): inside a polygon, by the even-odd rule."""
    found = np.zeros(len(points), dtype=bool)
    ring = np.array(corners, dtype=float)
    if len(ring) < 3:
        return found
    x, y = points[:, 0], points[:, 1]
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        spans = (y0 <= y) != (y1 <= y)
        found ^= spans & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return found


@dataclass(frozen=True, slots=True)
class Brought:
    """A clue as people bring it: degrees. ``kind``: ``seen`` or ``searched``; ``worth``: how
    reliable what was seen is, or how probably they would have been found where it was searched."""

    kind: str
    at_s: float
    worth: float
    latitude: float | None = None
    longitude: float | None = None
    radius_m: float | None = None
    area: Sequence[Sequence[float]] = ()

    def placed(self, centre: Centre) -> Clue | None:
        """In metres; ``None`` where it has no place, or says nothing."""
        place = None
        if self.latitude is not None and self.longitude is not None:
            found = centre.metres(np.array([self.latitude]), np.array([self.longitude]))[0]
            place = float(found[0]), float(found[1])
        ring = [(float(x), float(y)) for x, y in self._corners(centre)]
        if self.kind == "searched":
            if place is None and len(ring) < 3:
                return None
            return Searched(self.at_s, self.worth, place, self.radius_m or 0.0, ring)
        if place is None and ring:
            x, y = np.mean(np.array(ring), axis=0)
            place = float(x), float(y)
        if place is None:
            return None
        return Sighting(self.at_s, place, self.worth, max(self.radius_m or 0.0, SEEN_WITHIN_M))

    def _corners(self, centre: Centre) -> Floats:
        corners = np.array(self.area, dtype=float).reshape(-1, 2)
        return centre.metres(corners[:, 1], corners[:, 0])
