"""Keeps one pipeline running: whatever it raises stays with it, and it is started anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from vigil_edge.backoff import Backoff
from vigil_edge.device.health import SourceRecord
from vigil_edge.device.seam import CommandRefused, Pipeline, TakesCommands
from vigil_edge.packages import PackageMissing
from vigil_schemas.commands import CommandArguments
from vigil_schemas.errors import VigilError

STEADY_S: Final = 60.0
"""A pipeline that ran this long starts with a short pause again."""
COMMAND_S: Final = 20.0
"""How long a pipeline may take over a command."""
STOP_S: Final = 3.0
"""How long a cancelled pipeline may take to put its things away."""

_log = structlog.get_logger("supervisor")


class Supervisor:
    """One pipeline's life: started, restarted after growing pauses, paused, asked to restart."""

    def __init__(
        self,
        build: Callable[[], Pipeline],
        record: SourceRecord,
        backoff: Backoff,
        monotonic: Callable[[], float],
        *,
        extra: str = "edge",
    ) -> None:
        """``extra`` installs what the pipeline imports."""
        self._extra = extra
        self._build = build
        self._record = record
        self._backoff = backoff
        self._monotonic = monotonic
        self._interrupted = asyncio.Event()
        self._pipeline: Pipeline | None = None
        """While it runs."""
        self._paused = False

    @property
    def device(self) -> str:
        """The name of the section that the pipeline is of."""
        return self._record.device

    def restart(self) -> None:
        """Now, without a pause, also where it has ended or waits."""
        self._backoff.reset()
        self._interrupted.set()

    def pause(self, paused: bool) -> None:
        """Stop until told otherwise."""
        if paused != self._paused:
            self._paused = paused
            self.restart()

    async def command(self, device: str, arguments: CommandArguments) -> str:
        """Ask the pipeline that runs. Raises ``CommandRefused``, and what the pipeline raises."""
        if self._pipeline is None:
            why = self._record.message or self._record.state
            raise CommandRefused("source-not-running", f"{self._record.device} is not read: {why}")
        if not isinstance(self._pipeline, TakesCommands):
            raise CommandRefused("unsupported", f"{self._record.device} takes no commands")
        try:
            async with asyncio.timeout(COMMAND_S):
                return await self._pipeline.command(device, arguments)
        except TimeoutError as error:
            message = f"{self._record.device} did not do it within {COMMAND_S:.0f} s"
            raise CommandRefused("source-slow", message) from error

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._interrupted.clear()
            if self._paused:
                self._record.report("stopped", "paused", "paused by the cloud's configuration")
                await self._interrupted.wait()
                self._record.report("starting")
                continue
            began = self._monotonic()
            self._record.said_this_attempt = False
            if await self._attempt():
                await self._interrupted.wait()
                continue
            if self._interrupted.is_set():
                continue
            if self._monotonic() - began >= STEADY_S:
                self._backoff.reset()
            self._record.restarts += 1
            try:
                async with asyncio.timeout(self._backoff.next()):
                    await self._interrupted.wait()
            except TimeoutError:
                continue

    async def _attempt(self) -> bool:
        """One run of the pipeline; true where it came to its own end."""
        running = asyncio.create_task(self._lead(), name=f"pipeline {self._record.device}")
        interrupted = asyncio.create_task(self._interrupted.wait())
        try:
            await asyncio.wait({running, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            came_to_end = running.done()
        finally:
            interrupted.cancel()
            running.cancel()
            _, stuck = await asyncio.wait({running}, timeout=STOP_S)
            if stuck:
                self._record.counters["source-stuck"] += 1
                _log.error("pipeline does not stop when cancelled", device=self._record.device)
        if not came_to_end:
            if running.done() and not running.cancelled():
                running.exception()  # looked at, so that asyncio does not complain of it
            return False
        return self._judge(running)

    async def _lead(self) -> None:
        self._pipeline = self._build()
        try:
            await self._pipeline.run()
        finally:
            self._pipeline = None

    def _judge(self, ended: asyncio.Task[None]) -> bool:
        device = self._record.device
        error = (
            asyncio.CancelledError("cancelled itself") if ended.cancelled() else ended.exception()
        )
        if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("vigil_"):
            # Libraries are imported where they are used: the driver has only now asked for one.
            error = PackageMissing(error.name or str(error), self._extra)
        if error is None:
            self._record.report("stopped", "source-ended", "the source came to its end")
            _log.info("source ended", device=device)
            return True
        if isinstance(error, VigilError):
            code, message = error.code, str(error)
            _log.warning("source failed", device=device, code=code, error=message)
        else:
            code, message = "source-crashed", f"{type(error).__name__}: {error}"
            _log.error("pipeline crashed", device=device, exc_info=error)
        self._record.counters[code] += 1
        self._record.report("failed", code, message)
        return False
