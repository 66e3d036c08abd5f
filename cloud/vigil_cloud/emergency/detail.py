"""How the emergency line stands, in the details of alerts that it is told of."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from vigil_schemas.types import UtcDatetime


class EmergencyState(BaseModel):
    """How the emergency line stands."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    state: Literal["answered", "unanswered"]
    tries: int
    at: UtcDatetime | None = None
    """When it answered."""
    error: str = ""
    """What came instead of an answer."""
