"""A station under test: its settings, its pipeline while it runs, the visits it told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import TypeAdapter

from edge.room import MemoryRoom
from vigil_edge.checkin import pipeline
from vigil_edge.checkin.settings import Settings
from vigil_schemas.checkin import CheckinVisit


def settings(section: dict[str, Any], **keys: Any) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(Settings)
    return adapter.validate_python({"device": "gate", "absence_s": 0.5} | section | keys)


@asynccontextmanager
async def running(made: Any, room: MemoryRoom) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(pipeline.build(made, room).run())
    try:
        await room.until(lambda: ("ok", None, None) in room.reports, task)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def visits(room: MemoryRoom) -> list[CheckinVisit]:
    return [out.data for out in room.accepted if isinstance(out.data, CheckinVisit)]


def phases(room: MemoryRoom) -> list[str]:
    return [visit.phase for visit in visits(room)]
