"""No request is read further than anything of ours may be long."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY: Final = 64 * 1024
_UPLOADS: Final = {
    "PUT": re.compile(r"/api/v1/gateways/[^/]+/evidence/[^/]+"),
    "POST": re.compile(r"/api/v1/cases/[0-9a-f-]{36}/photographs"),
}
"""Evidence and photographs count for themselves, as do the files that domains take in. The whole
path is compared: a part of it may be a name that the sender chose."""


class BodyLimit:
    """Plain ASGI. Counts what arrives, whatever length was announced; beyond the limit 413.
    ``imports``: addresses to which files are posted that count for themselves."""

    def __init__(self, app: ASGIApp, imports: Collection[str] = ()) -> None:
        self._app = app
        self._imports = frozenset(imports)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls an application."""
        if scope["type"] != "http" or self._counts_for_itself(scope):
            await self._app(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                raise HTTPException(413, f"A request may have {LARGEST_BODY} bytes.")
            return message

        await self._app(scope, counted, send)

    def _counts_for_itself(self, scope: Scope) -> bool:
        method, path = scope["method"], scope["path"]
        upload = _UPLOADS.get(method)
        if upload is not None and upload.fullmatch(path) is not None:
            return True
        return method == "POST" and path in self._imports
