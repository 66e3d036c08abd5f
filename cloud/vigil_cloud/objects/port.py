"""The object port: evidence and other large things, kept by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final, Protocol

from vigil_schemas.errors import VigilError


class ObjectMissing(VigilError):
    """No object has this name."""

    code: ClassVar[str] = "object-missing"
    remedy: ClassVar[str] = "Restore it from a backup of the object store."

    def __init__(self, name: str) -> None:
        super().__init__(f"no object {name!r}")
        self.name = name


class ObjectsUnavailable(VigilError):
    """The store cannot be reached for now."""

    code: ClassVar[str] = "objects-unavailable"
    remedy: ClassVar[str] = (
        "Check the object store's address, credentials and network; the call is tried again."
    )


class InvalidObjectName(VigilError):
    """The name is not one that every store can keep."""

    code: ClassVar[str] = "object-name"
    remedy: ClassVar[str] = "This is a mistake in the program: report it with the message."

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r}: use relative paths of a-z, 0-9, '-', '_', '.', no part beginning with '.'"
        )
        self.name = name


_NAME: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*")


def checked_name(name: str) -> str:
    """The name itself. Raises ``InvalidObjectName``, so that no name leaves the store's folder."""
    if len(name) > 500 or not _NAME.fullmatch(name):
        raise InvalidObjectName(name)
    return name


class Objects(Protocol):
    """Names are relative paths of lower-case letters, digits, ``-``, ``_``, ``.`` and ``/``.
    An object appears whole or not at all; a put that returned is durable."""

    def put(self, name: str, path: Path) -> None:
        """Store a file's contents. Raises ``ObjectsUnavailable``."""

    def size(self, name: str) -> int:
        """Bytes. Raises ``ObjectMissing``, ``ObjectsUnavailable``."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Stream a range. Raises ``ObjectMissing``, ``ObjectsUnavailable``."""

    def names(self) -> Iterator[str]:
        """Every object's name, in no order. Raises ``ObjectsUnavailable``."""

    def delete(self, name: str) -> None:
        """Absent already is no error."""

    def ping(self) -> None:
        """Raises ``ObjectsUnavailable`` where a put would fail now."""
