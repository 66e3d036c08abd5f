"""A weather station on Modbus TCP beside a noise camera."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from vigil_sim.modbus.codec import ILLEGAL_DATA_ADDRESS, Frame, answer, mbap
from vigil_sim.modbus.line import Send, TcpLine

GUST, RAIN, TOTAL, TEMPERATURE = 0, 1, 2, 4
"""Holding registers: gust in 0.1 m/s, intensity in 0.1 mm/h, sum in mm (float32), 0.1 °C."""
MISSING: Final = 0x7FFF
_WORDS: Final = 5


@dataclass(slots=True)
class Weather:
    """As it is now; ``None``: the sensor is broken."""

    gust_m_s: float | None = 1.0
    rain_mm_h: float | None = 0.0
    total_mm: float = 0.0
    temperature_c: float | None = 25.0


class WeatherStation:
    """``await start()``, then ``address`` is where a gateway reads it; ``weather`` may be changed
    at any time, ``away`` is a cut cable."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, unit: int = 1) -> None:
        self.weather = Weather()
        self.away = False
        self.unit = unit
        self._line = TcpLine(host, port, self._serve, lambda: self.away)

    @property
    def address(self) -> str:
        """``host:port``."""
        return self._line.address

    def section(self) -> dict[str, Any]:
        """Its ``[noise.weather]`` table for a gateway.toml."""
        tenth = {"type": "int16", "scale": 0.1, "missing": MISSING}
        return {
            "driver": "modbus-tcp",
            "address": self.address,
            "unit": self.unit,
            "gust": {"register": GUST, **tenth},
            "rain": {"register": RAIN, **tenth},
            "rain_total": {"register": TOTAL, "type": "float32"},
            "temperature": {"register": TEMPERATURE, **tenth},
        }

    async def start(self) -> None:
        """Begin to answer."""
        await self._line.open()

    def cut(self) -> None:
        """Break the cable; ``away = False`` mends it."""
        self.away = True
        self._line.hang_up()

    async def stop(self) -> None:
        """End every connection."""
        await self._line.close()

    def read(self, table: str, address: int, count: int) -> list[int] | int:
        """See ``Registers``."""
        if table != "holding" or address + count > _WORDS:
            return ILLEGAL_DATA_ADDRESS
        now = self.weather
        total = struct.unpack(">HH", struct.pack(">f", now.total_mm))
        words = [_tenths(now.gust_m_s), _tenths(now.rain_mm_h), *total, _tenths(now.temperature_c)]
        return words[address : address + count]

    def write(self, address: int, words: list[int]) -> int:
        """See ``Registers``: nothing of it can be set."""
        del address, words
        return ILLEGAL_DATA_ADDRESS

    def _serve(self, frame: Frame, send: Send) -> None:
        if frame.unit == self.unit:
            send(mbap(frame._replace(pdu=answer(frame.pdu, self))))


def _tenths(value: float | None) -> int:
    return MISSING if value is None else round(10 * value) & 0xFFFF
