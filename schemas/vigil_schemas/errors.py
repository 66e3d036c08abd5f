"""The root of every error that Vigil raises on purpose.

A subclass sets ``code``, a stable word that operators can search for and
programs can compare. What it is about (a path, a limit, a gateway) are
attributes that its ``__init__`` takes and builds the message from: programs
and texts in other languages read them from ``data``, nobody parses a message.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from pathlib import PurePath
from typing import ClassVar, NamedTuple, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Datum: TypeAlias = Scalar | list[Scalar]
"""One attribute of an error, as JSON can hold it."""


class VigilError(Exception):
    """Base of all errors raised deliberately; ``code`` never changes once released."""

    code: ClassVar[str] = "vigil"
    remedy: ClassVar[str] = ""
    """What to do about it, in a sentence; ``docs/errors.md`` is generated from these."""

    @property
    def data(self) -> dict[str, Datum]:
        """Its attributes as JSON can hold them: times in ISO 8601, durations in seconds, paths as
        text, collections of these as lists. What cannot be told so is left out."""
        told = ((name, _datum(value)) for name, value in vars(self).items() if name[0] != "_")
        return {name: datum for name, (fits, datum) in told if fits}


def _datum(value: object) -> tuple[bool, Datum]:
    fits, scalar = _scalar(value)
    if fits:
        return True, scalar
    if isinstance(value, Collection) and not isinstance(value, Mapping | bytes):
        inner = [_scalar(each) for each in value]
        if all(fit for fit, _ in inner):
            return True, [each for _, each in inner]
    return False, None


def _scalar(value: object) -> tuple[bool, Scalar]:
    if value is None or isinstance(value, str | int | float):
        return True, value
    if isinstance(value, timedelta):
        return True, value.total_seconds()
    if isinstance(value, date):
        return True, value.isoformat()
    return (True, str(value)) if isinstance(value, PurePath) else (False, None)


class Fault(NamedTuple):
    """One place in which a message does not keep the contract."""

    where: tuple[str | int, ...]
    """Keys and positions from the message's outside: ``("data", "since")``."""
    what: str
    kind: str
    """As pydantic names it: ``missing``, ``extra_forbidden``, ``json_invalid`` …"""


class InvalidMessage(VigilError):
    """A message does not keep the contract.

    ``code`` differs per instance here because one refusal path serves several reasons.
    """

    code: ClassVar[str] = "invalid-message"
    remedy: ClassVar[str] = (
        "Bring the sender's firmware to the contract; the message is among the dead letters "
        "and can be replayed."
    )

    def __init__(self, reason: str, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        """One of ``malformed-json``, ``oversized``, ``wrong-schema``, ``unknown-type``,
        ``wrong-gateway``, ``wrong-lane``, ``stale``, ``future-dated``."""
        self.faults = tuple(faults)
        """Every place that the models refuse, where they are what refuses; the message names the
        first."""
