"""Homes with Zigbee smoke alarms behind Zigbee2MQTT: the JSON that it publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger


def clear_air(_t: float) -> float:
    """No smoke."""
    return 0.0


@dataclass(frozen=True, slots=True)
class ZigbeeAlarm:
    """One alarm. ``obscuration(t)`` is the smoke at the alarm, % per metre, at second ``t``.

    Corrupt-frame styles: ``json`` (broken JSON), ``stuck`` (smoke stays true), ``link-lost``
    (availability goes offline and nothing is published), ``binary`` (not text).
    """

    friendly_name: str
    device: str
    obscuration: Callable[[float], float] = clear_air
    ieee_address: str = "0x00158d0000000001"
    battery_percent: float = 97.0
    threshold: float = 3.0
    """Alarms at this obscuration, % per metre (EN 14604 alarms test between about 1 and 5)."""
    faults: Faults | None = None
    name: str = ""
    name_zh: str = ""
    latitude: float | None = None
    longitude: float | None = None


class Zigbee2MqttHome:
    """A Zigbee2MQTT instance. With no ``broker`` it starts an embedded one of its own."""

    def __init__(
        self,
        alarms: Sequence[ZigbeeAlarm],
        *,
        gateway: str = "",
        broker: str | None = None,
        base_topic: str = "zigbee2mqtt",
        tick_s: float = 0.2,
        report_s: float = 60.0,
        clock: Callable[[], float] = time.time,
        world_time: Callable[[], float] | None = None,
        speed: float = 1.0,
        ledger: Ledger | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def broker(self) -> str:
        """``mqtt://host:port``."""
        raise NotImplementedError

    def section(self, **keys: Any) -> dict[str, Any]:
        """This home's ``[[smoke]]`` table for a gateway.toml; ``keys`` are added on top."""
        raise NotImplementedError

    async def start(self) -> None:
        """Connect (and start the broker), announce the bridge and the alarms."""

    async def stop(self) -> None:
        """Announce the bridge offline, disconnect, end an embedded broker."""

    def press_test(self, friendly_name: str, held: bool = True) -> None:
        """The alarm's test button is pressed (or let go)."""
