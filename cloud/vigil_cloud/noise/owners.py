"""Whose a vehicle is: a port, and a file that stands in for the vehicle register.

The real register cannot be reached from here. A city that has a way to it writes a
``VehicleRegister`` and gives it to ``app.state.vehicle_register``; everything else (who may ask,
about which case, what is written down) stays as it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Final, Protocol

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from vigil_cloud.api_errors import ApiError
from vigil_cloud.noise import plates


class Owner(BaseModel):
    """Who is registered for a vehicle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    address: str = ""
    vehicle: str = ""
    """Make and kind, to be compared with the pictures."""


class VehicleRegister(Protocol):
    """Where owners are looked up."""

    def owner(self, plate: str) -> Owner | None:
        """Of a plate in its normal form; ``None`` where there is none such. Raises
        ``RegisterUnavailable``."""


class RegisterUnavailable(ApiError):
    """Owners cannot be looked up now."""

    code: ClassVar[str] = "vehicle-register-unavailable"
    remedy: ClassVar[str] = (
        "Set `vehicle_register_file` to a file as docs/noise.md describes it, or ask the register"
        " by letter."
    )
    status: ClassVar[int] = 503


class NoPlateDecided(ApiError):
    """Owners are looked up for a fine on which the reviewers have agreed, and for nothing else."""

    code: ClassVar[str] = "no-plate-decided"
    remedy: ClassVar[str] = (
        "Wait for the second review; only a decided fine has an owner to find, until its case is"
        " closed."
    )
    status: ClassVar[int] = 409


_File: Final = TypeAdapter(dict[str, Owner])


class FileRegister:
    """A JSON object from plates to owners, read anew each time."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def owner(self, plate: str) -> Owner | None:
        """Raises ``RegisterUnavailable``."""
        if self._path is None:
            raise RegisterUnavailable("No register of vehicles is set.")
        try:
            kept = _File.validate_python(json.loads(self._path.read_text("utf-8")))
        except (OSError, ValueError, ValidationError) as error:
            raise RegisterUnavailable(
                f"The register of vehicles: {type(error).__name__}."
            ) from error
        return {plates.normal(text): owner for text, owner in kept.items()}.get(plate)
