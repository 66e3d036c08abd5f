"""No request is read further than anything of ours may be long."""

from __future__ import annotations

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY: Final = 64 * 1024
_UPLOAD: Final = re.compile(r"/api/v1/gateways/[^/]+/evidence/[^/]+")
"""Uploads of evidence stream to disk and count for themselves. The whole path is compared:
a part of it may be a name that the sender chose."""


class BodyLimit:
    """Plain ASGI. Counts what arrives, whatever length was announced; beyond the limit 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upload = scope["type"] == "http" and _UPLOAD.fullmatch(scope["path"])
        if scope["type"] != "http" or (upload and scope["method"] == "PUT"):
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
