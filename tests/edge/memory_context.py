"""An agent's context in memory: keeps what a pipeline accepts, and can be told to fail."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from vigil_edge.device.seam import Held, Outgoing
from vigil_edge.worker import Worker
from vigil_schemas.evidence import EvidenceClock, EvidenceManifest, EvidenceReference
from vigil_schemas.gateway import DeviceDescription, SourceState
from vigil_schemas.senml import Reading, unpack
from vigil_schemas.types import ClockQuality, Lane, Model


class MemoryContext:
    """``clock`` and ``ticks`` may be replaced by a test that decides what time it is.

    ``states`` survives when it is handed to another context, as an outbox survives a restart.
    """

    def __init__(
        self,
        directory: Path = Path(),
        *,
        gateway: str = "gw-test",
        states: dict[str, bytes] | None = None,
        clock: Callable[[], datetime] | None = None,
        ticks: Callable[[], float] | None = None,
    ) -> None:
        self.gateway = gateway
        self.directory = directory
        self.states = {} if states is None else states
        self.held = Held()
        self.clock_vouched = False
        self.session = 0
        self.accepted: list[Outgoing] = []
        self.counters: Counter[str] = Counter()
        self.worker = Worker(self.count)
        self.reports: list[tuple[SourceState, str | None, str | None]] = []
        self.fail_next: BaseException | None = None
        """Raised by the next ``accept``, which then keeps nothing."""
        self.described: list[DeviceDescription] = []
        self._clock = clock or (lambda: datetime.now(UTC))
        self._ticks = ticks or time.monotonic
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        return self._clock()

    def monotonic(self) -> float:
        return self._ticks()

    async def accept(
        self, outgoing: Sequence[Outgoing], state: Mapping[str, bytes] | None = None
    ) -> None:
        await asyncio.sleep(0)
        failure, self.fail_next = self.fail_next, None
        if failure is not None:
            raise failure
        self.accepted.extend(outgoing)
        self.states.update(state or {})
        self._changed.set()

    def clock_state(self) -> EvidenceClock:
        return EvidenceClock(quality=ClockQuality.SYNCHRONISED, vouched=self.clock_vouched)

    def state(self, key: str) -> bytes | None:
        return self.held.state.get(key) or self.states.get(key)

    stamped = False

    async def time_stamp(self, text: bytes) -> bytes | None:
        raise AssertionError("no authority is configured")

    async def deposit(
        self, manifest: EvidenceManifest, files: Mapping[str, Path]
    ) -> EvidenceReference:
        raise AssertionError("this context takes no evidence")

    async def work(
        self,
        words: Sequence[str],
        *,
        priority: int,
        within_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> bool:
        return await self.worker.run(
            words, priority=priority, within_s=within_s, environment=environment
        )

    async def prepare(
        self, words: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        raise AssertionError("nothing of this context is begun before it is asked for")

    def describe(self, devices: Sequence[DeviceDescription]) -> None:
        self.described = list(devices)

    def count(self, counter: str, by: int = 1) -> None:
        self.counters[counter] += by
        self._changed.set()

    def report(
        self, state: SourceState, code: str | None = None, message: str | None = None
    ) -> None:
        self.reports.append((state, code, message))
        self._changed.set()

    def events(self, lane: Lane | None = None) -> list[Model]:
        """The data of everything but observations, in order."""
        return [
            out.data
            for out in self.accepted
            if not isinstance(out.data, list) and lane in (None, out.lane)
        ]

    def readings(self) -> list[Reading]:
        """All observations, in order."""
        return [
            reading
            for out in self.accepted
            if isinstance(out.data, list)
            for reading in unpack(out.data)[1]
        ]

    async def until(
        self,
        condition: Callable[[], bool],
        running: Awaitable[None] | None = None,
        deadline_s: float = 60.0,
    ) -> None:
        """Wait until the context's contents satisfy the condition.

        ``running`` is the pipeline's task: where it ends first, its error is raised here.
        """
        async with asyncio.timeout(deadline_s):
            while not condition():
                self._changed.clear()
                change = asyncio.ensure_future(self._changed.wait())
                waiting = {change} if running is None else {change, asyncio.ensure_future(running)}
                try:
                    # Conditions may depend on more than the context: look again now and then.
                    await asyncio.wait(waiting, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
                if running is not None:
                    task = asyncio.ensure_future(running)
                    if task.done() and not condition():
                        task.result()
                        raise AssertionError("the pipeline ended")
