"""A writer over real stores, with a recorder in place of the broker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from vigil_cloud.alerts.refused_alarms import raise_refused_alarm
from vigil_cloud.devices.handler import DevicesHandler
from vigil_cloud.domain.port import Handler
from vigil_cloud.ingest.commit import Committer
from vigil_cloud.ingest.decode import Decoder
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.queue import Arrived, Waiting
from vigil_cloud.ingest.times import Limits
from vigil_cloud.ingest.writer import Writer
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.services import Services
from vigil_schemas.control import RefusalReason

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)


@dataclass
class Recorder:
    """What a writer says to gateways and broker."""

    told: list[tuple[str, int, tuple[tuple[int, int], ...], int]] = field(default_factory=list)
    acknowledged: int = 0

    reasons: dict[str, list[RefusalReason] | None] = field(default_factory=dict)
    """Of each source, as told last; ``None`` in a receipt of version 1."""

    def receipt(
        self,
        gateway: str,
        source: str,
        progress: Progress,
        reasons: Sequence[RefusalReason] | None = None,
    ) -> None:
        self.reasons[source] = None if reasons is None else list(reasons)
        self.told.append((source, progress.stored, tuple(progress.beyond), progress.refused))

    def acknowledge(self, messages: Iterable[Arrived]) -> None:
        self.acknowledged += len(list(messages))


@dataclass
class Bench:
    """Stores, a recorder and writers over them."""

    services: Services
    recorder: Recorder
    clock: list[datetime]

    def writer(
        self, handlers: Sequence[Handler] = (), *, open_: bool = True, **replaced: Any
    ) -> Writer:
        fields: dict[str, Any] = {
            "waiting": Waiting(100),
            "sender": self.recorder,
            "sessions": self.services.sessions,
            "timeseries": self.services.timeseries,
            "committer": Committer([DevicesHandler(), *handlers], raise_refused_alarm),
            "decoder": Decoder(Limits()),
            "metrics": self.services.metrics,
            "now": self.services.now,
            "announce": self.services.changed.announce,
            "enrolment_open": open_,
            **replaced,
        }
        return Writer("test", **fields)

    def arrived(self, topic: str, payload: bytes) -> Arrived:
        return Arrived(topic, payload, self.clock[0], 0.0, None)

    def dead_letters(self) -> list[DeadLetter]:
        with self.services.sessions() as session:
            return list(session.scalars(select(DeadLetter).order_by(DeadLetter.id)))

    def metric(self, name: str, **labels: str) -> float:
        return self.services.metrics.registry.get_sample_value(name, labels) or 0.0
