"""The agent: every pipeline, the outbox, the uplink and the evidence upload, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import importlib.metadata
import os
import secrets
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import ClassVar, Final

import structlog

from vigil_edge.backoff import Backoff
from vigil_edge.clock import Clock
from vigil_edge.configuration.gateway_file import Config, DeviceSection
from vigil_edge.delivery.control import Control
from vigil_edge.delivery.feedback import Feedback
from vigil_edge.delivery.outbox import Limits, Outbox, OutboxFailed
from vigil_edge.delivery.uplink import Uplink, UplinkCallbacks
from vigil_edge.device.health import SourceRecord
from vigil_edge.device.reporter import Reporter
from vigil_edge.device.room import DeviceRoom
from vigil_edge.device.seam import Pipeline
from vigil_edge.device.supervisor import Supervisor
from vigil_edge.domain import EdgeDomain
from vigil_edge.evidence.queue import KEY_NAME, EvidenceQueue, load_key, public_hex
from vigil_edge.evidence.upload import Uploader
from vigil_schemas.control import Receipt
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import DeviceDescription, GatewayBirth

PIPELINES_STOP_S: Final = 4.0
SHUTDOWN_S: Final = 9.5
"""After this the process ends whatever still hangs; everything accepted is on disk anyway."""

_log = structlog.get_logger("agent")


_STEADY_S: Final = 300.0
"""A part of the agent that ran this long is started anew after a short pause."""
_LASTING: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
)
"""Refusals that no waiting mends: the configuration or the folder's owner is wrong."""


class DataDirUnusable(VigilError):
    """``[gateway] data_dir`` cannot be made or written, or another agent works in it."""

    code: ClassVar[str] = "data-dir-unusable"

    def __init__(self, message: str, *, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting
        """Whether waiting is of no use; a disk may still be mounted, or have room again."""


def run(config: Config, domains: Sequence[EdgeDomain]) -> int:
    """Until SIGTERM or SIGINT; then stop cleanly within ten seconds."""
    status = [1]

    async def main() -> None:
        stop = asyncio.Event()

        def ask_to_stop() -> None:
            if not stop.is_set():
                stop.set()
                watchdog = threading.Timer(SHUTDOWN_S, lambda: os._exit(status[0]))
                watchdog.daemon = True
                watchdog.start()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ask_to_stop)
        await serve(config, domains, stop)
        status[0] = 0

    asyncio.run(main())
    return status[0]


async def serve(
    config: Config,
    domains: Sequence[EdgeDomain],
    stop: asyncio.Event,
    *,
    clock: Clock | None = None,
    rng: Random | None = None,
) -> None:
    """Run the agent until ``stop`` is set. Raises ``DataDirUnusable`` where it never can."""
    clock = clock or Clock()
    async with contextlib.AsyncExitStack() as opened:
        agent = await _ready(config, domains, stop, clock, rng or SystemRandom(), opened)
        if agent is not None:
            await agent.run(stop)
    _log.info("stopped")


async def _ready(
    config: Config,
    domains: Sequence[EdgeDomain],
    stop: asyncio.Event,
    clock: Clock,
    rng: Random,
    opened: contextlib.AsyncExitStack,
) -> Agent | None:
    """The agent, once its disk is there; ``None`` where it was told to stop before that."""
    backoff = Backoff(rng)
    while not stop.is_set():
        try:
            async with contextlib.AsyncExitStack() as opening:
                opening.enter_context(_alone_in(config.gateway.data_dir))
                outbox = await _outbox(config, clock)
                opening.push_async_callback(outbox.close)
                agent = Agent(config, domains, outbox, clock, rng)
                opened.push_async_exit(opening.pop_all())
                return agent
        except (DataDirUnusable, OutboxFailed, OSError) as error:
            if isinstance(error, DataDirUnusable) and error.lasting:
                raise
            code = DataDirUnusable.code if isinstance(error, OSError) else error.code
            _log.error("waiting for the disk", code=code, error=str(error))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(backoff.next()):
                await stop.wait()
    return None


async def _outbox(config: Config, clock: Clock) -> Outbox:
    settings = config.outbox
    return await Outbox.open(
        config.gateway.data_dir / "outbox.sqlite",
        config.gateway.id,
        Limits(settings.max_rows, int(settings.max_megabytes * 1e6), settings.window),
        new_epoch=lambda: secrets.token_hex(8),
        new_id=_new_id,
        now_us=lambda: int(clock.now().timestamp() * 1e6),
    )


