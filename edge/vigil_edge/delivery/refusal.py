"""A command that is not done."""

from __future__ import annotations

from typing import ClassVar

from vigil_schemas.errors import VigilError


class CommandRefused(VigilError):
    """A command that is not done; ``code`` is its answer's."""

    code: ClassVar[str] = "refused"
    remedy: ClassVar[str] = "Send the command again with what the message names corrected."

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # each refusal answers with a code of its own
