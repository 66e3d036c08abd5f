"""Heavy work of every pipeline: few programs at a time, the urgent ones first, a bounded queue.

Each piece is a program in a process of its own: its memory goes back when it ends, it cannot
hold up a microphone, and a codec that crashes takes nothing with it. A program that is soon to be
asked for may be started before, as a standby: it loads what it needs and waits for the rest of its
words (``waiting_program``).
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import json
import os
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, cast

from vigil_edge.waiting_program import WAITS
from vigil_schemas.errors import VigilError

WAITING_MOST: Final = 64
AT_ONCE: Final = 1
"""One core of a small gateway is the microphone's and the outbox's."""
READY_FOR_S: Final = 20.0
"""A program that nobody asked for ends then: it holds memory."""


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


@dataclass(frozen=True, slots=True)
class _Ready:
    """A program that waits for the rest of its words."""

    words: Sequence[str]
    environment: Mapping[str, str]
    process: Process
    given: asyncio.StreamWriter
    """Its input."""
    ends: asyncio.TimerHandle

    def fits(self, words: Sequence[str], environment: Mapping[str, str]) -> bool:
        begins_so = list(words[: len(self.words)]) == list(self.words)
        return begins_so and self.environment == environment and self.process.returncode is None


class Worker:
    """One per agent."""

    def __init__(
        self,
        count: Callable[[str], None],
        *,
        at_once: int = AT_ONCE,
        most: int = WAITING_MOST,
        ready_for_s: float = READY_FOR_S,
    ) -> None:
        """``count``: adds to a counter of the gateway's health."""
        self._count = count
        self._ready: _Ready | None = None
        self._ready_for_s = ready_for_s
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
            process = self._handed_over(words, environment or {})
            if process is None:
                process = await _started(words, environment or {}, asyncio.subprocess.DEVNULL)
            return await _ended(process, within_s)
        finally:
            self._free += 1
            self._next()

    async def prepare(
        self, words: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a program that will soon be asked for: the next ``run`` of words that begin with
        ``words``, in the same environment, is its. Where other work is under way nothing is
        started; what is not asked for ends by itself."""
        if self._ready is not None or not self._free or self._waiting:
            return
        process = await _started([*words, WAITS], environment or {}, asyncio.subprocess.PIPE)
        self._put_away()  # of two who prepared at once the later stays
        ends = asyncio.get_running_loop().call_later(self._ready_for_s, self._put_away)
        given = cast("asyncio.StreamWriter", process.stdin)
        self._ready = _Ready(words, environment or {}, process, given, ends)

    async def close(self) -> None:
        """Nobody asks for anything any more."""
        ready = self._ready
        self._put_away()
        if ready is not None:
            await ready.process.wait()

    def _put_away(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.ends.cancel()
            ready.given.close()

    def _handed_over(self, words: Sequence[str], environment: Mapping[str, str]) -> Process | None:
        """The program that waits, if it is this one: it has its words now."""
        ready = self._ready
        if ready is None or not ready.fits(words, environment):
            return None
        ready.given.write(json.dumps(words[len(ready.words) :]).encode() + b"\n")
        self._put_away()
        return ready.process

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


async def _started(words: Sequence[str], environment: Mapping[str, str], stdin: int) -> Process:
    return await asyncio.create_subprocess_exec(
        *words,
        stdin=stdin,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


async def _ended(process: Process, within_s: float) -> bool:
    """Whether it ends well in time; it does not outlive whoever waits for it."""
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
