"""What a search asks of check-ins: the only place that imports anything of theirs."""

from __future__ import annotations

from vigil_cloud.checkin.port import (
    Coverage,
    PhoneSighting,
    Station,
    VisitEntry,
    coverage,
    footprint,
    latest_device,
    newest_visit,
    opened,
    phone_heard_since,
    phone_sightings,
    stations,
    unwatch,
    watch,
)

__all__ = [
    "Coverage",
    "PhoneSighting",
    "Station",
    "VisitEntry",
    "coverage",
    "footprint",
    "latest_device",
    "newest_visit",
    "opened",
    "phone_heard_since",
    "phone_sightings",
    "stations",
    "unwatch",
    "watch",
]
