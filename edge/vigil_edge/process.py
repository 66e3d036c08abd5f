"""The agent's process: its signals, the lock of its folder, and a disk that is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import threading
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Final

import structlog

from vigil_edge.agent import Agent, Given, new_id
from vigil_edge.backoff import Backoff
from vigil_edge.clock import Clock
from vigil_edge.configuration import lock
from vigil_edge.configuration.gateway_file import Config
from vigil_edge.configuration.lock import DataDirUnusable
from vigil_edge.delivery.outbox import Limits, Outbox, OutboxFailed
from vigil_edge.watched import Watched
from vigil_schemas.service_manager import ServiceManager

SHUTDOWN_S: Final = 9.5
"""After this the process ends whatever still hangs; everything accepted is on disk anyway."""

_OPENING_S: Final = 60.0
"""So long an attempt to open the outbox may take before systemd gives the start up."""

_log = structlog.get_logger("agent")


def run(given: Given) -> int:
    """Until SIGTERM or SIGINT, then stop within ten seconds; SIGHUP reads the file again."""
    status = [1]

    async def main() -> None:
        signals = Signals(asyncio.Event(), asyncio.Event())

        def ask_to_stop() -> None:
            if not signals.stop.is_set():
                signals.stop.set()
                watchdog = threading.Timer(SHUTDOWN_S, lambda: os._exit(status[0]))
                watchdog.daemon = True
                watchdog.start()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, signals.reload.set)
        await serve(given, signals)
        status[0] = 0

    asyncio.run(main())
    return status[0]


@dataclass(frozen=True, slots=True)
class Signals:
    """What the agent is told from outside."""

    stop: asyncio.Event
    reload: asyncio.Event


async def serve(
    given: Given,
    signals: Signals,
    *,
    clock: Clock | None = None,
    rng: Random | None = None,
    manager: ServiceManager | None = None,
) -> None:
    """Run the agent until it is to stop. Raises ``DataDirUnusable`` where it never can."""
    clock = clock or _clock_of(given)
    watched = Watched(manager or ServiceManager.of())
    async with contextlib.AsyncExitStack() as opened:
        start = _Start(given, signals.stop, clock, rng or SystemRandom(), watched)
        agent = await start.ready(opened)
        if agent is not None:
            reloading = asyncio.create_task(_reload(agent, signals.reload))
            beating = asyncio.create_task(watched.beat(lambda: _status(agent)))
            try:
                await agent.run(signals.stop)
            finally:
                # The watchdog goes on watching a shutdown that hangs.
                watched.stopping()
                reloading.cancel()
                beating.cancel()
    _log.info("stopped")


def _status(agent: Agent) -> str:
    """For ``systemctl status``."""
    connected = "connected" if agent.uplink.connected else "not connected to the broker"
    failed = [one.device for one in agent.fleet.records if one.state == "failed"]
    return f"{connected}" + (f"; failed: {', '.join(failed)}" if failed else "")


def _clock_of(given: Given) -> Clock:
    if given.config.gateway.clock == "kernel":
        return Clock()
    _log.warning("clock-vouched-for", by="[gateway] clock")
    return Clock(host_keeps_it=True)


async def _reload(agent: Agent, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        agent.reload()


@dataclass(frozen=True, slots=True)
class _Start:
    """What a start needs until there is an agent."""

    given: Given
    stop: asyncio.Event
    clock: Clock
    rng: Random
    watched: Watched

    async def ready(self, opened: contextlib.AsyncExitStack) -> Agent | None:
        """The agent, once its disk is there; ``None`` where it was told to stop before that."""
        backoff = Backoff(self.rng)
        while not self.stop.is_set():
            try:
                async with contextlib.AsyncExitStack() as opening:
                    opening.enter_context(lock.held(self.given.config.gateway.data_dir))
                    outbox = await open_outbox(self.given.config, self.clock)
                    opening.push_async_callback(outbox.close)
                    agent = Agent(self.given, outbox, self.clock, self.rng)
                    opened.push_async_exit(opening.pop_all())
                    return agent
            except (DataDirUnusable, OutboxFailed, OSError) as error:
                if isinstance(error, DataDirUnusable) and error.permanent:
                    raise
                code = DataDirUnusable.code if isinstance(error, OSError) else error.code
                _log.error("waiting for the disk", code=code, error=str(error))
                pause_s = backoff.next()
                self.watched.waiting(pause_s + _OPENING_S, f"{code}: {error}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self.stop.wait()
        return None


async def open_outbox(config: Config, clock: Clock) -> Outbox:
    """The outbox of this configuration's ``data_dir``. Raises ``OutboxFailed`` or ``OSError``."""
    settings = config.outbox
    return await Outbox.open(
        config.gateway.data_dir / "outbox.sqlite",
        config.gateway.id,
        Limits(settings.max_rows, int(settings.max_megabytes * 1e6), settings.window),
        new_epoch=lambda: secrets.token_hex(8),
        new_id=new_id,
        now_us=lambda: int(clock.now().timestamp() * 1e6),
    )
