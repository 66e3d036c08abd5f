"""The seam between ingest and the rooms that decide what a message means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy.orm import Session

from vigil_schemas.envelope import Envelope
from vigil_schemas.types import Model


@dataclass(frozen=True, slots=True)
class Received:
    """A valid message that is not an observation, and when it arrived."""

    gateway: str
    envelope: Envelope
    data: Model
    received: datetime


class Complaint(NamedTuple):
    """What of a message a room could not take, while the rest of it counts."""

    reason: str
    detail: str


class Handler(Protocol):
    """A room that takes some event types.

    ``handle`` runs inside ingest's transaction, the same one that moves the
    watermark: what it writes is stored exactly once with the message, or not at
    all. It must not commit, block on a network, or raise for a message that is
    merely uninteresting. Whatever must be told to the outside (a notification)
    is written as a row and sent by others after the commit.
    """

    @property
    def types(self) -> frozenset[str]:
        """The event types that this room takes."""

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """Write what follows from one message. A complaint becomes a dead letter beside it."""
