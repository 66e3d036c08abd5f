"""Visits that may not be whose they seem: a copied beacon, or one that was replayed. Pure.

A static id can be copied by anybody who has heard it. Nothing tells the copy from the beacon, but
nobody is at two far places at once, or moves faster than a train. Such visits are kept and marked,
both of them: which is the beacon and which the copy, nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from vigil_cloud.geodesy import distance_m

Doubt = Literal["replayed", "two-places", "too-fast"]
"""``replayed``: an id outside of its time. ``two-places``: at two far stations at once.
``too-fast``: faster from one to the next than anybody moves."""
REACH_M: Final = 1_000.0
"""Two stations this near may hear one beacon, at their ranges and with what their places err by."""
FASTEST_MPS: Final = 50.0
"""180 km/h: expressway and regional trains are slower, from door to door by far."""
CLOCKS: Final = timedelta(seconds=60)
"""Clocks of two gateways that are followed differ by less."""
NEAR_IN_TIME: Final = timedelta(hours=3)
"""Whoever was elsewhere this long ago can be anywhere in a city's reach by now."""


class Stay(NamedTuple):
    """A visit as this looks at it."""

    id: str
    begin: datetime
    end: datetime
    """Its last sign."""
    place: tuple[float, float] | None
    """Of the station; ``None``: not known, and nothing follows."""


def conflict(one: Stay, other: Stay) -> Doubt | None:
    """What is impossible of the two, if they were one person."""
    if one.place is None or other.place is None or one.id == other.id:
        return None
    away = distance_m(one.place, other.place)
    if away <= REACH_M:
        return None
    if one.begin <= other.end - CLOCKS and other.begin <= one.end - CLOCKS:
        return "two-places"
    pause = max(other.begin - one.end, one.begin - other.end) + CLOCKS
    if (away - REACH_M) / max(pause.total_seconds(), 1.0) > FASTEST_MPS:
        return "too-fast"
    return None


def conflicts(new: Stay, others: Iterable[Stay]) -> dict[str, Doubt]:
    """By id, what is impossible beside ``new``; ``new`` itself is among them where any is."""
    found: dict[str, Doubt] = {}
    for other in others:
        doubt = conflict(new, other)
        if doubt is not None:
            found[other.id] = doubt
            found[new.id] = "two-places" if "two-places" in found.values() else doubt
    return found
