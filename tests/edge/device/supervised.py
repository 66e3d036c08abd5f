"""A pipeline by itself, or under the agent's own supervisor with pauses short enough for a test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from edge.memory_context import MemoryContext
from vigil_edge.backoff import Backoff
from vigil_edge.device.health import SourceRecord
from vigil_edge.device.seam import Pipeline
from vigil_edge.device.supervisor import Supervisor
from vigil_schemas.gateway import SourceState


class RecordedContext(MemoryContext):
    """A context whose reports reach the source's record, as in the agent."""

    record: SourceRecord | None = None

    def report(
        self, state: SourceState, code: str | None = None, message: str | None = None
    ) -> None:
        super().report(state, code, message)
        if self.record is not None:
            self.record.said_this_attempt = True
            self.record.report(state, code, message)


@asynccontextmanager
async def supervised(
    build: Callable[[], Pipeline], context: RecordedContext, device: str, *, extra: str = "edge"
) -> AsyncIterator[SourceRecord]:
    """Runs it until the block ends; yields what health would say of it."""
    record = SourceRecord(device, context.now, lambda _: None)
    context.record = record
    backoff = Backoff(Random(1), first_s=0.02, last_s=0.2)  # jitter, not a secret
    task = asyncio.create_task(
        Supervisor(build, record, backoff, time.monotonic, extra=extra).run()
    )
    try:
        yield record
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def running(
    pipe: Pipeline, context: MemoryContext | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Runs it until the block ends; with ``context``, the block begins once it is told ok."""
    task = asyncio.ensure_future(pipe.run())
    try:
        if context is not None:
            await context.until(lambda: ("ok", None, None) in context.reports, task)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
