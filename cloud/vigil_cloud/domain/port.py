"""The seam between ingest and the rooms that decide what a message means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol, TypeVar, runtime_checkable

from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.timeseries.port import Point
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
    retained: bool = False
    """The broker had kept it for whoever comes: how old it is says nothing of its sender."""

    @property
    def time(self) -> datetime:
        """When it was said: the device's time, or that of receipt where the former is doubtful."""
        return self.envelope.time


class Complaint(NamedTuple):
    """What of a message a room could not take, while the rest of it counts."""

    reason: str
    detail: str


PREPARED_AT_ONCE: Final = 5
"""So often something is made for one question: what it is made of may change meanwhile."""


class Unprepared(Exception):
    """Raised by a handler that needs something that takes long to make. Nothing long is done under
    the locks of ingest's transaction: whoever called takes back what was written, calls
    ``prepare`` outside of any transaction, and asks again."""

    def __init__(self, prepare: Callable[[sessionmaker[Session]], None]) -> None:
        super().__init__("something has to be made first")
        self.prepare = prepare


Answer = TypeVar("Answer")


def prepared(sessions: sessionmaker[Session], ask: Callable[[], Answer]) -> Answer:
    """``ask``, as often as it says that something has to be made first, but not for ever."""
    for _ in range(PREPARED_AT_ONCE):
        try:
            return ask()
        except Unprepared as needed:
            needed.prepare(sessions)
    return ask()


class Handler(Protocol):
    """A room that takes some event types.

    ``handle`` runs inside ingest's transaction, the same one that moves the
    watermark: what it writes is stored exactly once with the message, or not at
    all. It must not commit, block on a network, or raise for a message that is
    merely uninteresting. Whatever must be told to the outside (a notification)
    is written as a row and sent by others after the commit. What takes longer than a
    statement or two is asked for with ``Unprepared``.
    """

    @property
    def types(self) -> frozenset[str]:
        """The event types that this room takes."""

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """Write what follows from one message. A complaint becomes a dead letter beside it."""


class Group(NamedTuple):
    """Those of several messages that a handler writes with a number of statements that does not
    grow with them."""

    messages: Sequence[int]
    """Their places among those that it was asked about."""
    write: Callable[[Session, Collection[int]], None]
    """Called with the places of those that nobody has taken before."""


@runtime_checkable
class GroupHandler(Protocol):
    """A ``Handler`` that can take many messages at once: a bridge that is lost, or back, brings
    hundreds.

    Asked of messages that ``fits`` alone, each the only one of its type of its device, where
    nothing else of their gateways is in the batch. What is not in the group, and all of it where
    anything fails, goes through ``handle`` one by one: both must come to the same.
    """

    @property
    def ends_alerts(self) -> bool:
        """Whether it locks the alerts' feed, which comes before rows of devices."""

    def fits(self, message: Received) -> bool:
        """Whether it may be one of a group. Pure."""

    def group(self, session: Session, messages: Sequence[Received]) -> Group:
        """Finds out which it takes at once; reads and locks, and writes nothing."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What one group commit stores of one device, in the order of the readings' times."""

    device: str
    domain: str
    points: Sequence[Point]
    received: datetime
    """When the latest of its messages arrived."""
    catching_up: bool
    """All of it is older than ``CATCHING_UP`` at its receipt: kept by a gateway through an outage
    and sent afterwards. It completes what is known and says nothing of now."""
    missed_since: datetime | None = None
    """Time of the earliest reading that this handler did not see because it failed on it; told
    until the handler succeeds once. The time series has everything."""


class Together(NamedTuple):
    """What is to be written of one device, and how that of several devices is written at once."""

    write: Callable[[Session, Sequence[Any]], None]
    """Called as ``Folded.write`` is, with the ``of`` of every device of a batch; where that fails,
    again with each alone."""
    of: Any


class Folded(NamedTuple):
    """A device's next state and, where there is more to write, how."""

    state: Mapping[str, Any] | None
    """JSON, at most ``STATE_BYTES``. ``None``: it stays as it is, and what is written may not
    depend on it; a handler that keeps none locks and writes no row."""
    write: Callable[[Session], None] | None = None
    """Called in ingest's transaction, in a savepoint, after the state was written. As short as
    a ``Handler``; whatever computes is queued as work."""
    together: Together | None = None
    """Instead, where a batch of many devices would ask the same of the database for each."""


CATCHING_UP: Final = timedelta(minutes=5)
STATE_BYTES: Final = 16 * 1024


class ReadingHandler(Protocol):
    """A domain that follows its devices' readings, with a state row per device.

    Promises of ingest, of the observation lane alone (an alarm never waits for a handler):

    * The time series has the readings before ``fold`` is called. The state is written in the
      transaction that moves the watermark: a reading whose receipt was sent was told.
    * ``fold`` is called outside any transaction and holds no lock. Where another process changed
      the device's state meanwhile (optimistic concurrency on the row's version), it is called
      again with that state, so it must be a function of its arguments.
    * Readings may be told more than once (after a crash, or by two processes) and in any order
      between calls: what it keeps must come out the same, for instance by comparing times.
    * A handler that raises, or whose state is too large, loses no reading: its state stays, the
      failure is counted (``vigil_ingest_reading_failures``) and told as a platform alert, and the
      readings are skipped for this handler alone, not retried. ``missed_since`` says so at the
      next call.
    """

    @property
    def name(self) -> str:
        """Names its state rows: the same in every release. At most 40 characters."""

    @property
    def domains(self) -> frozenset[str]:
        """Whose devices' readings it takes."""

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:
        """The state after these readings; ``None`` where nothing follows from them."""
