"""What an alert of a loud vehicle says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vigil_cloud.domain.detail import AlertDetail, Personal
from vigil_schemas.noise import NoiseExceedance, PlateCandidate


class ExceedanceDetail(AlertDetail, NoiseExceedance):
    """The exceedance as its gateway told it, and the plate as a machine read it."""

    type: Literal["noise-exceedance"] = "noise-exceedance"
    plates: Annotated[list[PlateCandidate], Personal] = Field(default_factory=list)
    plate: Annotated[str | None, Personal] = None
