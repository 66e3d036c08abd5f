"""A satellite receiver that is listened to for as long as somebody needs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random

import structlog

from vigil_edge.position.fix import Fix, NoFix, Said, State
from vigil_edge.position.following import follow
from vigil_edge.position.settings import PositionSettings
from vigil_edge.repeated import Repeated

_log = structlog.get_logger("position")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device is now, or why that is not known. Degrees, WGS 84."""

    state: State
    latitude: float | None = None
    longitude: float | None = None
    within_m: float | None = None
    at: datetime | None = None
    """When the gateway was told, by its own clock."""


class Receiver:
    """One receiver. It never raises: what it cannot tell is a state of the position."""

    def __init__(
        self,
        settings: PositionSettings,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        random: Random | None = None,
    ) -> None:
        self._settings, self._random = settings, random
        self._now, self._monotonic = now, monotonic
        self._fix: Fix | None = None
        self._at: tuple[datetime, float] | None = None
        """Of the fix: the wall clock, and the one for durations."""
        self._state: State = "no-receiver"
        self._repeated = Repeated(monotonic)
        self.heard = asyncio.Event()
        """Set with each line that says anything of where it is."""

    def position(self) -> Position:
        """Now. A fix that is older than the settings allow has a time and no place."""
        if self._fix is None or self._at is None:
            return Position(self._state)
        at, told_s = self._at
        if self._monotonic() - told_s > self._settings.max_age_s:
            return Position("too-old" if self._state == "fixed" else self._state, at=at)
        fix = self._fix
        return Position("fixed", fix.latitude, fix.longitude, fix.within_m, at)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        """For as long as the block runs."""
        task = asyncio.create_task(follow(self._settings, self, random=self._random))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def lost(self, why: str) -> None:
        """It cannot be asked any more; what it said before grows old."""
        if self._state != "no-receiver" and self._repeated.due("receiver-lost"):
            _log.warning("receiver-lost", address=self._settings.address, error=why[:200])
        self._state = "no-receiver"

    def take(self, said: Said) -> None:
        """One line of it."""
        if said is None:
            return
        if isinstance(said, NoFix):
            self._state = "no-fix"
        else:
            self._state, self._fix = "fixed", said
            self._at = self._now(), self._monotonic()
        self.heard.set()
