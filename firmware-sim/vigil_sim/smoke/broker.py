"""A home's own MQTT broker where none is given: iotcore in a child process, ended with us."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path
from typing import ClassVar, Final

from iotcore import Broker

from vigil_schemas.errors import VigilError

_ATTEMPTS: Final = 5
_CONFIGURATION: Final = """id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 4
[v5.1]
name = "home"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 0
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
"""
"""rumqttd's own; one listener speaks one version of MQTT, and gateways speak 5."""


class HomeBrokerError(VigilError):
    """The embedded broker did not start."""

    code: ClassVar[str] = "home-broker"
    remedy: ClassVar[str] = "See whether its port is free, then play again."


class EmbeddedBroker:
    """MQTT 5 on a free port of this machine; ``address`` is ``mqtt://host:port``."""

    def __init__(self) -> None:
        self._broker: Broker | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def address(self) -> str:
        """Where clients connect."""
        if self._broker is None:
            raise HomeBrokerError("the home's broker has no address before it is started")
        return f"mqtt://127.0.0.1:{self._broker.port}"

    async def start(self) -> None:
        """Returns once it accepts connections. Raises ``HomeBrokerError``."""
        self._folder = tempfile.TemporaryDirectory(prefix="vigil-home-")
        file = Path(self._folder.name) / "rumqttd.toml"
        for attempt in range(1, _ATTEMPTS + 1):
            file.write_text(_CONFIGURATION.format(port=_free_port()), encoding="utf-8")
            broker = Broker(config_path=str(file))
            try:
                await asyncio.to_thread(broker.start)
            except (OSError, RuntimeError) as error:
                # Somebody else may have taken the port meanwhile.
                if attempt == _ATTEMPTS:
                    raise HomeBrokerError(f"the home's broker did not start: {error}") from error
            else:
                self._broker = broker
                return

    async def stop(self) -> None:
        """End it."""
        broker, self._broker = self._broker, None
        if broker is not None:
            await asyncio.to_thread(broker.stop)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
