"""Where the rooms are put together: the HTTP application, and the handlers that ingest calls."""

from __future__ import annotations

import importlib.util
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from vigil_cloud import problem
from vigil_cloud.identity.routes import router as identity_router
from vigil_cloud.ingest.port import Handler
from vigil_cloud.services import Services

API: Final = "/api/v1"


def _routers() -> list[APIRouter]:
    found = [identity_router]
    if importlib.util.find_spec("vigil_cloud.devices.routes"):
        found.append(importlib.import_module("vigil_cloud.devices.routes").router)
    return found


def create_app(services: Services) -> FastAPI:
    """The application. Opens no store: that is left to the first request."""
    app = _application()
    app.state.services = services
    return app


def handlers(services: Services) -> list[Handler]:
    """The rooms that take events, for ingest."""
    del services
    return []


def openapi_document() -> dict[str, Any]:
    """The API's description; needs no services, no settings and no stores."""
    return _application().openapi()


def _application() -> FastAPI:
    app = FastAPI(
        title="Vigil 守望",
        version="1",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    problem.install(app)
    for router in _routers():
        app.include_router(router, prefix=API)
    _describe(app)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _describe(app: FastAPI) -> None:
    original = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = problem.describe_errors(original())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend it
