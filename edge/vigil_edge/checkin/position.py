"""Where a station that moves was: its satellite receiver behind gpsd, followed beside the reader.

While it fails the station goes on, and says of each sighting that its place is not known.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from vigil_edge.checkin.fixes import Fixes
from vigil_edge.checkin.settings import PositionSettings
from vigil_edge.device.seam import PipelineContext
from vigil_edge.position.fix import NoFix, Said
from vigil_edge.position.following import follow
from vigil_schemas.checkin import StationPosition

UNREACHABLE: Final = "gps-unreachable"
NO_FIX: Final = "gps-no-fix"
_SILENT_S: Final = 10.0
"""A fix is of use for seconds: a receiver that is silent for longer is told."""
_PATIENCE_S: Final = 60.0
"""Without a fix for so long: said of the station, for a cold start takes half a minute."""


class Receiver:
    """Follows one gpsd."""

    def __init__(self, settings: PositionSettings, context: PipelineContext) -> None:
        self._settings = settings
        self._context = context
        self._fixes = Fixes(settings.max_age_s)
        self._trouble: tuple[str, str] | None = None
        self._fixed = context.monotonic()
        """When there was a fix last, or when we began."""

    async def run(self) -> None:
        """Until cancelled: connect, listen, and begin anew where it fails."""
        await follow(self._settings.receiver, self, silent_s=_SILENT_S)

    def lost(self, why: str) -> None:
        """Gpsd cannot be asked any more; what it said before still counts for its moments."""
        self._fixes.lost()
        self._context.count("gps-lost")
        self._trouble = (UNREACHABLE, f"gpsd at {self._settings.gpsd}: {why}")

    def take(self, said: Said) -> None:
        """One line of it. A place that cannot be read costs itself alone."""
        if said is None:
            return
        if isinstance(said, NoFix) and said.unreadable:
            self._context.count("gps-unreadable")
            return
        now, tick = self._context.now(), self._context.monotonic()
        before = self._fixes.last_at()
        self._fixes.add(said, tick, now)
        self._trouble = None
        if self._fixes.last_at() != before:
            self._fixed = tick

    def at(self, moment: datetime) -> StationPosition:
        """Where the station was at a moment of the gateway's clock, or why that is not known."""
        ago_s = (self._context.now() - moment).total_seconds()
        return self._fixes.at(self._context.monotonic() - ago_s)

    @property
    def trouble(self) -> tuple[str, str] | None:
        """Code and words of what is wrong now."""
        if self._trouble is not None:
            return self._trouble
        if self._context.monotonic() - self._fixed <= _PATIENCE_S:
            return None
        last = self._fixes.last_at()
        since = "since the start" if last is None else f"since {last:%H:%M:%S} UTC"
        return NO_FIX, f"no satellite fix {since}: sightings have no place"
