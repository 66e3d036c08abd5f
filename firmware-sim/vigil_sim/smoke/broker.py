"""A home's own MQTT broker where none is given: iotcore in a child process, ended with us."""

from __future__ import annotations

import asyncio
import socket
from typing import ClassVar

from iotcore import Broker

from vigil_schemas.errors import VigilError

_ATTEMPTS = 5


class HomeBrokerError(VigilError):
    """The embedded broker did not start."""

    code: ClassVar[str] = "home-broker"


class EmbeddedBroker:
    """MQTT 3.1.1 on a free port of this machine; ``address`` is ``mqtt://host:port``."""

    def __init__(self) -> None:
        self._broker: Broker | None = None

    @property
    def address(self) -> str:
        """Where clients connect."""
        if self._broker is None:
            raise HomeBrokerError("the home's broker has no address before it is started")
        return f"mqtt://127.0.0.1:{self._broker.port}"

    async def start(self) -> None:
        """Returns once it accepts connections. Raises ``HomeBrokerError``."""
        for attempt in range(1, _ATTEMPTS + 1):
            # A device list of many alarms is larger than the broker's default limit.
            broker = Broker(port=_free_port(), listen="127.0.0.1", max_payload_size=1 << 20)
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
