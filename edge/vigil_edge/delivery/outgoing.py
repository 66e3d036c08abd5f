"""What is handed over for delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vigil_schemas.senml import SenmlRecord
from vigil_schemas.types import Lane, Model


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One fact on its way to the cloud, before it has a sequence number.

    ``id`` is given where the same fact could be derived twice (a re-read of a
    logger after a crash): the cloud takes one of each id.
    """

    lane: Lane
    type: str
    subject: str
    time: datetime
    data: Model | list[SenmlRecord]
    id: str | None = None
