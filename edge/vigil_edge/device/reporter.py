"""Tells the cloud how the gateway is: once a minute in full, and at once when a source changes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from vigil_edge.clock import Clock
from vigil_edge.configuration import tls
from vigil_edge.configuration.gateway_file import Config
from vigil_edge.delivery.feedback import Feedback
from vigil_edge.delivery.outbox import AGENT, Outbox, OutboxFailed
from vigil_edge.device.health import CpuMeter, SourceRecord, keep, resident_bytes
from vigil_edge.device.seam import Outgoing
from vigil_edge.evidence.queue import EvidenceQueue
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import DeviceHealth, GatewayHealth
from vigil_schemas.types import Lane

SETTLE_S: Final = 0.5
"""Changes of one source that follow each other faster are told as one."""
AGAIN_S: Final = 5.0
"""A change that the disk refused is offered again after this."""
CLOCK_S: Final = 5.0

_log = structlog.get_logger("health")


class Reporter:
    """Holds every source's record and sends what they amount to."""

    def __init__(
        self,
        config: Config,
        outbox: Outbox,
        clock: Clock,
        evidence: EvidenceQueue,
        counters: Counter[str],
        feedback: Feedback,
    ) -> None:
        self.gateway = config.gateway.id
        self.interval_s = config.health.interval_s
        self.records: Callable[[], list[SourceRecord]] = list
        """Of every source; told by the agent."""
        self.resent: Callable[[], int] = lambda: 0
        self.linked: Callable[[], bool] = lambda: False
        """Whether there is a connection to the broker."""
        self.work_waiting: Callable[[], int] = lambda: 0
        self._folder = config.gateway.data_dir
        self._certificate = config.cloud.certificate_file
        self._outbox = outbox
        self._clock = clock
        self._evidence = evidence
        self._counters = counters
        self._feedback = feedback
        self._cpu = CpuMeter()
        self._began = clock.monotonic()
        self._due = asyncio.Event()
        self._changed: dict[str, SourceRecord] = {}
        self._any_changed = asyncio.Event()
        self._keeping = asyncio.Lock()
        self._kept: tuple[datetime, GatewayHealth, bool] | None = None
        """The newest report, and what it says of the link."""

    def changed(self, record: SourceRecord) -> None:
        """A source has a new state or code."""
        self._changed[record.device] = record
        self._any_changed.set()

    def report_now(self) -> None:
        """Do not wait for the minute to pass."""
        self._due.set()

    def set_interval(self, seconds: float) -> None:
        """Seconds between two reports; a change reports at once."""
        if seconds != self.interval_s:
            self.interval_s = seconds
            self.report_now()

    async def run(self) -> None:
        """A report now and then every ``interval_s``."""
        while True:
            self._due.clear()
            await self._report()
            try:
                async with asyncio.timeout(self.interval_s):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def send_changes(self) -> None:
        """Each source's newest state, soon after it changed."""
        while True:
            await self._any_changed.wait()
            await asyncio.sleep(SETTLE_S)
            self._any_changed.clear()
            records, self._changed = self._changed, {}
            for device, record in records.items():
                now, health = self._clock.now(), record.change()
                if not await self._send(
                    Outgoing(Lane.EVENT, DeviceHealth.TYPE, device, now, health)
                ):
                    self._changed.setdefault(device, record)
            if self._changed and not self._any_changed.is_set():
                await asyncio.sleep(AGAIN_S)  # the cloud must hear of it once the disk takes it
                self._any_changed.set()

    async def watch_clock(self) -> None:
        """Notice when the wall clock is set, and how far it can be trusted; and when the link comes
        or goes: whoever stands before the box asks it, and not the cloud."""
        while True:
            await self._keep_link()
            if self._clock.watch():
                self._counters["clock-steps"] += 1
                _log.warning("the clock was set", by_s=round(self._clock.last_step_s, 3))
            await asyncio.sleep(CLOCK_S)

    async def measure(self) -> GatewayHealth:
        """The figures of this moment."""
        waiting, refused = await asyncio.to_thread(
            lambda: (len(self._evidence.waiting()), self._evidence.refused_count())
        )
        counters = {
            **self._counters,
            "messages-resent": self.resent(),
            "evidence-refused": refused,
            "work-waiting": self.work_waiting(),
        }
        return GatewayHealth(
            uptime_s=self._clock.monotonic() - self._began,
            resident_bytes=resident_bytes(),
            cpu_percent=self._cpu.percent(),
            disk_free_bytes=shutil.disk_usage(self._folder).free,
            clock_quality=self._clock.quality,
            clock_vouched=self._clock.vouched or None,
            certificate_not_after=await asyncio.to_thread(tls.certificate_end, self._certificate),
            outbox=await self._outbox.depths(),
            evidence_waiting=waiting,
            sources=[record.health() for record in self.records()],
            counters={name: number for name, number in counters.items() if number},
            clock_offset_s=self._feedback.clock_offset_s,
            refusals=self._feedback.refusals() or None,
        )

    async def _report(self) -> None:
        try:
            health = await self.measure()
        except (OutboxFailed, OSError) as error:  # a disk that is away: its turn comes again
            self._counters["health-unmeasured"] += 1
            _log.warning("health could not be measured", error=str(error))
            return
        now = self._clock.now()
        async with self._keeping:
            await self._keep(now, health, linked=self.linked())
        await self._send(Outgoing(Lane.OBSERVATION, GatewayHealth.TYPE, self.gateway, now, health))

    async def _keep(self, now: datetime, health: GatewayHealth, *, linked: bool) -> None:
        self._kept = now, health, linked
        with contextlib.suppress(OSError):  # told by the outbox, should the disk be away
            await asyncio.to_thread(keep, self._folder, now, health, linked=linked)

    async def _keep_link(self) -> None:
        """The newest report says how the link is now, and is sent to nobody for that."""
        async with self._keeping:
            if self._kept is None:
                return
            now, health, linked = self._kept
            if linked != self.linked():
                await self._keep(now, health, linked=not linked)

    async def _send(self, outgoing: Outgoing) -> bool:
        try:
            await self._outbox.accept(AGENT, [outgoing], None, self._clock.quality)
        except VigilError as error:
            self._counters[f"health-{error.code}"] += 1
            _log.warning("health could not be kept", code=error.code, error=str(error))
            return False
        return True