class Agent:
    """All parts, wired; ``run`` starts and stops them."""

    def __init__(
        self,
        config: Config,
        domains: Sequence[EdgeDomain],
        outbox: Outbox,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._domains = {domain.key: domain for domain in domains}
        self.config = config
        self.outbox = outbox
        self.clock = clock
        self.rng = rng
        self.counters: Counter[str] = Counter()
        self.started = clock.now()
        folder = config.gateway.data_dir
        self.evidence = EvidenceQueue(
            folder / "evidence",
            load_key(folder / KEY_NAME, self._key_replaced),
            int(config.evidence.max_megabytes * 1e6),
            self._count,
        )
        self.feedback = Feedback(clock.now, clock.monotonic)
        self.reporter = Reporter(config, outbox, clock, self.evidence, self.counters, self.feedback)
        self.devices = [entry for section in config.sections for entry in section.describe()]
        self.supervisors = [self._supervisor(section) for section in config.sections]
        control = Control(outbox, clock, self._supervisors_by_device(), self.reporter)
        control.restore()
        self.uplink = Uplink(
            config.cloud,
            config.gateway.id,
            outbox,
            config.outbox.window,
            UplinkCallbacks(
                birth=self._birth,
                command=control.command,
                configuration=control.configuration,
                count=self._count,
                now=clock.now,
                monotonic=clock.monotonic,
                quality=lambda: clock.quality,
                feedback=self.feedback,
                new_id=_new_id,
            ),
            rng,
        )
        control.say_birth = self.uplink.say_birth
        self.reporter.resent = lambda: self.uplink.lanes.resent
        outbox.on_replaced = self._outbox_replaced
        if outbox.replaced is not None:
            self._outbox_replaced(outbox.replaced)

    def _outbox_replaced(self, aside: Path) -> None:
        self._count("outbox-replaced")
        _log.error("the outbox was damaged and was put aside", file=str(aside))

    def _key_replaced(self, aside: Path) -> None:
        self._count("evidence-key-replaced")
        _log.error("the sealing key was unreadable: a new one was made", old=str(aside))

    def _count(self, counter: str) -> None:
        self.counters[counter] += 1

    def _supervisor(self, section: DeviceSection) -> Supervisor:
        device = section.settings.device
        record = SourceRecord(device, self.clock.now, self.reporter.changed)
        self.reporter.records.append(record)
        room = DeviceRoom(
            self.config.gateway.id,
            self.config.gateway.data_dir / "devices" / device,
            self.clock,
            self.outbox,
            self.evidence,
            record,
            self._found,
        )

        def build() -> Pipeline:
            return self._domains[section.domain.key].build(section.settings, room)

        return Supervisor(build, record, Backoff(self.rng), self.clock.monotonic)

    def _found(self, devices: Sequence[DeviceDescription]) -> None:
        """Devices that no section describes are born with the others from now on."""
        known = {entry.device for entry in self.devices}
        new = [entry for entry in devices if entry.device not in known]
        if new:
            self.devices += new
            if self.uplink.connected:
                self.uplink.say_birth()

    def _supervisors_by_device(self) -> dict[str, Supervisor]:
        found: dict[str, Supervisor] = {}
        for section, supervisor in zip(self.config.sections, self.supervisors, strict=True):
            found |= {entry.device: supervisor for entry in section.describe()}
            found[section.settings.device] = supervisor
        return found

    def _birth(self, session: int) -> GatewayBirth:
        return GatewayBirth(
            session=session,
            started=self.started,
            software=f"vigil-edge {importlib.metadata.version('vigil-city')}",
            epoch=self.outbox.epoch,
            public_key=public_hex(self.evidence.key),
            devices=self.devices,
            accepts=[Receipt.TYPE],
        )

    def _uploader(self) -> Uploader | None:
        cloud = self.config.cloud
        if cloud.url is None:
            if any(self._domains[each.domain.key].evidence for each in self.config.sections):
                _log.warning("no [cloud] url: evidence stays on this gateway's disk")
            return None
        return Uploader(
            self.evidence,
            url=cloud.url,
            gateway=self.config.gateway.id,
            token=cloud.bearer,
            tls=cloud.tls_context if cloud.url.startswith("https:") else lambda: False,
            rng=self.rng,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            count=self._count,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``; pipelines end first, so that what they still hand over is kept."""
        _log.info("started", gateway=self.config.gateway.id, devices=len(self.devices))
        services: dict[str, Callable[[], Awaitable[None]]] = {
            "uplink": self.uplink.run,
            "health": self.reporter.run,
            "changes": self.reporter.send_changes,
            "clock": self.reporter.watch_clock,
        }
        uploader = self._uploader()
        if uploader is not None:
            services["evidence"] = uploader.run
        kept = [asyncio.create_task(self._keep(*service)) for service in services.items()]
        pipelines = [
            asyncio.create_task(self._keep("supervisor", supervisor.run))
            for supervisor in self.supervisors
        ]
        try:
            await stop.wait()
        finally:
            await _cancel(pipelines)
            await _cancel(kept)

    async def _keep(self, name: str, service: Callable[[], Awaitable[None]]) -> None:
        """A part of the agent fails by a mistake in the program only: say so, and go on."""
        backoff = Backoff(self.rng)
        while True:
            began = self.clock.monotonic()
            try:
                await service()
            except Exception:
                self._count(f"{name}-crashed")
                _log.exception("a part of the agent crashed", part=name)
            if self.clock.monotonic() - began >= _STEADY_S:
                backoff.reset()
            await asyncio.sleep(backoff.next())


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=PIPELINES_STOP_S)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two agents in one outbox would number the same messages twice."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        lasting = error.errno in _LASTING
        raise DataDirUnusable(f"{folder}: {error.strerror}", lasting=lasting) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"another vigil-edge runs in {folder}"
            raise DataDirUnusable(message, lasting=True) from error
        yield


def _new_id() -> str:
    return str(uuid.uuid4())
