"""Errors as RFC 9457 problem+json: one shape for every refusal, and never a stack trace."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.engine import lost_a_race
from vigil_cloud.http.security_headers import HEADERS
from vigil_cloud.mistakes import mistakes_of
from vigil_cloud.objects.port import ObjectMissing, ObjectsUnavailable
from vigil_cloud.timeseries.port import TimeSeriesUnavailable
from vigil_schemas.errors import Datum, VigilError

MISTAKES: Final = 8
"""So many of one request are told."""
MEDIA_TYPE: Final = "application/problem+json"

_log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """What went wrong: ``code`` is stable and for programs, ``detail`` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    data: dict[str, Datum] = {}
    """What the refusal is about, by name: for programs, and for texts in other languages."""


_TITLES: Final = {
    413: "Content Too Large",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""Where the standard library's phrases (and with them the codes) differ between Pythons."""
_UNAVAILABLE: Final = (TimeSeriesUnavailable, ObjectsUnavailable)


def problem(
    status: int,
    code: str,
    detail: str,
    headers: dict[str, str] | None = None,
    data: dict[str, Datum] | None = None,
) -> JSONResponse:
    """The response for one refusal."""
    body = Problem(title=_title(status), status=status, code=code, detail=detail, data=data or {})
    told = body.model_dump(exclude=None if data else {"data"})
    return JSONResponse(told, status, headers=headers, media_type=MEDIA_TYPE)


def _title(status: int) -> str:
    return _TITLES.get(status) or HTTPStatus(status).phrase


async def _on_vigil_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return problem(error.status, error.code, str(error), error.headers, error.data)
    assert isinstance(error, VigilError)  # noqa: S101 - registered for this class only
    if isinstance(error, _UNAVAILABLE):
        return problem(503, error.code, str(error), {"Retry-After": "5"})
    if isinstance(error, ObjectMissing):
        return problem(404, error.code, str(error))
    _log.error("request-failed", code=error.code, exc_info=error)
    return problem(500, error.code, "The request failed inside; the operator's log says why.")


async def _on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    code = _title(error.status_code).lower().replace(" ", "-")
    return problem(error.status_code, code, str(error.detail), dict(error.headers or {}))


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    told = [
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
    ]
    wrong = mistakes_of(error.errors()[:MISTAKES])
    data: dict[str, Datum] = {
        "places": [one.place.removeprefix("body.") for one in wrong],
        "kinds": [one.kind for one in wrong],
        "values": [one.value for one in wrong],
    }
    return problem(422, "invalid-request", "; ".join(told[:MISTAKES]), data=data)


async def _on_conflict(_request: Request, _error: Exception) -> Response:
    return problem(409, "changed-meanwhile", "Somebody changed this just now; read it again.")


async def _on_integrity_error(request: Request, error: Exception) -> Response:
    """Two who write the same row at once: on SQLite writers take turns, on PostgreSQL the second
    one is told so by the index."""
    if not lost_a_race(error):
        return await _on_anything_else(request, error)
    _log.info("lost-a-race", path=request.url.path, exc_info=error)
    return await _on_conflict(request, error)


async def _on_database_error(_request: Request, error: Exception) -> Response:
    _log.error("database-unavailable", exc_info=error)
    return problem(
        503,
        "database-unavailable",
        "The database does not answer; try again.",
        {"Retry-After": "5"},
    )


async def _on_client_gone(_request: Request, _error: Exception) -> Response:
    return problem(400, "client-disconnected", "The connection ended before the request did.")


async def _on_anything_else(_request: Request, error: Exception) -> Response:
    _log.error("request-failed", code="internal", exc_info=error)
    # Starlette answers this one outside of every middleware, so the headers are given here.
    return problem(
        500, "internal", "The request failed inside; the operator's log says why.", HEADERS
    )


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    app.add_exception_handler(VigilError, _on_vigil_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(StaleDataError, _on_conflict)
    app.add_exception_handler(IntegrityError, _on_integrity_error)
    for away in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(away, _on_database_error)
    app.add_exception_handler(ClientDisconnect, _on_client_gone)
    app.add_exception_handler(Exception, _on_anything_else)


def describe_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Put the problem document in place of FastAPI's own error shapes in an OpenAPI document."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    response = {
        "description": "A problem document",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in document.get("paths", {}).values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"].setdefault("default", response)
    return document
