"""Dead letters as the API shows them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from vigil_schemas.types import UtcDatetime

Settlement = Literal["replayed", "dismissed"]


class DeadLetterEntry(BaseModel):
    """A refused message, or one that was taken though not all of it was understood."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: int
    gateway: str
    topic: str
    reason: str
    detail: str
    size: int
    count: int
    first_received: UtcDatetime
    last_received: UtcDatetime
    alarm: bool
    """Lives may hang on it."""
    whole: bool
    """All of it was kept, so that it can be replayed."""
    settlement: Settlement | None
    """What somebody did about it; null while it waits."""
    settled: UtcDatetime | None
    settled_by: str | None
    payload: str
    """What was kept, as text; bytes that are not UTF-8 appear as replacement characters.
    Withheld where it may tell where somebody was, which no role opens."""


class DeadLetterList(BaseModel):
    """Dead letters, newest first."""

    dead_letters: list[DeadLetterEntry]
