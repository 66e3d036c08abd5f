"""The agent under systemd: ready once it runs, alive as long as its loop turns.

``WATCHDOG=1`` is sent by the event loop itself and by nothing else: a loop that hangs in a driver
falls silent, and systemd kills the agent and starts it anew. Whatever it had accepted is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from vigil_schemas.service_manager import ServiceManager

_BEATS: Final = 3
"""Of a watchdog's time: two may be late."""
_UNWATCHED_S: Final = 30.0
"""How often the status line is renewed where no watchdog asks."""

_log = structlog.get_logger("agent")


class Watched:
    """Tells the service manager; a failure to is logged once and ends nothing."""

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._told = False
        self._unsaid = False

    def waiting(self, seconds: float, why: str) -> None:
        """Before it is ready: what it waits for, and for how long at least."""
        self._tell(lambda: self._manager.waiting(seconds, f"waiting: {why}"))

    def stopping(self) -> None:
        """What was accepted is put down."""
        self._tell(self._manager.stopping)

    async def beat(self, status: Callable[[], str]) -> None:
        """Until cancelled; ``status``: a line for ``systemctl status``."""
        pause_s = (self._manager.watchdog_s or _UNWATCHED_S * _BEATS) / _BEATS
        self._tell(lambda: self._manager.ready(self._line(status)))
        while True:
            self._tell(lambda: self._manager.alive(self._line(status)))
            await asyncio.sleep(pause_s)

    def _line(self, status: Callable[[], str]) -> str:
        """A line that cannot be made must not stop the heart: the agent would be killed for it."""
        try:
            return status()
        except Exception:  # noqa: BLE001 - whatever it is, it is logged once and the beat goes on
            if not self._unsaid:
                self._unsaid = True
                _log.exception("no status line")
            return "status unknown: see the log"

    def _tell(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except OSError as error:
            if not self._told:
                self._told = True
                _log.warning("the service manager does not listen", error=str(error))
