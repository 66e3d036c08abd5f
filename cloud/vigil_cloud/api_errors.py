"""Refusals that a client can act on; ``http/problem.py`` answers them."""

from __future__ import annotations

from typing import ClassVar

from vigil_schemas.errors import VigilError


class ApiError(VigilError):
    """A refusal that a client can act on. Subclasses set ``status`` and ``code``."""

    code: ClassVar[str] = "bad-request"
    remedy: ClassVar[str] = "Correct what the message names and ask again."
    status: ClassVar[int] = 400

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers or {}


class NotFound(ApiError):
    """No such thing, or none that the reader may know of."""

    code: ClassVar[str] = "not-found"
    remedy: ClassVar[str] = "Check the address and the role that you are signed in with."
    status: ClassVar[int] = 404
