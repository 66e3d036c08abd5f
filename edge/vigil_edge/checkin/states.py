"""Under which keys a station keeps what must survive a restart."""

from __future__ import annotations

from typing import Final

VISITS: Final = "checkin/visits"
WATCH: Final = "checkin/watch"
"""Tags that somebody looks for: of people."""
