"""No request is read further than anything of ours may be long."""

from __future__ import annotations

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY: Final = 64 * 1024
_UPLOADS: Final = {
    "PUT": re.compile(r"/api/v1/gateways/[^/]+/evidence/[^/]+"),
    "POST": re.compile(
        r"/api/v1/(cases/[0-9a-f-]{36}/photographs|aed/sites/import|water/network/import)"
    ),
}
"""Evidence, photographs and registers count for themselves. The whole path is compared: a part of
it may be a name that the sender chose."""


class BodyLimit:
    """Plain ASGI. Counts what arrives, whatever length was announced; beyond the limit 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls an application."""
        if scope["type"] != "http" or _counts_for_itself(scope):
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


def _counts_for_itself(scope: Scope) -> bool:
    upload = _UPLOADS.get(scope["method"])
    return upload is not None and upload.fullmatch(scope["path"]) is not None
