"""The local MQTT broker that the alarms are on, with errors that name the source.

The session outlives a restart of the agent, so that an alarm published meanwhile is
still delivered; see ``vigil_edge.mqtt`` for how a dead one is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence

from vigil_edge.device.seam import SourceError
from vigil_edge.mqtt import (
    MqttError,
    MqttOptions,
    MqttPublish,
    MqttRefused,
    MqttSession,
    MqttUnreachable,
)
from vigil_edge.smoke.errors import BrokerLost, BrokerRefused, BrokerUnreachable
from vigil_edge.smoke.settings import BrokerSettings


class BrokerSession:
    """One connection. ``client_id`` names the session, and must stay the same.

    Raises ``SourceError`` where a file that the settings name is gone or broken.
    """

    def __init__(self, settings: BrokerSettings, client_id: str) -> None:
        self._settings = settings
        try:
            options = MqttOptions(
                host=settings.host,
                port=settings.port,
                client_id=client_id,
                username=settings.username,
                password=settings.password(),
                tls=settings.tls,
                ca_file=settings.ca_file,
            )
            self._session = MqttSession(options)
        except OSError as error:  # of the password's or the certificates' file
            raise self._error(MqttUnreachable(str(error))) from error

    async def open(self, choices: Sequence[Sequence[str]]) -> int:
        """Subscribe to the first choice of topics that is granted. Raises ``SourceError``."""
        try:
            return await self._session.open(choices)
        except MqttError as error:
            raise self._error(error) from error

    async def next(self, timeout_s: float) -> MqttPublish | None:
        """The next message, or ``None`` after the timeout. Raises ``SourceError`` once broken."""
        try:
            return await self._session.next(timeout_s)
        except MqttError as error:
            raise self._error(error) from error

    def publish(self, topic: str, payload: bytes) -> None:
        """Raises ``SourceError`` once broken."""
        try:
            self._session.publish(topic, payload)
        except MqttError as error:
            raise self._error(error) from error

    def acknowledge(self, message: MqttPublish) -> None:
        """Only now does the broker forget it."""
        self._session.acknowledge(message)

    async def close(self) -> None:
        """Hang up; the session stays."""
        await self._session.close()

    def _error(self, error: MqttError) -> SourceError:
        device = self._settings.device
        if isinstance(error, MqttUnreachable):
            text = f"cannot reach {self._settings.broker}: {error}"
            return BrokerUnreachable(device, text)
        if isinstance(error, MqttRefused):
            return BrokerRefused(device, str(error))
        return BrokerLost(device, str(error))
