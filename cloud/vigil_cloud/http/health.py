"""Is the service alive, is it ready, and how is it doing: for supervisors and Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel

from vigil_cloud.services import Services

CHECK_TIMEOUT_S: Final = 5.0
ASKED_FOR_S: Final = 1.0
"""An answer counts for so long: the checks write, and anybody may ask."""
TOLD_S: Final = 60.0
_log = structlog.get_logger(__name__)

router = APIRouter(tags=["operations"])


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """``down`` names the parts that do not answer; the log says why."""

    status: Literal["ready", "not-ready"]
    parts: dict[str, Literal["ok", "down"]]
    down: list[str]


@router.get("/healthz", operation_id="get_liveness")
async def get_liveness() -> Liveness:
    """200 while the process can answer at all."""
    return Liveness()


class Checks:
    """Asks each part at most once at a time, on threads that nothing else uses.

    A part that hangs holds one thread however often it is asked after, and neither the
    answer about the others nor the end of the process waits for it.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._began: dict[str, float] = {}
        self._told: dict[str, float] = {}

    async def ask(self, checks: dict[str, Callable[[], None]]) -> dict[str, BaseException | None]:
        """What is wrong with each, ``None`` where nothing is."""
        tasks = {name: self._task(name, check) for name, check in checks.items()}
        done, _ = await asyncio.wait(tasks.values(), timeout=CHECK_TIMEOUT_S)
        silent = TimeoutError(f"no answer within {CHECK_TIMEOUT_S:.0f} s")
        return {name: task.exception() if task in done else silent for name, task in tasks.items()}

    def is_news(self, name: str, down: bool) -> bool:
        """Whether to write that a part is down: at its beginning, and each minute."""
        now = asyncio.get_running_loop().time()
        if not down:
            self._told.pop(name, None)
            return False
        if now - self._told.get(name, -TOLD_S) < TOLD_S:
            return False
        self._told[name] = now
        return True

    def _task(self, name: str, check: Callable[[], None]) -> asyncio.Task[None]:
        task, now = self._running.get(name), asyncio.get_running_loop().time()
        if task is None or (task.done() and now - self._began[name] >= ASKED_FOR_S):
            self._began[name] = now
            asked = to_thread.run_sync(check, abandon_on_cancel=True, limiter=CapacityLimiter(1))
            task = self._running[name] = asyncio.ensure_future(asked)
            # Looked at even where nobody waited for it, or asyncio would complain.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task


def install(app: FastAPI, services: Services) -> None:
    """Serve the routes below on an application."""
    app.state.services = services
    app.state.checks = Checks()


@router.get(
    "/readyz",
    operation_id="get_readiness",
    responses={503: {"model": Readiness, "description": "A part is down"}},
)
async def get_readiness(request: Request, response: Response) -> Readiness:
    """200 only while every part works that a request or a message may need."""
    services: Services = request.app.state.services
    asked: Checks = request.app.state.checks
    found = await asked.ask(services.readiness)
    parts: dict[str, Literal["ok", "down"]] = {}
    for name, error in found.items():
        parts[name] = "ok" if error is None else "down"
        if asked.is_news(name, error is not None):
            _log.warning("part-down", part=name, error=f"{type(error).__name__}: {error}")
    down = sorted(name for name, state in parts.items() if state == "down")
    response.headers["Cache-Control"] = "no-store"
    if down:
        response.status_code = 503
    return Readiness(status="not-ready" if down else "ready", parts=parts, down=down)


@router.get("/metrics", operation_id="get_metrics", response_class=Response)
async def get_metrics(request: Request) -> Response:
    """Figures in Prometheus' text format. They name devices' lanes and reasons, never people."""
    services: Services = request.app.state.services
    text, content_type = services.metrics.exposition()
    return Response(text, headers={"Content-Type": content_type})
