"""Ingest of a test's city without a broker: bytes in, receipts as gateways would read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from cloud_city import City
from vigil_cloud.app import jobs
from vigil_cloud.devices.seen import enrol
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.queue import Arrived
from vigil_cloud.ingest.subscriber import BrokerAddress, receipt_message
from vigil_cloud.jobs.platform import forget_old
from vigil_cloud.jobs.port import Turn
from vigil_schemas.control import RefusalReason
from vigil_schemas.envelope import decode


class CityIngest:
    """The intakes that ``vigil-cloud ingest`` would run, asked batch by batch."""

    def __init__(self, city: City, *gateways: str) -> None:
        self.city = city
        with city.services.sessions() as session:
            for name in gateways:
                enrol(session, name, city.time)
            session.commit()
        self._receipts: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        self._ingest = Ingest(city.services, city.handlers, BrokerAddress("127.0.0.1", 1))
        for intake in self._ingest._intakes:
            intake.writer._sender = self

    def receipt(
        self,
        gateway: str,
        source: str,
        progress: Progress,
        reasons: Sequence[RefusalReason] | None = None,
    ) -> None:
        payload = receipt_message(gateway, source, progress, self.city.time, reasons)
        self._receipts[gateway].append((source, decode(payload).data))

    def acknowledge(self, messages: Iterable[Arrived]) -> None:
        """There is no broker."""

    def told(self, gateway: str) -> list[tuple[str, Any]]:
        """Source and receipt, oldest first."""
        return self._receipts[gateway]

    def store(self, topic: str, *payloads: bytes) -> None:
        lane = topic.rpartition("/")[2]
        writer = self._ingest._intakes[{"alarm": 0, "observation": 2}.get(lane, 1)].writer
        writer.store([Arrived(topic, one, self.city.time, 0.0, None) for one in payloads])

    def store_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Topics and payloads of an event lane, of several gateways, in one batch."""
        arrived = [Arrived(topic, one, self.city.time, 0.0, None) for topic, one in messages]
        self._ingest._intakes[1].writer.store(arrived)

    def run_jobs(self) -> None:
        """What the domains do now and then, by a process that has just been started."""
        for job in jobs(self.city.services, ingest=True):
            if job.name in {"visits-of-silent-stations", "smoke-outlasts-its-test"}:
                job.run(Turn(self.city.services, self.city.time))

    def forget(self) -> None:
        forget_old(self.city.services)
