"""Heavy work of every pipeline: few programs at a time, the urgent ones first, a bounded queue.

Each piece is a program in a process of its own: its memory goes back when it ends, it cannot
hold up a microphone, and a codec that crashes takes nothing with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from vigil_schemas.errors import VigilError

WAITING_MOST: Final = 64
AT_ONCE: Final = 1
"""One core of a small gateway is the microphone's and the outbox's."""


class WorkDropped(VigilError):
    """More urgent work filled the queue: this piece was not begun. It may be given again."""

    code: ClassVar[str] = "work-dropped"
    remedy: ClassVar[str] = (
        "Lower the load on the gateway or give it a faster processor; what was dropped is "
        "counted in its health."
    )


@dataclass(order=True, slots=True)
class _Piece:
    priority: int
    number: int
    turn: asyncio.Future[None] = field(compare=False)


class Worker:
    """One per agent."""

    def __init__(
        self, count: Callable[[str], None], *, at_once: int = AT_ONCE, most: int = WAITING_MOST
    ) -> None:
        """``count``: adds to a counter of the gateway's health."""
        self._count = count
        self._free = at_once
        self._most = most
        self._waiting: list[_Piece] = []
        self._numbers = itertools.count()

    @property
    def waiting(self) -> int:
        """Pieces that wait for their turn."""
        return len(self._waiting)

    async def run(
        self,
        words: Sequence[str],
        *,
        priority: int,
        within_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> bool:
        """Run a program when it is its turn; whether it ended well within its time.

        ``priority``: 0 is the most urgent; of equals, the first that came. Raises
        ``WorkDropped`` where the queue is full of what is more urgent.
        """
        await self._turn(priority)
        try:
            return await _program(words, within_s, environment or {})
        finally:
            self._free += 1
            self._next()

    async def _turn(self, priority: int) -> None:
        piece = _Piece(priority, next(self._numbers), asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, piece)
        if len(self._waiting) > self._most + self._free:
            self._drop(max(self._waiting))
        self._next()
        try:
            await piece.turn
        except asyncio.CancelledError:
            if piece in self._waiting:
                self._forget(piece)
            elif piece.turn.done() and not piece.turn.cancelled() and not piece.turn.exception():
                self._free += 1  # its turn had come, and it does not take it
                self._next()
            raise

    def _next(self) -> None:
        while self._free and self._waiting:
            piece = heapq.heappop(self._waiting)
            if not piece.turn.done():
                self._free -= 1
                piece.turn.set_result(None)

    def _drop(self, piece: _Piece) -> None:
        self._forget(piece)
        self._count("work-dropped")
        piece.turn.set_exception(WorkDropped("too much heavy work waits on this gateway"))

    def _forget(self, piece: _Piece) -> None:
        self._waiting.remove(piece)
        heapq.heapify(self._waiting)


async def _program(words: Sequence[str], within_s: float, environment: Mapping[str, str]) -> bool:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        async with asyncio.timeout(within_s):
            return await process.wait() == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
