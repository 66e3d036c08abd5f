"""What a search asks of check-ins: the only place that imports anything of theirs."""

from __future__ import annotations

from vigil_cloud.checkin.port import (
    Coverage,
    Station,
    VisitEntry,
    coverage,
    footprint,
    latest_device,
    stations,
    unwatch,
    watch,
)

__all__ = [
    "Coverage",
    "Station",
    "VisitEntry",
    "coverage",
    "footprint",
    "latest_device",
    "stations",
    "unwatch",
    "watch",
]
