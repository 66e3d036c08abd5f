"""How the rows that a domain keeps of its occurrences are asked for: by device and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute

from vigil_cloud.parameters import Whole
from vigil_schemas.types import DeviceId, UtcDatetime

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of one device or of all, what began in ``[start, stop)``, at most so many."""

    device: DeviceId | None = None
    start: UtcDatetime | None = None
    stop: UtcDatetime | None = None
    limit: Annotated[Whole, Query(ge=1, le=1000)] = 100

    def among(
        self,
        query: Select[Row],
        *,
        device: InstrumentedAttribute[str],
        began: InstrumentedAttribute[Any] | ColumnElement[Any],
    ) -> Select[Row]:
        """The query for these alone, newest first."""
        if self.device is not None:
            query = query.where(device == self.device)
        if self.start is not None:
            query = query.where(began >= self.start)
        if self.stop is not None:
            query = query.where(began < self.stop)
        return query.order_by(began.desc()).limit(self.limit)


WantedOccurrences = Annotated[Wanted, Depends()]
