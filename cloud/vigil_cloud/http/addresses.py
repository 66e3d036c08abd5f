"""No address carries a NUL: a person types none, and PostgreSQL keeps none in a text."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from vigil_cloud.http.problem import problem


class PlainAddresses:
    """Plain ASGI, before any route: 422 for ``%00`` in the path or the query. Bytes that are not
    UTF-8 reach a route as U+FFFD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a NUL; pass on everything else."""
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            refusal = problem(422, "invalid-request", "An address may not hold a NUL (%00).")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
