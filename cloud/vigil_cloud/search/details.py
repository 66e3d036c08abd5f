"""What the alerts of a search say beside their titles."""

from __future__ import annotations

from typing import Literal

from vigil_cloud.domain.detail import AlertDetail
from vigil_schemas.types import UtcDatetime


class _OfCase(AlertDetail):
    case: str
    number: str
    """As people say it."""


class CallDetail(_OfCase):
    """The police are called; it names nobody and no place."""

    type: Literal["search-call"] = "search-call"


class MissingDetail(_OfCase):
    """Somebody is missing, and where they were seen last since then."""

    type: Literal["search-missing"] = "search-missing"
    seen: UtcDatetime | None = None
    device: str | None = None
    place: str | None = None
    place_zh: str | None = None


class FoundDetail(_OfCase):
    """The search has ended."""

    type: Literal["search-found"] = "search-found"
    outcome: str
