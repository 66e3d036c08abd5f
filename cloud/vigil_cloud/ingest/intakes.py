"""Ingest as a whole: one intake per urgency, so that no alarm waits behind an observation.

An intake is a connection, a bounded queue and a writer thread. Observations wait while
the time series is away; alarms and events need only the database.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from vigil_cloud.alerts.refused_alarms import raise_refused_alarm
from vigil_cloud.capacity.disk import Level
from vigil_cloud.capacity.dropped import count_dropped
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.sending import anything_waiting, send_waiting
from vigil_cloud.domain.port import Handler, ReadingHandler
from vigil_cloud.ingest.commit import Committer
from vigil_cloud.ingest.decode import Decoder
from vigil_cloud.ingest.fair_queue import FairQueue
from vigil_cloud.ingest.known_devices import KnownDevices
from vigil_cloud.ingest.letters import DeadLetters
from vigil_cloud.ingest.queue import Queue, Waiting
from vigil_cloud.ingest.reading_states import ReadingStates
from vigil_cloud.ingest.subscriber import (
    RECEIVE_MAXIMUM,
    BrokerAddress,
    BrokerAway,
    Subscriber,
)
from vigil_cloud.ingest.times import Limits
from vigil_cloud.ingest.writer import BATCH_MESSAGES, Writer
from vigil_cloud.services import Services
from vigil_schemas.errors import VigilError
from vigil_schemas.topics import ROOT, STATUS
from vigil_schemas.types import Lane

INTAKES: Final[dict[str, tuple[str, ...]]] = {
    "alarm": (Lane.ALARM.value,),
    "event": (Lane.EVENT.value, STATUS),
    "observation": (Lane.OBSERVATION.value,),
}
LINGER_S: Final = {"observation": 0.1}
"""Readings may wait a moment for company: a commit costs as much for one as for a hundred."""
BATCH: Final = {"alarm": 20, "event": 25}
"""Events cost more than readings, and an alarm may wait behind one batch of them; and the fire of
one gateway behind a batch of other gateways' alarms."""
LONGEST_S: Final = {"alarm": 0.1, "event": 0.1}
"""So long a group of them may take."""
LEAST_ROOM: Final = {"alarm": Level.FULL, "event": Level.EVENTS, "observation": Level.LOW}
"""How filled the disk may be for each: alarms are stored while anything can be."""
SEND_S: Final = 0.5
MEND_S: Final = 5.0
STOP_S: Final = 10.0
"""So long batches in hand may take at the end; a store that hangs would hold us for ever."""
_log = structlog.get_logger(__name__)


class IngestStuck(VigilError):
    """Messages come in and are not stored."""

    code: ClassVar[str] = "ingest-stuck"
    remedy: ClassVar[str] = (
        "Look at the health page and the log: database, time series or disk refuse."
    )


class Intake:
    """One connection with its queue and its writer."""

    def __init__(
        self,
        name: str,
        channels: Sequence[str],
        services: Services,
        address: BrokerAddress,
        handlers: Sequence[Handler],
        readings: ReadingStates | None = None,
    ) -> None:
        settings = services.settings
        self.name = name
        urgent = name == "alarm"
        self.fair = FairQueue() if urgent else None
        # Not by truth: an empty queue is false.
        self.waiting: Queue = Waiting(2 * RECEIVE_MAXIMUM) if self.fair is None else self.fair
        self.subscriber = Subscriber(
            address,
            _filters(channels, settings.shared_group),
            self.waiting,
            now=services.now,
            at_once=urgent,
        )
        self.writer = Writer(
            name,
            waiting=self.waiting,
            sender=self.subscriber,
            sessions=services.sessions,
            timeseries=services.timeseries,
            committer=Committer(
                handlers,
                raise_refused_alarm,
                DeadLetters(settings.quotas, _disk_bytes(services)),
            ),
            decoder=Decoder(
                Limits(
                    timedelta(days=settings.stale_after_days),
                    timedelta(seconds=settings.future_after_s),
                ),
                KnownDevices(services.sessions).domain_of,
            ),
            metrics=services.metrics,
            now=services.now,
            announce=services.changed.announce,
            enrolment_open=settings.enrolment_open,
            linger_s=LINGER_S.get(name, 0.0),
            quotas=settings.quotas,
            urgent=urgent,
            batch_messages=BATCH.get(name, BATCH_MESSAGES),
            longest_s=LONGEST_S.get(name),
            readings=readings,
            require_room=lambda: services.disk.require(LEAST_ROOM[name]),
            make_room=services.disk.release_reserve if urgent else lambda: False,
        )

    def start(self) -> None:
        """Write first, so that nothing arrives before somebody takes it."""
        self.writer.start()
        self.subscriber.start()

    def stop(self, deadline: float) -> None:
        """``deadline`` in monotonic seconds."""
        self.writer.stop(max(0.0, deadline - time.monotonic()))
        self.subscriber.stop()


