"""What an alert of a loud vehicle says."""

from __future__ import annotations

from typing import Annotated, Literal

from vigil_cloud.domain.detail import AlertDetail, Personal
from vigil_schemas.noise import NoiseExceedance


class ExceedanceDetail(AlertDetail, NoiseExceedance):
    """The exceedance as its gateway told it, and the vehicle's plate once somebody has read it."""

    type: Literal["noise-exceedance"] = "noise-exceedance"
    plate: Annotated[str | None, Personal] = None
