"""Refusals of searches. Each message says what to do instead."""

from __future__ import annotations

from typing import ClassVar

from vigil_cloud.api_errors import ApiError


class AlreadySearched(ApiError):
    """Somebody is searched for already: a second case would send people twice."""

    code: ClassVar[str] = "already-searched"
    remedy: ClassVar[str] = "Report it at /search/reports: what you know joins the open case."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("This person is searched for already; join that case.")


class SearchOver(ApiError):
    """The search has ended; where the person is, is shown to nobody by it any more."""

    code: ClassVar[str] = "search-over"
    remedy: ClassVar[str] = "Look at the case: it says how it ended."
    status: ClassVar[int] = 409


class NotASearch(ApiError):
    """The case is of another kind."""

    code: ClassVar[str] = "not-a-search"
    remedy: ClassVar[str] = "Open the case itself."
    status: ClassVar[int] = 404


class BadEntry(ApiError):
    """A place or a time that no report can have."""

    code: ClassVar[str] = "bad-search-entry"
    remedy: ClassVar[str] = "Give a point, with a radius, or an area; and a time that has passed."
    status: ClassVar[int] = 422


class NoSearchMap(ApiError):
    """There is no map of where the person probably is, or none for this reader."""

    code: ClassVar[str] = "no-search-map"
    remedy: ClassVar[str] = (
        "Wait a minute: it is drawn when a station or a report says where the person was. The"
        " footprint needs a consent, or access with a reason."
    )
    status: ClassVar[int] = 404

    def __init__(self) -> None:
        super().__init__("There is no map of where the person probably is.")
