"""The agent: every pipeline, the outbox, the uplink and the evidence upload, in one event loop."""

from __future__ import annotations

import asyncio
import importlib.metadata
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import structlog

from vigil_edge import chrony
from vigil_edge.backoff import Backoff
from vigil_edge.clock import Clock
from vigil_edge.configuration.gateway_file import Config, DeviceSection
from vigil_edge.delivery.control import Asked, Control
from vigil_edge.delivery.feedback import Feedback
from vigil_edge.delivery.outbox import AGENT, Outbox
from vigil_edge.delivery.outgoing import Outgoing
from vigil_edge.delivery.uplink import Uplink, UplinkCallbacks
from vigil_edge.device.configuring import ActiveConfiguration
from vigil_edge.device.context import DeviceContext
from vigil_edge.device.fleet import Fleet
from vigil_edge.device.health import SourceRecord
from vigil_edge.device.reporter import Reporter
from vigil_edge.device.seam import Pipeline
from vigil_edge.device.supervisor import Supervisor
from vigil_edge.discovery.service import Discovery, Surroundings
from vigil_edge.domain import EdgeDomain
from vigil_edge.enrolment.renewal import Renewal
from vigil_edge.evidence.key import KEY_NAME, load_key, public_hex
from vigil_edge.evidence.queue import EvidenceQueue
from vigil_edge.evidence.stamp import TimeStamps
from vigil_edge.evidence.upload import Uploader
from vigil_edge.gateway_commands import GatewayActs, GatewayCommands
from vigil_edge.packages import extra_of
from vigil_edge.worker import Worker
from vigil_schemas.contract import type_of
from vigil_schemas.control import (
    AnyConfiguration,
    Command,
    Configuration,
    ConfigurationV2,
    Receipt,
)
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import DeviceDescription, GatewayBirth
from vigil_schemas.types import Lane, Model

PIPELINES_STOP_S: Final = 4.0
CONFIGURATION_TOLD_S: Final = 600.0
"""At most so often a new connection alone has the configuration in force told."""

_log = structlog.get_logger("agent")

_CONFIGURATION_01: Final = "configuration"
"""Under this key 0.1 kept the cloud's configuration in the outbox."""
_STEADY_S: Final = 300.0
"""A part of the agent that ran this long is started anew after a short pause."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an agent is started with: its file, what that says, and the domains it knows."""

    file: Path
    config: Config
    domains: Sequence[EdgeDomain]


