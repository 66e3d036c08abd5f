"""A station under test: its settings, its pipeline while it runs, the visits it told of."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

from pydantic import TypeAdapter

from edge.device import supervised
from edge.memory_context import MemoryContext
from vigil_edge.checkin import pipeline
from vigil_edge.checkin.settings import CheckinSettings
from vigil_schemas.checkin import CheckinVisit


def settings(section: dict[str, Any], **keys: Any) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(CheckinSettings)
    return adapter.validate_python({"device": "gate", "absence_s": 0.5} | section | keys)


def running(made: Any, context: MemoryContext) -> AbstractAsyncContextManager[asyncio.Task[None]]:
    return supervised.running(pipeline.build(made, context), context)


def visits(context: MemoryContext) -> list[CheckinVisit]:
    return [out.data for out in context.accepted if isinstance(out.data, CheckinVisit)]


def phases(context: MemoryContext) -> list[str]:
    return [visit.phase for visit in visits(context)]
