"""The station itself, read over Modbus beside the microphone, which it never disturbs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from vigil_edge.device.seam import SourceError
from vigil_edge.modbus.client import Failures, ModbusClient
from vigil_edge.modbus.numbers import number, registers_of
from vigil_edge.noise.errors import WeatherStationLost
from vigil_edge.noise.weather.history import History, plausible, weighed
from vigil_edge.noise.weather.settings import Quantity, StationValue, WeatherSettings
from vigil_edge.repeated import Repeated
from vigil_schemas.noise import NoiseExceedance

_log = structlog.get_logger("noise")

COUNTER: Final = "weather-not-read"
LONGEST_PAUSE_S: Final = 60.0


def _unreachable(device: str, address: str, reason: str) -> SourceError:
    return WeatherStationLost(device, f"cannot reach {address}: {reason}")


def _refused(device: str, message: str, _: int) -> SourceError:
    return WeatherStationLost(device, message)


FAILURES: Final = Failures(
    unreachable=_unreachable,
    timeout=WeatherStationLost,
    lost=WeatherStationLost,
    garbage=WeatherStationLost,
    refused=_refused,
)


class WeatherStation:
    """``await run()`` reads it until cancelled; ``history`` is what it said."""

    def __init__(
        self,
        settings: WeatherSettings,
        now: Callable[[], datetime],
        count: Callable[[str], None],
    ) -> None:
        self.history = History(settings)
        self.trouble: str | None = None
        """Why there is no weather now."""
        self._settings = settings
        self._now = now
        self._count = count
        self._repeated = Repeated()

    async def run(self) -> None:
        """Raises nothing but its cancellation: a station that fails is told and tried again."""
        pause_s = self._settings.interval_s
        while True:
            client = ModbusClient(self._settings, FAILURES)
            try:
                while True:
                    await self._read(client)
                    pause_s = self._settings.interval_s
                    await asyncio.sleep(pause_s)
            except SourceError as error:
                self._failed(str(error), error.code)
            except Exception as error:  # noqa: BLE001 - the microphone goes on; it is told as trouble
                kind = type(error).__name__
                if self._failed(f"{kind}: {error}", kind):
                    _log.error("the weather station's answer was not foreseen", exc_info=error)
            finally:
                client.close()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def weighed(self, event: NoiseExceedance) -> NoiseExceedance:
        """The event in the weather that was measured."""
        found, degrees = self.history.during(event.started, event.ended)
        return weighed(self._settings, event, found, degrees)

    async def _read(self, client: ModbusClient) -> None:
        """One reading. What the station has not, or cannot be, is trouble; the rest counts."""
        read: dict[Quantity, float | None] = {}
        wrong, kinds = [], []
        for name, value in self._settings.values.items():
            read[name] = found = await self._one(client, value)
            if found is None:
                wrong.append(f"{name}: the station has no reading")
                kinds.append(f"{name} missing")
            elif not plausible(name, found):
                wrong.append(f"{name} reads {found:g}: look at register, type and scale")
                kinds.append(f"{name} implausible")
                read[name] = None
        self.history.add(self._now(), read)
        if wrong:
            self._failed("; ".join(wrong), "; ".join(kinds))
        else:
            self.trouble = None

    async def _one(self, client: ModbusClient, value: StationValue) -> float | None:
        words = await client.read(value.table, value.register_, registers_of(value.type))
        raw = number(words, value.type, value.byte_order)
        if value.missing is not None and raw == value.missing:
            return None
        return raw * value.scale + value.offset

    def _failed(self, message: str, kind: str) -> bool:
        """``kind``: without the values that were read, which differ each time. Whether it was
        logged."""
        self._count(COUNTER)
        self.trouble = message
        due = self._repeated.due(kind)
        if due:
            _log.warning("no weather", station=self._settings.device, reason=message)
        return due
