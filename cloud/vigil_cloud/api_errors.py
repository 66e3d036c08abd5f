"""Refusals that a client can act on; ``http/problem.py`` answers them."""

from __future__ import annotations

from typing import ClassVar

from vigil_schemas.errors import VigilError


class ApiError(VigilError):
    """A refusal that a client can act on. Subclasses set ``status`` and ``code``.

    Attributes are answered to the client as ``data``: keep nothing in one that the reader may
    not know. ``headers`` are those of the answer.
    """

    code: ClassVar[str] = "bad-request"
    remedy: ClassVar[str] = "Correct what the message names and ask again."
    status: ClassVar[int] = 400

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers or {}  # a mapping, and so no part of ``data``


class NotFound(ApiError):
    """No such thing, or none that the reader may know of."""

    code: ClassVar[str] = "not-found"
    remedy: ClassVar[str] = "Check the address and the role that you are signed in with."
    status: ClassVar[int] = 404
