"""A satellite receiver behind gpsd: its JSON protocol over TCP, version 3 (gpsd_json(5)).

gpsd reads whatever receiver there is (NMEA, UBX and others, serial or USB) and says once a second
or more often where it is. It is asked beside the reader: while it fails the station goes on, and
says of each sighting that its place is not known.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from vigil_edge.checkin.fixes import Fixes, Report
from vigil_edge.checkin.settings import PositionSettings
from vigil_edge.device.seam import PipelineContext
from vigil_schemas.checkin import StationPosition

UNREACHABLE: Final = "gps-unreachable"
NO_FIX: Final = "gps-no-fix"
_WATCH: Final = b'?WATCH={"enable":true,"json":true};\n'
_SILENT_S: Final = 10.0
"""A receiver says something every second."""
_PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_LONGEST_LINE: Final = 64 << 10
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
        self._pauses = 0

    async def run(self) -> None:
        """Until cancelled: connect, listen, and begin anew where it fails."""
        while True:
            try:
                await self._follow()
            except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
                self._fixes.lost()
                self._context.count("gps-lost")
                self._trouble = (UNREACHABLE, f"gpsd at {self._settings.gpsd}: {_why(error)}")
            pause = _PAUSES_S[min(self._pauses, len(_PAUSES_S) - 1)]
            self._pauses += 1
            await asyncio.sleep(pause)

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

    async def _follow(self) -> None:
        settings = self._settings
        async with asyncio.timeout(_SILENT_S):
            reader, writer = await asyncio.open_connection(
                settings.host, settings.port, limit=_LONGEST_LINE
            )
        try:
            writer.write(_WATCH)
            while True:
                async with asyncio.timeout(_SILENT_S):
                    line = await reader.readuntil(b"\n")
                self._take(line)
        except asyncio.LimitOverrunError as error:
            raise ValueError("it sends what is no line of gpsd") from error
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError("it sends what is no JSON: is it gpsd?") from error
        if not isinstance(said, dict) or "class" not in said:
            raise ValueError("it sends what is no object of gpsd")
        if said["class"] != "TPV":
            return
        try:
            report = Report.model_validate(said)
        except ValidationError:  # one that cannot be read costs itself alone
            self._context.count("gps-unreadable")
            return
        now, tick = self._context.now(), self._context.monotonic()
        before = self._fixes.last_at()
        self._fixes.add(report, tick, now)
        self._trouble, self._pauses = None, 0
        if self._fixes.last_at() != before:
            self._fixed = tick


def _why(error: Exception) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "it closed the connection"
    if isinstance(error, TimeoutError):
        return f"it has said nothing for {_SILENT_S:g} s"
    return str(error) or type(error).__name__