class Ingest:
    """Started and stopped by the command line; any number of processes may run one."""

    def __init__(
        self,
        services: Services,
        handlers: Sequence[Handler],
        address: BrokerAddress,
        reading_handlers: Sequence[ReadingHandler] = (),
    ) -> None:
        self._services = services
        self._address = address
        failures = services.metrics.reading_failures
        readings = ReadingStates(reading_handlers, lambda handler: failures.labels(handler).inc())
        self._intakes = [
            Intake(
                name,
                channels,
                services,
                address,
                handlers,
                # In this lane alone: no alarm and no event waits for what is made of readings.
                readings if name == "observation" else None,
            )
            for name, channels in INTAKES.items()
        ]
        self._stopping = threading.Event()
        self._housekeeper = threading.Thread(
            target=self._keep_house, name="ingest-housekeeping", daemon=True
        )
        services.metrics.queue_depth.set_function(
            lambda: sum(len(intake.waiting) for intake in self._intakes)
        )
        services.metrics.connected.set_function(lambda: float(self.connected))

    @property
    def connected(self) -> bool:
        """Whether every intake is subscribed."""
        return all(intake.subscriber.subscribed for intake in self._intakes)

    def check(self) -> None:
        """For ``/readyz``. Raises ``BrokerAway`` where messages do not come in, and
        ``IngestStuck`` where they are not stored."""
        away = [intake.name for intake in self._intakes if not intake.subscriber.subscribed]
        if away:
            where = f"{self._address.host}:{self._address.port}"
            raise BrokerAway(f"not subscribed at {where}: {', '.join(away)}")
        for intake in self._intakes:
            writer = intake.writer
            if not writer.alive:
                raise IngestStuck(f"the writer of lane {intake.name} has ended")
            if writer.failing_since is not None:
                raise IngestStuck(f"lane {intake.name} waits for {writer.failure}")

    def start(self) -> None:
        """Begin to take messages in."""
        for intake in self._intakes:
            intake.start()
        self._housekeeper.start()

    def stop(self) -> None:
        """Finish the batches in hand and disconnect."""
        self._stopping.set()
        for intake in self._intakes:
            intake.writer.ask_to_stop()
        deadline = time.monotonic() + STOP_S
        for intake in self._intakes:
            intake.stop(deadline)
        if self._housekeeper.is_alive():
            self._housekeeper.join(max(0.0, deadline - time.monotonic()))

    def _keep_house(self) -> None:
        """What hangs on this process' own connections; what any process can do is a job."""
        rounds = 0
        while not self._stopping.wait(SEND_S):
            self._do(self.send_down)
            self._do(self.note_put_off)
            if rounds % round(MEND_S / SEND_S) == 0:
                for intake in self._intakes:
                    self._do(intake.subscriber.mend)
            rounds += 1

    @staticmethod
    def _do(duty: Callable[[], None]) -> None:
        try:
            duty()
        except SQLAlchemyError as error:  # the database is away; the writers say so as well
            _log.debug("housekeeping-failed", error=str(error)[:200])
        except Exception:  # noqa: BLE001 - commands and silent gateways must not end with one bad row
            _log.exception("housekeeping-failed")

    def send_down(self) -> None:
        """Commands and configurations that somebody asked for."""
        publish = self._intakes[0].subscriber.publish
        with self._services.sessions() as session:
            if not anything_waiting(session, self._services.now()):
                return
        with writing(self._services.sessions) as session:
            send_waiting(session, publish, self._services.now())

    def note_put_off(self) -> None:
        """Gateways that send more alarms than may wait: shown, and told to the administrator."""
        found = [fair.put_off() for intake in self._intakes if (fair := intake.fair) is not None]
        put_off = sum(found, Counter[str]())
        if not put_off:
            return
        now = self._services.now()
        with writing(self._services.sessions) as session:
            for gateway, count in sorted(put_off.items()):
                count_dropped(session, gateway, "alarms-put-off", count, 0, now)


def _disk_bytes(services: Services) -> int | None:
    """How large the disk is that the database lies on; ``None`` where it is a server's."""
    return services.disk.free_space().total if services.engine.dialect.name == "sqlite" else None


def _filters(channels: Sequence[str], group: str) -> list[str]:
    """A shared subscription gets no retained messages, so ``status`` is never shared."""
    return [
        f"$share/{group}/{ROOT}/+/{channel}"
        if group and channel != STATUS
        else f"{ROOT}/+/{channel}"
        for channel in channels
    ]
