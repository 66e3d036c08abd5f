"""The gateway's chain of packages: each names the digest of the one before it, so that one that
is taken out later leaves a gap.

The link is written down before the package gets its name. A deposit that is repeated after a crash
finds its link again and is the same zip; one that never comes again leaves a number without a
package, which is true.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, ValidationError

from vigil_edge.evidence.key import folder_to_disk
from vigil_schemas.evidence import EvidenceLink
from vigil_schemas.types import Sha256

CHAIN_NAME: Final = "chain.json"
_KEPT: Final = 256
"""Links that a repeated deposit finds again."""


class _Link(BaseModel):
    package: str
    """``{evidence_id}/{device}``."""
    link: EvidenceLink
    sha256: Sha256


class _Links(BaseModel):
    links: list[_Link] = Field(default_factory=list)


class Chain:
    """Of one evidence folder."""

    def __init__(self, folder: Path, broken: Callable[[Path], None]) -> None:
        self._path = folder / CHAIN_NAME
        self._links = self._read(broken).links

    def _read(self, broken: Callable[[Path], None]) -> _Links:
        if not self._path.exists():
            return _Links()
        try:
            return _Links.model_validate_json(self._path.read_bytes())
        except ValidationError:
            # It begins anew, which whoever verifies sees as well: number 1 a second time.
            aside = self._path.with_name(f"{CHAIN_NAME}.damaged")
            self._path.rename(aside)
            broken(aside)
            return _Links()

    def link(self, package: str) -> EvidenceLink:
        """The place of a package: the one that it was given before, or the next."""
        for known in self._links:
            if known.package == package:
                return known.link
        if not self._links:
            return EvidenceLink(number=1)
        last = self._links[-1]
        return EvidenceLink(number=last.link.number + 1, previous=last.sha256)

    def sealed(self, package: str, link: EvidenceLink, sha256: str) -> None:
        """Write down that the package is sealed. Raises ``OSError``."""
        said = _Link(package=package, link=link, sha256=sha256)
        if said in self._links:
            return
        others = [known for known in self._links if known.package != package]
        links = sorted([*others, said], key=lambda known: known.link.number)[-_KEPT:]
        draft = self._path.with_suffix(".new")
        with draft.open("wb") as file:
            file.write(_Links(links=links).model_dump_json(exclude_none=True).encode())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._path)
        folder_to_disk(self._path.parent)
        self._links = links
