"""The cloud of a simulated week inside the test's own process: what ``vigil-cloud rehearse`` puts
together, without the start of another Python."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn

import servers
from city_application import create_app
from revisions import bring_up
from vigil_cloud import rehearsal, seed, serving
from vigil_cloud.broker import EmbeddedBroker
from vigil_cloud.config import load
from vigil_cloud.identity import passwords
from vigil_cloud.ingest.subscriber import BrokerAddress
from vigil_cloud.stores import build_services


class RehearsedCloud:
    """As ``vigil_sim.week.driven.DrivenCloud``; closed by the test."""

    opened: contextlib.ExitStack

    def __init__(self, _children: object, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self.now: datetime | None = None
        self.steps = 0
        self.last: dict[str, Any] = {}
        self.url = ""
        self.broker = ""

    def start(self, start: datetime, file: Path) -> None:
        stack = type(self).opened
        given: dict[str, Any] = {
            name.removeprefix("VIGIL_").lower(): value for name, value in self._environment.items()
        }
        settings = load(
            demo=True,
            data_dir=self._directory / "cloud",
            broker_listen=f"127.0.0.1:{servers.free_port()}",
            **given,
        )
        clock = rehearsal.RehearsalClock(start)
        services = build_services(settings, clock)
        stack.callback(services.close)
        rehearsal.hurry(services.engine)
        bring_up(services.engine)
        rehearsal.require_empty(services)
        stack.enter_context(passwords.quick())
        seed.apply(services, seed.read(file))
        broker = EmbeddedBroker(settings.broker_listen)
        broker.start()
        stack.callback(broker.stop)
        address = BrokerAddress.parse(broker.url)
        ingest = stack.enter_context(serving.running_ingest(services, address))
        servers.eventually(lambda: ingest.connected, "ingest's subscriptions")
        self._rehearsal = rehearsal.Rehearsal(services, clock, ingest)
        stack.callback(self._rehearsal.close)
        config = uvicorn.Config(create_app(services), port=0, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, server, "should_exit", True)
        servers.eventually(lambda: server.started, "the API's start")
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        self.broker, self.now = broker.url, start

    def step(self, to: datetime) -> None:
        to = max(to, self.now or to)
        self._rehearsal.step(to)
        self.now = to
        self.steps += 1
        self.last = {"jobs": self._rehearsal.turns, "computed": self._rehearsal.computed}
