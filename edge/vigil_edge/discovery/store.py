"""What this gateway found, kept on its disk: devices that the cloud added are read by it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vigil_edge.configuration.added import Template

NAME: Final = "found-devices.json"
MOST: Final = 2000
"""Findings that are remembered; those of devices in use always are."""

_log = structlog.get_logger("discovery")


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)

    found: dict[str, Template] = Field(default_factory=dict)
    """By ``FoundId``, the newest last."""
    searching: str | None = None
    """The search that runs: after a crash whoever asked for it is told."""


class FoundStore:
    """One per agent. A file that is damaged is put aside: what is in it can be found again."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / NAME
        self._kept = self._recall()

    @property
    def templates(self) -> Mapping[str, Template]:
        """By ``FoundId``."""
        return self._kept.found

    @property
    def searching(self) -> str | None:
        """The search that was running when this was kept."""
        return self._kept.searching

    def remember(
        self, found: Mapping[str, Template], searching: str | None, used: Collection[str]
    ) -> None:
        """Durably, whole or not at all. ``used``: findings that are never forgotten. Raises
        ``OSError``; what was found is known then until the agent ends."""
        older = {k: v for k, v in self._kept.found.items() if k not in found}
        merged = {**older, **found}
        spare = [key for key in merged if key not in used][: max(0, len(merged) - MOST)]
        for key in spare:
            del merged[key]
        self._kept = _Kept(found=merged, searching=searching)
        self._write()

    def _recall(self) -> _Kept:
        try:
            return _Kept.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return _Kept()
        except (OSError, ValidationError) as error:
            aside = self._file.with_suffix(".damaged")
            _log.error("what was found cannot be read: search again", error=str(error))
            try:
                self._file.replace(aside)
            except OSError as refused:
                _log.error("it could not be put aside", error=str(refused))
            return _Kept()

    def _write(self) -> None:
        draft = self._file.with_suffix(".new")
        with draft.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(self._kept.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)
        descriptor = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
