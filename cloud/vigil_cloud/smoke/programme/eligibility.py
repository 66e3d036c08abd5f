"""Which homes the programme is for. Pure.

As the subsidies of Taiwan's fire departments have it: a home in which somebody belongs to a group
at risk, or that is itself one, two alarms at most, once in the life of an alarm.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal, get_args

Risk = Literal[
    "elder-alone",
    "elders-only",
    "disability",
    "low-income",
    "middle-low-income",
    "care-at-home",
    "wooden-or-iron-house",
    "narrow-lane",
    "rented-rooms",
    "hoarding",
    "fire-before",
]
"""Why a home is at risk: its people, or the building."""
RISKS: Final[tuple[Risk, ...]] = get_args(Risk)
FIRST: Final[frozenset[Risk]] = frozenset({"elder-alone", "disability", "care-at-home", "hoarding"})
"""Who cannot get out alone, or where a fire grows fast, is served before others."""
Objection = Literal["no-risk-group", "served-already", "another-application"]


def objections(
    risks: Collection[str], *, served: bool, applied_elsewhere: bool
) -> tuple[Objection, ...]:
    """Why the home is not eligible; empty where it is. ``served``: its alarms hang and do not
    expire soon. ``applied_elsewhere``: another application of the same home is open."""
    found: list[Objection] = []
    if not set(risks) & set(RISKS):
        found.append("no-risk-group")
    if served:
        found.append("served-already")
    if applied_elsewhere:
        found.append("another-application")
    return tuple(found)


def priority(risks: Collection[str]) -> int:
    """0 is served first."""
    return 0 if FIRST & set(risks) else 1
