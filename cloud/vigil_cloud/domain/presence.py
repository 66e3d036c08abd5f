"""That somebody, or something, was seen: how the domain that hears it tells those that act on it.

Neither knows the other. Whoever hears tells every registered domain (``registry.tell_person_seen``)
in ingest's transaction; who is not interested does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device that moves was at a sign. WGS 84, degrees."""

    state: str
    """``fixed``; else why it is not known, as the device says: ``too-old``, ``no-fix``,
    ``no-receiver``."""
    latitude: float | None = None
    longitude: float | None = None
    within_m: float | None = None
    """As good as its receiver says it is; ``None``: it does not say."""
    at: datetime | None = None
    """Of the satellites' fix."""


@dataclass(frozen=True, slots=True)
class PersonSeen:
    """A person was at a device of the city. Times have been corrected by its clock's offset."""

    person_key: str
    gateway: str
    device: str
    first: datetime
    """Of this stay, as far as is known."""
    last: datetime
    received: datetime
    at_once: bool
    """The device was asked to tell of this person at the first sign, and did."""
    position: Position | None = None
    """Of a device that moves; ``None``: it stands where its description says."""
    marks: Mapping[str, Any] = field(default_factory=dict)
    """As ``Received.marks``."""


@dataclass(frozen=True, slots=True)
class TagSeen:
    """A tag that no person carries was at a device of the city; times as in ``PersonSeen``."""

    tag: str
    gateway: str
    device: str
    last: datetime
    received: datetime
    at_once: bool = False
    """As in ``PersonSeen``."""
    position: Position | None = None
    """As in ``PersonSeen``."""
    marks: Mapping[str, Any] = field(default_factory=dict)
    """As ``Received.marks``."""
