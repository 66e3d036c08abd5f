"""For how long something may be put aside in a row where lives hang on hearing it.

A single shelf is short, but nothing kept anybody from renewing it for ever. What is put aside
again before it was in use for ``REST`` goes on with the same row, whoever asks and whatever ended
the one before. Pure; ``shelves`` asks it of devices, ``alerts.aside`` of single alerts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Final, NamedTuple

from vigil_cloud.api_errors import ApiError

REST: Final = timedelta(hours=12)
LONGEST_SHELVED: Final = timedelta(hours=72)
LONGEST_OUT: Final = timedelta(hours=24)
"""Of work on a device alone: nothing of it calls anybody meanwhile."""


class AsideTooLong(ApiError):
    """It would be put aside for too long in a row."""

    code: ClassVar[str] = "aside-too-long"
    remedy: ClassVar[str] = (
        "Put it aside until the moment that the message names at the latest, replace the device,"
        " or let it be in use for as long as the message says first."
    )
    status: ClassVar[int] = 422

    def __init__(self, since: datetime, longest: timedelta) -> None:
        hour = timedelta(hours=1)
        latest = since + longest
        super().__init__(
            f"It has been put aside since {since:%Y-%m-%d %H:%M} UTC, and may be for"
            f" {longest // hour} hours in a row: until {latest:%Y-%m-%d %H:%M} UTC, or again after"
            f" {REST // hour} hours in use."
        )
        self.since = since
        self.latest = latest
        self.longest_hours = longest // hour
        self.rest_hours = REST // hour


class Span(NamedTuple):
    """Something was put aside from ``begun`` to ``ends``."""

    begun: datetime
    ends: datetime


def since(spans: Iterable[Span], now: datetime) -> datetime:
    """When the row began that goes on with what is put aside ``now``; else ``now``."""
    began = now
    for span in sorted(spans, key=lambda one: one.ends, reverse=True):
        if span.begun == span.ends:
            continue  # taken back at once
        if span.ends + REST <= began:
            break
        began = min(began, span.begun)
    return began


def check(began: datetime, until: datetime, longest: timedelta) -> None:
    """Raises ``AsideTooLong``."""
    if until > began + longest:
        raise AsideTooLong(began, longest)
