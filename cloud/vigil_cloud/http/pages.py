"""The built web pages; addresses that are no file show the start page (the app routes itself)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from vigil_cloud.api_errors import NotFound

_ASKED_ANEW: Final = {"Cache-Control": "no-cache"}
_KEPT_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_CODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""How files of the build are compressed, the smallest first, and how their names end."""
_REFUSED: Final = re.compile(r"q\s*=\s*0(\.0{0,3})?")
_ATLAS_VERSION: Final = "version.txt"
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
    # The build names an asset by its content: a browser need never ask for it again.
    assets = _BuiltFiles(STATIC / "assets", lambda _scope: _KEPT_FOR_GOOD)
    app.mount("/assets", assets, name="assets")
    app.mount("/atlas", _BuiltFiles(STATIC / "atlas", _atlas_kept), name="atlas")
    app.add_api_route("/{path:path}", page, methods=["GET", "HEAD"], include_in_schema=False)


def _atlas_kept(scope: Scope) -> str:
    """Files of the atlas keep their names. What was asked for as a file of the atlas that is here
    (``?v=``) is kept for good; a page of the release before, or of the one after, that asks while
    the server is upgraded gets ours and keeps nothing: names and borders of two must not meet."""
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("v", [""])[0]
    return _KEPT_FOR_GOOD if asked and asked == _atlas_version() else _ASKED_ANEW["Cache-Control"]


def _atlas_version() -> str:
    with contextlib.suppress(FileNotFoundError):
        return (STATIC / "atlas" / _ATLAS_VERSION).read_text("ascii").strip()
    return ""


class _BuiltFiles(StaticFiles):
    """Files of the build, each sent as the build has compressed it: ``name.br`` and ``name.gz``
    beside ``name``.

    To compress them here would cost more than all else that a page asks for. Only these are
    compressed: an answer that mixes secrets with what a stranger chose must not be (BREACH).
    """

    def __init__(self, folder: Path, caching: Callable[[Scope], str]) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._caching = caching

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The smallest of the compressed files that the reader takes."""
        accepted = _accepted(Headers(scope=scope).get("accept-encoding", ""))
        found = {
            coding: file
            for coding, ending in _CODINGS.items()
            if (file := Path(f"{os.fspath(full_path)}{ending}")).is_file()
        }
        taken = next((coding for coding in found if coding in accepted), None)
        if taken:
            full_path, stat_result = found[taken], found[taken].stat()
        response = super().file_response(full_path, stat_result, scope, status_code)
        if found:
            response.headers["Vary"] = "Accept-Encoding"
            if taken and response.status_code != HTTPStatus.NOT_MODIFIED:
                response.headers["Content-Encoding"] = taken
        response.headers["Cache-Control"] = self._caching(scope)
        return response


def _accepted(header: str) -> set[str]:
    """Codings that a reader takes (RFC 9110 12.5.3); ``q=0`` is a refusal."""
    found = set()
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        if not _REFUSED.fullmatch(weight.strip()):
            found.add(name.strip())
    return found


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
        # Its name says nothing of its content: without this a browser guesses for how long it
        # may keep it, and a service worker of two releases is put together from its caches.
        return FileResponse(STATIC / path, headers=_ASKED_ANEW)
    start = STATIC / "index.html"
    if not start.is_file():
        raise NotFound("The web pages are not built; run `make setup`.")
    return FileResponse(start, headers=_ASKED_ANEW)
