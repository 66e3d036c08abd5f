"""What a domain's part of the seed file shares with the platform's."""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from vigil_schemas.errors import VigilError

SEEDER: Final = "seed"
"""Who the audit log says did what the file asks for."""


class BadSeed(VigilError):
    """The file cannot be used; the message names the place."""

    code: ClassVar[str] = "bad-seed"
    remedy: ClassVar[str] = "Correct the line that is named, and seed again; nothing was changed."


class Section(BaseModel):
    """What one ``[[name]]`` of the file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
