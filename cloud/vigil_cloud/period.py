"""Spans of time that people ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


def before(moment: datetime, span: timedelta) -> datetime:
    """So much earlier, or the beginning of the calendar where that lies before it."""
    return moment - min(span, moment - _BEGINNING)