class Agent:
    """All parts, wired; ``run`` starts and stops them."""

    def __init__(self, given: Given, outbox: Outbox, clock: Clock, rng: Random) -> None:
        config = given.config
        self.config = config
        self.outbox = outbox
        self.clock = clock
        self.rng = rng
        self.counters: Counter[str] = Counter()
        self.started = clock.now()
        self._domains = {domain.key: domain for domain in given.domains}
        folder = config.gateway.data_dir
        self.evidence = EvidenceQueue(
            folder / "evidence",
            load_key(folder / KEY_NAME, self._key_replaced),
            int(config.evidence.max_megabytes * 1e6),
            self._count,
            self._time_stamps(),
        )
        self.worker = Worker(self._count)
        self.feedback = Feedback(clock.now, clock.monotonic)
        self.reporter = Reporter(config, outbox, clock, self.evidence, self.counters, self.feedback)
        self.fleet = Fleet(
            self._build,
            self._record,
            self._supervise,
            self._keep,
            lambda: self.uplink.connected,
        )
        self.reporter.records = lambda: self.fleet.records
        self.reporter.linked = lambda: self.uplink.connected
        self.reporter.work_waiting = lambda: self.worker.waiting
        self.control = Control(config.gateway.id, outbox, clock, self._perform, self._count)
        self.control.clock_offset_s = lambda: self.feedback.clock_offset_s
        self.configuration = ActiveConfiguration(given.file, config, given.domains)
        self.discovery = Discovery(given.domains, self._surroundings())
        self._configurations: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()
        self._configuration_told = clock.monotonic()
        self._descriptions = 0
        self.uplink = self._uplink()
        self.renewal = Renewal(
            config.cloud,
            config.gateway.id,
            now=clock.now,
            renewed=self.uplink.connect_anew,
            count=self._count,
            rng=rng,
        )
        self.uplink.told = self._let_in
        self._commands = GatewayCommands(
            self._domains,
            self.fleet,
            self.discovery,
            self.configuration,
            GatewayActs(self.reporter.report_now, self.uplink.say_birth, self.renewal.renew),
        )
        self._configure(outbox)
        self.reporter.resent = lambda: self.uplink.lanes.resent
        outbox.on_replaced = self._outbox_replaced
        if outbox.replaced is not None:
            self._outbox_replaced(outbox.replaced)

    def _uplink(self) -> Uplink:
        callbacks = UplinkCallbacks(
            birth=self._birth,
            command=self.control.take,
            configuration=self._take_configuration,
            count=self._count,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            quality=lambda: self.clock.quality,
            feedback=self.feedback,
            new_id=new_id,
        )
        config = self.config
        return Uplink(
            config.cloud, config.gateway.id, self.outbox, config.outbox.window, callbacks, self.rng
        )

    def _time_stamps(self) -> TimeStamps | None:
        asked = self.config.evidence
        if asked.timestamp_url is None:
            return None
        return TimeStamps(
            asked.timestamp_url,
            asked.timestamp_ca_file,
            asked.timestamp_wait_s,
            self.clock.monotonic,
            self._count,
        )

    def _surroundings(self) -> Surroundings:
        active, clock = self.configuration, self.clock
        return Surroundings(
            gateway=self.config.gateway.id,
            folder=self.config.gateway.data_dir,
            sections=lambda: [(one.domain.key, one.settings) for one in active.config.sections],
            settings=lambda: active.config.discovery,
            used=lambda: active.stands_on,
            tell=self._tell_found,
            found_more=active.found_more,
            now=clock.now,
            monotonic=clock.monotonic,
            count=self._count,
        )

    def _configure(self, outbox: Outbox) -> None:
        """What was in force before the restart, before the first pipeline starts."""
        active = self.configuration
        active.templates = lambda: self.discovery.templates
        active.start(outbox.state(AGENT, _CONFIGURATION_01))
        active.changed = self._changed
        active.answer = self.control.tell
        active.report = self._report_configuration
        self._changed()

    # -- what happens

    def _outbox_replaced(self, aside: Path) -> None:
        self._count("outbox-replaced")
        _log.error("the outbox was damaged and was put aside", file=str(aside))

    def _key_replaced(self, aside: Path) -> None:
        self._count("evidence-key-replaced")
        _log.error("the sealing key was unreadable: a new one was made", old=str(aside))

    def _count(self, counter: str) -> None:
        self.counters[counter] += 1

    def reload(self) -> None:
        """Read ``gateway.toml`` again, soon."""
        self._configurations.put_nowait(self.configuration.reload)

    def _take_configuration(self, configuration: AnyConfiguration, retained: bool) -> None:
        take = partial(self.configuration.take, configuration, retained=retained)
        self._configurations.put_nowait(take)

    async def _let_in(self, by_the_broker: bool) -> None:
        """Or not. With a connection it is told what is in force: the cloud may have been put back
        from an old copy, and know another."""
        await self.renewal.tried(by_the_broker)
        now = self.clock.monotonic()
        if by_the_broker and now - self._configuration_told >= CONFIGURATION_TOLD_S:
            self._configuration_told = now
            self._configurations.put_nowait(self.configuration.say)

    def _changed(self) -> tuple[str, str]:
        """Become what the configuration says now."""
        active = self.configuration
        before = self.fleet.devices
        touched = self.fleet.apply(active.config.sections)
        if touched:
            _log.info("configured", devices=touched)
        self.reporter.set_interval(active.health_interval_s)
        answer = self.fleet.pause(active.paused)
        if self.fleet.devices != before:
            self._describe()
        return answer

    def _describe(self) -> None:
        self._descriptions += 1
        if self.uplink.connected:
            self.uplink.say_birth()

    def _found(self, devices: Sequence[DeviceDescription]) -> None:
        """Devices that no section describes are born with the others from now on."""
        if self.fleet.found(devices):
            self._describe()

    # -- a pipeline

    def _record(self, device: str) -> SourceRecord:
        return SourceRecord(device, self.clock.now, self.reporter.changed)

    def _supervise(
        self, section: DeviceSection, build: Callable[[], Pipeline], record: SourceRecord
    ) -> Supervisor:
        backoff, extra = Backoff(self.rng), extra_of(section.domain.key)
        return Supervisor(build, record, backoff, self.clock.monotonic, extra=extra)

    def _build(self, section: DeviceSection, record: SourceRecord) -> Pipeline:
        context = DeviceContext(
            self.config.gateway.id,
            self.config.gateway.data_dir / "devices" / record.device,
            self.clock,
            self.outbox,
            self.evidence,
            record,
            self._found,
            self.worker,
            lambda: self.uplink.session,
        )
        return self._domains[section.domain.key].build(section.settings, context)

    # -- what the cloud asks

    async def _perform(self, asked: Asked) -> str:
        return await self._commands.perform(asked)

    async def _follow_configurations(self) -> None:
        """The cloud's, and SIGHUPs, one after the other."""
        await self.configuration.say()
        while True:
            await self._forget_removed()
            follow = await self._configurations.get()
            await follow()

    async def _forget_removed(self) -> None:
        """What stands for people, of devices that this gateway no longer has."""
        private = {key for domain in self._domains.values() for key in domain.private_state}
        there = self.fleet.by_device()
        for device, key in self.outbox.kept(private):
            if device in there:
                continue
            try:
                await self.outbox.accept(device, [], {key: b""}, self.clock.quality)
            except VigilError as error:
                self._count(f"forgetting-{error.code}")
                _log.warning("removed-device-not-forgotten", device=device, error=str(error))

    async def _report_configuration(self, report: Model) -> None:
        await self._report(report, "configuration")

    async def _tell_found(self, report: Model) -> None:
        await self._report(report, "discovery")

    async def _report(self, report: Model, what: str) -> None:
        """On the event lane; what finds no room there is counted and logged."""
        now, gateway = self.clock.now(), self.config.gateway.id
        outgoing = Outgoing(Lane.EVENT, type_of(type(report)), gateway, now, report)
        try:
            await self.outbox.accept(AGENT, [outgoing], None, self.clock.quality)
        except VigilError as error:
            self._count(f"{what}-{error.code}")
            _log.warning("a report found no room", what=what, error=str(error))

    def _birth(self, session: int) -> GatewayBirth:
        return GatewayBirth(
            session=session,
            started=self.started,
            software=f"vigil-edge {importlib.metadata.version('vigil-city')}",
            epoch=self.outbox.epoch,
            public_key=public_hex(self.evidence.key),
            devices=self.fleet.devices,
            description=self._descriptions,
            accepts=[Receipt.TYPE, Command.TYPE, ConfigurationV2.TYPE, Configuration.TYPE],
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
            tls=cloud.url_tls_context if cloud.url.startswith("https:") else lambda: False,
            rng=self.rng,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            count=self._count,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``; pipelines end first, so that what they still hand over is kept."""
        _log.info("started", gateway=self.config.gateway.id, devices=len(self.fleet.devices))
        services: dict[str, Callable[[], Awaitable[None]]] = {
            "uplink": self.uplink.run,
            "control": self.control.run,
            "configuration": self._follow_configurations,
            "discovery": self.discovery.run,
            "health": self.reporter.run,
            "changes": self.reporter.send_changes,
            "clock": self.reporter.watch_clock,
            "certificate": self.renewal.run,
            "chrony": lambda: chrony.follow(self.clock, self._count),
        }
        uploader = self._uploader()
        if uploader is not None:
            services["evidence"] = uploader.run
        kept = [asyncio.create_task(self._keep(*service)) for service in services.items()]
        pipelines = [asyncio.create_task(self.fleet.run())]
        try:
            await stop.wait()
        finally:
            await _cancel(pipelines)
            await self.worker.close()
            await _cancel(kept)

    async def _keep(self, name: str, service: Callable[[], Awaitable[None]]) -> None:
        """A part of the agent fails by a mistake in the program only: say so, and go on."""
        backoff = Backoff(self.rng)
        while True:
            began = self.clock.monotonic()
            try:
                await service()
            except Exception:  # noqa: BLE001 - a mistake in one part must not end the others
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


def new_id() -> str:
    """A message's id."""
    return str(uuid.uuid4())
