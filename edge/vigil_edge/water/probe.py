"""A probe on Modbus: the connection, with water's own names for its failures."""

from __future__ import annotations

from typing import Final, Protocol

from vigil_edge.modbus.client import Failures, ModbusClient
from vigil_edge.water.errors import (
    ProbeGarbage,
    ProbeLost,
    ProbeRefused,
    ProbeTimeout,
    ProbeUnreachable,
)
from vigil_edge.water.settings import WaterSettings

FAILURES: Final = Failures(
    unreachable=ProbeUnreachable,
    timeout=ProbeTimeout,
    lost=ProbeLost,
    garbage=ProbeGarbage,
    refused=ProbeRefused,
)


class Probe(Protocol):
    """What the pipeline needs of a probe."""

    async def read(self, table: str, address: int, count: int) -> list[int]:
        """Registers of ``table`` (holding or input). Raises ``SourceError``."""

    async def write(self, address: int, words: list[int]) -> None:
        """Holding registers. Raises ``SourceError``."""

    def close(self) -> None:
        """Hang up."""


async def connect(settings: WaterSettings) -> ModbusClient:
    """Raises ``ProbeUnreachable``."""
    probe = ModbusClient(settings, FAILURES)
    try:
        await probe.open()
    except BaseException:
        probe.close()  # a serial port that opened a moment too late stays open otherwise
        raise
    return probe
