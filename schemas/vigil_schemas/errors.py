"""The root of every error that Vigil raises on purpose.

A subclass sets ``code``, a stable word that operators can search for and
programs can compare; the message says what to do about it. Data that a caller
may want goes into attributes, never only into the text.
"""

from __future__ import annotations

from typing import ClassVar


class VigilError(Exception):
    """Base of all errors raised deliberately; ``code`` never changes once released."""

    code: ClassVar[str] = "vigil"
    remedy: ClassVar[str] = ""
    """What to do about it, in a sentence; ``docs/errors.md`` is generated from these."""


class InvalidMessage(VigilError):
    """A message does not keep the contract.

    ``code`` differs per instance here because one refusal path serves several reasons.
    """

    code: ClassVar[str] = "invalid-message"
    remedy: ClassVar[str] = (
        "Bring the sender's firmware to the contract; the message is among the dead letters "
        "and can be replayed."
    )

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """One of ``malformed-json``, ``oversized``, ``wrong-schema``, ``unknown-type``,
        ``wrong-gateway``, ``wrong-lane``, ``stale``, ``future-dated``."""
