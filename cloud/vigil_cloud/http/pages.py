"""The built web pages; addresses that are no file show the start page (the app routes itself)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from vigil_cloud.api_errors import NotFound

STATIC: Final = Path(__file__).parents[1] / "static"
_NOT_PAGES: Final = (
    "api/",
    "r/",
    "assets/",
    "atlas/",
    "healthz",
    "readyz",
    "metrics",
    "openapi.json",
)


def install(app: FastAPI) -> None:
    """Serve what ``make setup`` has built into ``static``; without it say what to do."""
    for folder in ("assets", "atlas"):
        files = StaticFiles(directory=STATIC / folder, check_dir=False)
        # Only files that are the same for everybody are compressed: an answer that mixes
        # secrets with what a stranger chose must not be (BREACH).
        app.mount(f"/{folder}", GZipMiddleware(files), name=folder)
    app.add_api_route("/{path:path}", page, methods=["GET", "HEAD"], include_in_schema=False)


def _top_files() -> set[str]:
    """Names are compared, never opened as they come: they may hold anything."""
    with contextlib.suppress(FileNotFoundError):
        return {file.name for file in STATIC.iterdir() if file.is_file()}
    return set()


def page(path: str, request: Request) -> FileResponse:
    """A file of the build's top folder, or the start page."""
    if path.startswith(_NOT_PAGES):
        raise NotFound(f"There is nothing at {request.url.path}.")
    if path in _top_files():
        return FileResponse(STATIC / path)
    start = STATIC / "index.html"
    if not start.is_file():
        raise NotFound("The web pages are not built; run `make setup`.")
    return FileResponse(start, headers={"Cache-Control": "no-cache"})
