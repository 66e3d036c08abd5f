"""Is the service alive, is it ready, and how is it doing: for supervisors and Prometheus."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

import structlog
from fastapi import APIRouter, Response
from pydantic import BaseModel

from vigil_cloud.database import engine
from vigil_cloud.identity.dependencies import ServicesDependency

CHECK_TIMEOUT_S: Final = 5.0
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


@router.get(
    "/readyz",
    operation_id="get_readiness",
    responses={503: {"model": Readiness, "description": "A part is down"}},
)
def get_readiness(services: ServicesDependency, response: Response) -> Readiness:
    """200 only while every part works that a request or a message may need."""
    checks = {
        "database": lambda: engine.ping(services.engine),
        "timeseries": services.timeseries.ping,
        "objects": services.objects.ping,
        **services.readiness,
    }
    parts: dict[str, Literal["ok", "down"]] = {}
    pool = ThreadPoolExecutor(len(checks), "readyz")
    futures = {name: pool.submit(check) for name, check in checks.items()}
    for name, future in futures.items():
        try:
            future.result(CHECK_TIMEOUT_S)
            parts[name] = "ok"
        except Exception as error:  # whatever a part raises, it is down
            _log.warning("part-down", part=name, error=f"{type(error).__name__}: {error}")
            parts[name] = "down"
    pool.shutdown(wait=False)
    down = sorted(name for name, state in parts.items() if state == "down")
    response.headers["Cache-Control"] = "no-store"
    if down:
        response.status_code = 503
    return Readiness(status="not-ready" if down else "ready", parts=parts, down=down)


@router.get("/metrics", operation_id="get_metrics", response_class=Response)
def get_metrics(services: ServicesDependency) -> Response:
    """Figures in Prometheus' text format. They name devices' lanes and reasons, never people."""
    text, content_type = services.metrics.exposition()
    return Response(text, headers={"Content-Type": content_type})
