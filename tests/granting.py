"""What readers in tests hold by consents."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from cloud_city import NOON
from vigil_cloud.identity.whereabouts import EVERYTHING, Granted, Scope, granted


def consented(
    *persons: str,
    scopes: Collection[Scope] = EVERYTHING,
    footprint_from: datetime | None = None,
    given: datetime = NOON,
) -> frozenset[Granted]:
    """A consent of each of these persons."""
    return frozenset(granted(person, scopes, footprint_from, given) for person in persons)
