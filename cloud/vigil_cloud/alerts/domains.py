"""What alerts can be about: the four sensing domains, and the platform itself."""

from __future__ import annotations

from enum import StrEnum


class AlertDomain(StrEnum):
    """The words of ``vigil_schemas.types.Domain``, and one that no device ever sends."""

    NOISE = "noise"
    WATER = "water"
    CHECKIN = "checkin"
    SMOKE = "smoke"
    PLATFORM = "platform"
