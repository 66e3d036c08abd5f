"""What a domain's search is given, and what it gives back.

A search reads and listens; it writes nothing to a device and never pairs with one. What it is given
to look at beside this gateway's own lines, somebody typed on a page: only what ``[discovery]``
allows gets here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vigil_edge.configuration.added import Template
from vigil_schemas.discovery import Choice

IDENTITY_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search, as one domain sees it."""

    gateway: str
    sections: tuple[Any, ...]
    """Settings of this domain's sections that are in force."""
    addresses: tuple[str, ...] = ()
    """Where to look as well."""
    first_unit: int = 1
    last_unit: int = 16
    folder: Path
    """Where further descriptions of devices may lie."""
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One device that answered or was heard."""

    driver: str
    title: str
    title_zh: str
    identity: tuple[str, ...]
    """What makes it the same one at the next search: where it is, not what it says."""
    facts: tuple[tuple[str, str], ...] = ()
    choices: tuple[Choice, ...] = ()
    template: Template | None = None
    """``None``: it cannot be added from the cloud."""
    device: str | None = None
    """As what it is configured."""
    readable: bool = False

    def key(self, domain: str) -> str:
        """Its ``FoundId``."""
        told = "\n".join((domain, self.driver, *self.identity))
        return hashlib.blake2b(told.encode(), digest_size=IDENTITY_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """One place where was looked, with what was there; ``code``: why not, or not to its end."""

    place: str
    found: list[Found] = field(default_factory=list)
    code: str | None = None
    message: str | None = None
