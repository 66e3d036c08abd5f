"""Lists are compressed: they repeat themselves, and phones are on slow lines.

Only answers that hold no secret of the session are (BREACH: where a secret and what a stranger
chose are compressed together, the size tells of the secret): the CSRF token is given by
``/session`` alone, and the cookie is SameSite=Strict, so that a foreign page cannot ask in the
reader's name. Streams, evidence (ranges of bytes) and people's footprints are left alone.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_COMPRESSED: Final = re.compile(r"/api/v1/(alerts|devices|gateways|dead-letters)(/[^/]+)*")
_NOT: Final = re.compile(r"/api/v1/gateways/[^/]+/evidence/.*")
MINIMUM: Final = 1_000
LEVEL: Final = 5


class Compression:
    """Plain ASGI: gzip for the paths above and for nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, minimum_size=MINIMUM, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls an application."""
        path = scope["path"] if scope["type"] == "http" else ""
        chosen = _COMPRESSED.fullmatch(path) and not _NOT.fullmatch(path)
        await (self._compressed if chosen else self._app)(scope, receive, send)
