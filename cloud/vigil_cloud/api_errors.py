"""Refusals that a client can act on; ``http/problem.py`` answers them."""

from __future__ import annotations

from typing import ClassVar

from vigil_schemas.errors import VigilError


class ApiError(VigilError):
    """A refusal that a client can act on. Subclasses set ``status`` and ``code``."""

    code: ClassVar[str] = "bad-request"
    status: ClassVar[int] = 400

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers or {}


class NotFound(ApiError):
    """No such thing, or none that the reader may know of."""

    code: ClassVar[str] = "not-found"
    status: ClassVar[int] = 404
