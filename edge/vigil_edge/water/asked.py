"""Readings that somebody asked for out of turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from vigil_edge.device.seam import CommandRefused
from vigil_schemas.errors import VigilError


class Asked:
    """Between the command that waits and the pipeline that reads."""

    def __init__(self) -> None:
        self._hurry = asyncio.Event()
        self._waiting: list[asyncio.Future[str]] = []
        self._reading: list[asyncio.Future[str]] = []
        """Asked for before the reading that is under way began."""

    async def sample(self) -> str:
        """Until the next whole reading. Raises ``CommandRefused`` where it fails."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._hurry.set()
        return await waiting

    async def within(self, seconds: float) -> bool:
        """Wait so long, or until somebody asks; true where somebody did."""
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            return False
        self._hurry.clear()
        self._reading, self._waiting = self._waiting, []
        return True

    def done(self, said: str) -> None:
        """A reading is kept."""
        for waiting in self._reading:
            if not waiting.done():
                waiting.set_result(said)
        self._reading = []

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Whoever waits when this ends is told why."""
        error: VigilError | None = None
        try:
            yield
        except VigilError as caught:
            error = caught
            raise
        finally:
            code = "source-ended" if error is None else error.code
            for waiting in [*self._reading, *self._waiting]:
                if not waiting.done():
                    waiting.set_exception(CommandRefused(code, str(error or "it was stopped")))
            self._reading = self._waiting = []
