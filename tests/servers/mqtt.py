"""Brokers: Mosquitto, and the one that the cloud embeds."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .ports import free_port, listening
from .process import Server
from .programs import need


@dataclass
class Mosquitto(Server):
    port: int = 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


def mosquitto(folder: Path, *, port: int | None = None, extra: str = "") -> Mosquitto:
    """A started Mosquitto that drops nothing while it lives and forgets everything when it dies:
    what survives then is our own doing. ``extra`` is added to its file."""
    program = need("mosquitto", "apt-get install mosquitto")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        f"max_queued_messages 0\nmax_inflight_messages 1000\nset_tcp_nodelay true\n"
        f"{'user root' if os.geteuid() == 0 else ''}\n{extra}\n"
    )
    server = Mosquitto(
        "mosquitto",
        [str(program), "-c", str(config)],
        lambda: listening(port),
        folder / "mosquitto.log",
        port=port,
    )
    server.start()
    return server


@dataclass
class Iotcore(Server):
    port: int = 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


def iotcore(folder: Path, *, port: int | None = None) -> Iotcore:
    """The cloud's embedded broker as a process of its own (pip installs it: always there)."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    server = Iotcore(
        "iotcore",
        [sys.executable, "-m", "vigil_cloud.broker", f"127.0.0.1:{port}"],
        lambda: listening(port),
        folder / "iotcore.log",
        port=port,
    )
    server.start()
    return server
