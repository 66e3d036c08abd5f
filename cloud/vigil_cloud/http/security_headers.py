"""Headers that keep a page of ours from being framed, sniffed or fed foreign scripts."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "script-src 'self'",
        "worker-src 'self'",
        "img-src 'self' data: blob:{tiles}",  # the map's own controls are data: images
        "style-src 'self'",
        "connect-src 'self'{tiles}",
        "media-src 'self'",
        "font-src 'self'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY.format(tiles=""),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecurityHeaders:
    """Plain ASGI, so that event streams pass through unbuffered.

    A response's own header wins: evidence has a stricter policy than pages.
    """

    def __init__(self, app: ASGIApp, *, https: bool = False, map_tiles_url: str = "") -> None:
        self._app = app
        self._https = https
        tiles = urlsplit(map_tiles_url)
        origin = f" {tiles.scheme}://{tiles.netloc}" if tiles.netloc else ""
        self._headers = {**HEADERS, "Content-Security-Policy": _POLICY.format(tiles=origin)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls an application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if self._https:
                    headers.setdefault(
                        "Strict-Transport-Security", "max-age=31536000; includeSubDomains"
                    )
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, guarded)
