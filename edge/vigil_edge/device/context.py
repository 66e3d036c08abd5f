"""What the agent lends to one pipeline: the ``PipelineContext`` of ``vigil_edge.device.seam``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from vigil_edge.clock import Clock
from vigil_edge.delivery.outbox import Outbox
from vigil_edge.device.health import SourceRecord
from vigil_edge.device.seam import Held, Outgoing
from vigil_edge.evidence.queue import EvidenceQueue
from vigil_edge.worker import Worker
from vigil_schemas.evidence import EvidenceClock, EvidenceManifest, EvidenceReference
from vigil_schemas.gateway import DeviceDescription, SourceState


class DeviceContext:
    """One per pipeline; see ``PipelineContext`` for what each method promises."""

    def __init__(  # noqa: PLR0913 - all that a pipeline is lent, given in one place (agent)
        self,
        gateway: str,
        directory: Path,
        clock: Clock,
        outbox: Outbox,
        evidence: EvidenceQueue,
        record: SourceRecord,
        describe: Callable[[Sequence[DeviceDescription]], None],
        worker: Worker,
        session: Callable[[], int],
    ) -> None:
        self._gateway = gateway
        self._directory = directory
        self._clock = clock
        self._outbox = outbox
        self._evidence = evidence
        self._record = record
        self._describe = describe
        self._worker = worker
        self._session = session

    @property
    def gateway(self) -> str:
        return self._gateway

    @property
    def directory(self) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    @property
    def clock_vouched(self) -> bool:
        return self._clock.vouched

    @property
    def session(self) -> int:
        return self._session()

    def clock_state(self) -> EvidenceClock:
        return self._clock.state()

    async def accept(
        self, outgoing: Sequence[Outgoing], state: Mapping[str, bytes] | None = None
    ) -> None:
        await self._outbox.accept(self._record.device, outgoing, state, self._clock.quality)
        if outgoing and not self._record.said_this_attempt:
            self.report("ok")  # a source that yields facts has evidently started

    def state(self, key: str) -> bytes | None:
        held = self.held.state.get(key)
        return self._outbox.state(self._record.device, key) if held is None else held

    @property
    def held(self) -> Held:
        return self._record.held

    async def deposit(
        self, manifest: EvidenceManifest, files: Mapping[str, Path]
    ) -> EvidenceReference:
        return await self._evidence.deposit(manifest, files)

    @property
    def stamped(self) -> bool:
        return self._evidence.stamped

    async def time_stamp(self, text: bytes) -> bytes | None:
        return await self._evidence.time_stamp(text)

    async def work(
        self,
        words: Sequence[str],
        *,
        priority: int,
        within_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> bool:
        return await self._worker.run(
            words, priority=priority, within_s=within_s, environment=environment
        )

    async def prepare(
        self, words: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        await self._worker.prepare(words, environment=environment)

    def describe(self, devices: Sequence[DeviceDescription]) -> None:
        self._describe(devices)

    def count(self, counter: str, by: int = 1) -> None:
        self._record.counters[counter] += by

    def report(
        self, state: SourceState, code: str | None = None, message: str | None = None
    ) -> None:
        self._record.said_this_attempt = True
        self._record.report(state, code, message)
