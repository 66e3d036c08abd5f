"""The seam between ingest and the rooms that decide what a message means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

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
    marks: Mapping[str, Any] = field(default_factory=dict)
    """What is doubtful of it though it is taken: ``time_quality`` (``ahead``, ``behind``) with
    ``claimed_times`` (what the device said, by the place where it stood), ``owner_doubtful``
    (whose device it is), ``shape_doubtful`` (what was not understood). Times in ``envelope``
    and ``data`` can be believed: those that could not be were replaced."""

    @property
    def time(self) -> datetime:
        """When it was said: the device's time, or that of receipt where the former is doubtful."""
        return self.envelope.time


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
