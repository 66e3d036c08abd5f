"""A coarse picture of each package: what passed, and nobody in it (ADR 138).

A list may show it without having shown the evidence: it counts as no look. It is kept in the
package's own row and goes with it.
"""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.evidence import reading
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.objects.port import ObjectsUnavailable
from vigil_cloud.services import Services
from vigil_schemas.evidence import CameraRole

NONE: Final = b""
"""Kept of a package that shows no picture, so that it is not looked for again."""
EVERY: Final = timedelta(hours=1)
_WIDE: Final[tuple[CameraRole | None, ...]] = ("overview", None)
_SIDE, _SIDE_NEAR = 39, 19
"""Pixels along the longer side, of what such cameras took and of what nearer ones did: a plate that
fills a fifth of the one's width, or two fifths of the other's (ADR 74, 96), keeps less than eight,
each of its characters less than two, and a face beside it less than four."""
_SOURCES: Final = ("frame", "thumbnail")
"""Roles of files that show the passage, the clearer first: what is small enough hides the same of
both."""
_LARGEST_BYTES: Final = 20 * 1024 * 1024
_PAGE: Final = 50
TURN_S: Final = 600.0
"""A turn ends then, and the next one goes on: one that takes longer is believed to hang."""
_log = structlog.get_logger(__name__)

Files = Sequence[Mapping[str, Any]]
"""As a stored manifest lists them."""


def has_picture() -> ColumnElement[bool]:
    """Whether there is something to show of a package."""
    return func.coalesce(func.length(EvidenceRow.coarse), 0) > 0


def of_package(path: Path, files: Files) -> bytes:
    """Of a package that was verified: a JPEG of a kilobyte, or ``NONE``."""

    def read(name: str) -> bytes:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            return file.read(_LARGEST_BYTES)

    return _of(files, read)


def make_missing(services: Services, stopping: threading.Event | None = None) -> int:
    """Of packages that came before there were any, for one turn; how many were gone through."""
    number, ends = 0, time.monotonic() + TURN_S
    while stopping is None or not stopping.is_set():
        with services.sessions() as session:
            rows = _missing(session)
        if not rows:
            break
        made = {sha256: _of_stored(services, name, files) for sha256, name, files in rows}
        with writing(services.sessions) as session:
            for sha256, picture in made.items():
                change = update(EvidenceRow).where(EvidenceRow.sha256 == sha256)
                session.execute(change.values(coarse=picture))
        number += len(made)
        if time.monotonic() >= ends:
            break
    if number:
        _log.info("coarse-pictures-made", number=number)
    return number


def _missing(session: Session) -> list[tuple[str, str, Files]]:
    query = (
        select(EvidenceRow.sha256, EvidenceRow.object_name, EvidenceRow.manifest)
        .where(EvidenceRow.coarse.is_(None))
        .order_by(EvidenceRow.stored.desc())
        .limit(_PAGE)
    )
    return [(sha256, name, manifest["files"]) for sha256, name, manifest in session.execute(query)]


def _of_stored(services: Services, object_name: str, files: Files) -> bytes:
    """Raises ``ObjectsUnavailable``: it is tried again."""

    def read(name: str) -> bytes:
        return reading.content(services.objects, object_name, name, _LARGEST_BYTES)

    return _of(files, read)


def _of(files: Files, read: Callable[[str], bytes]) -> bytes:
    for file in (file for role in _SOURCES for file in files if file["role"] == role):
        if file["size"] > _LARGEST_BYTES:
            continue
        # Pillow is large, and most processes never meet a picture.
        from vigil_cloud.evidence.coarse_picture import reduced

        try:
            content = read(file["name"])
        except ObjectsUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a package is worth more than its picture
            _log.warning("coarse-picture-not-made", file=file["name"], exc_info=error)
            continue
        side = _SIDE if file.get("camera") in _WIDE else _SIDE_NEAR
        if made := reduced(content, side):
            return made
    return NONE
