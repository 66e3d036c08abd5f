"""A multi-parameter sonde on Modbus TCP or RTU, with or without a logger's memory.

In ``poll`` mode the gateway reads the present values from a register map; in
``logger`` mode the sonde keeps time-stamped records until the gateway
acknowledges them (see ``vigil_sim.water.logger`` for the wire contract).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger


@dataclass(frozen=True, slots=True)
class SignalRegister:
    """Where a parameter lies and how it is written: value = raw × ``scale`` + ``offset``."""

    name: str
    """SenML parameter, such as ``specific_conductance``."""
    register: int
    unit: str | None = None
    """SenML unit."""
    table: Literal["holding", "input"] = "holding"
    type: Literal["float32", "uint16", "int16", "uint32", "int32"] = "float32"
    byte_order: Literal["ABCD", "CDAB", "BADC", "DCBA"] = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    sentinel: float | None = None
    """The raw value written where the physics gives no value (``None`` or NaN)."""


class ModbusSonde:
    """One sonde. ``await start()``, then ``address`` is where the gateway reads it.

    ``world_signal(t)`` gives the true value of every parameter at second ``t`` of the
    timetable. ``world_time()`` tells ``t``; by default seconds since ``start`` × ``speed``.
    ``clock()`` is true Unix time in seconds, from which the sonde stamps its records.
    """

    def __init__(
        self,
        world_signal: Callable[[float], dict[str, float]],
        signals: Sequence[SignalRegister],
        *,
        device: str,
        gateway: str = "",
        transport: Literal["tcp", "rtu"] = "tcp",
        host: str = "127.0.0.1",
        port: int = 0,
        unit: int = 1,
        mode: Literal["poll", "logger"] = "poll",
        interval_s: float = 1.0,
        logger_base: int = 0,
        logger_capacity: int = 100_000,
        window_records: int = 8,
        clock: Callable[[], float] = time.time,
        world_time: Callable[[], float] | None = None,
        speed: float = 1.0,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def address(self) -> str:
        """``host:port`` (tcp) or the path of a serial port (rtu)."""
        raise NotImplementedError

    def section(self, **keys: Any) -> dict[str, Any]:
        """This sonde's ``[[water]]`` table for a gateway.toml; ``keys`` are added on top."""
        raise NotImplementedError

    async def start(self) -> None:
        """Listen, and measure every ``interval_s`` of real time."""

    async def stop(self) -> None:
        """Close every connection and the port."""
