"""A multi-parameter sonde on Modbus TCP or RTU, with or without a logger's memory.

In ``poll`` mode the gateway reads the present values from a register map; in
``logger`` mode the sonde keeps time-stamped records until the gateway
acknowledges them (see ``vigil_sim.water.logger`` for the wire contract).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from vigil_sim.device_clock import DeviceClock
from vigil_sim.faults import Fault, FaultKind, Faults
from vigil_sim.ledger import Ledger
from vigil_sim.modbus.broken import RTU_STYLES, TCP_STYLES, broken
from vigil_sim.modbus.codec import (
    ILLEGAL_DATA_ADDRESS,
    ILLEGAL_DATA_VALUE,
    Frame,
    answer,
    mbap,
    rtu,
)
from vigil_sim.modbus.line import Line, PtyLine, RtuTcpLine, Send, TcpLine
from vigil_sim.supervised import cancel_and_wait, every, start_supervised
from vigil_sim.water.logger import TAIL, LoggerMemory
from vigil_sim.water.registers import RegisterMap, SignalRegister, shown

__all__ = ["ModbusSonde", "SignalRegister"]

_FINEST_TICK_S = 0.05
"""A fast logger writes several records per tick, each with its own due time."""
_LATE_S = 3.0
"""How late a ``late`` answer comes unless its fault says otherwise."""

Values = Mapping[str, float | None]


class ModbusSonde:
    """One sonde. ``await start()``, then ``address`` is where the gateway reads it.

    ``world_signal(t)`` gives the true value of every parameter at second ``t`` of the
    timetable. ``world_time()`` tells ``t``; by default seconds since ``start`` × ``speed``.
    ``clock()`` is true Unix time in seconds, from which the sonde stamps its records.

    A parameter that is absent or NaN gives no reading; one beyond its register's ``limits`` is
    off scale. ``refused`` answers registers with an exception; ``hole_exception`` is the answer
    to a read across registers that hold nothing (0: they read as 0).

    A measurement is taken every ``interval_s`` of real time, at most ``record_limit`` of
    them; ``observer(time_us, values)`` is told of each as a reader of the registers would
    see it. The ledger notes each value as ``reading`` (logger) or ``sample`` (poll).

    Faults: drop (no answer), drift (``parameter``), clock_skew, reboot (connections are reset
    and refused, nothing is measured; the logger's memory survives) and corrupt_frame in
    ``TCP_STYLES`` or ``RTU_STYLES`` of ``vigil_sim.modbus.broken``.
    """

    def __init__(  # noqa: PLR0913 - what a test may turn of a sonde, by name
        self,
        world_signal: Callable[[float], Mapping[str, float]],
        signals: Sequence[SignalRegister],
        *,
        device: str,
        gateway: str = "",
        transport: Literal["tcp", "rtu", "rtu-over-tcp"] = "tcp",
        host: str = "127.0.0.1",
        port: int = 0,
        unit: int = 1,
        mode: Literal["poll", "logger"] = "poll",
        interval_s: float = 1.0,
        logger_base: int = 0,
        logger_capacity: int = 100_000,
        window_records: int | None = None,
        refused: Mapping[int, int] | None = None,
        hole_exception: int = 0,
        record_limit: int | None = None,
        observer: Callable[[int, Values], None] | None = None,
        clock: Callable[[], float] = time.time,
        world_time: Callable[[], float] | None = None,
        speed: float = 1.0,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.device = device
        self.gateway = gateway
        self.signals = tuple(signals)
        self.unit = unit
        self.mode = mode
        self.faults = faults or Faults()
        self.measured = 0
        """Measurements so far."""
        self.memory: LoggerMemory | None = None
        if mode == "logger":
            self.memory = LoggerMemory(len(self.signals), logger_capacity, window_records)
        self.refused = dict(refused or {})
        """Exception code by register; any read that touches one is refused with it."""
        self._hole_exception = hole_exception
        self._logger_base = logger_base
        self._interval_s = interval_s
        self._record_limit = record_limit
        self._observer = observer
        self._world_signal = world_signal
        self._clock = DeviceClock(clock, world_time, speed, self.faults)
        self._ledger = ledger
        self._tables = {
            table: RegisterMap([s for s in self.signals if s.table == table])
            for table in ("holding", "input")
        }
        self._transport = transport
        on_tcp = RtuTcpLine if transport == "rtu-over-tcp" else TcpLine
        self._line: Line = (
            PtyLine(self._serve)
            if transport == "rtu"
            else on_tcp(host, port, self._serve, self._away)
        )
        self._framing = mbap if transport == "tcp" else rtu
        self._began = 0.0
        self._was_away = False
        self._measuring: asyncio.Task[None] | None = None
        self._late: set[asyncio.TimerHandle] = set()

    @property
    def address(self) -> str:
        """``host:port`` (tcp, rtu-over-tcp) or the path of a serial port (rtu)."""
        return self._line.address

    def section(self, **keys: Any) -> dict[str, Any]:
        """This sonde's ``[[water]]`` table for a gateway.toml; ``keys`` are added on top."""
        table: dict[str, Any] = {
            "device": self.device,
            "driver": f"modbus-{self._transport}",
            "address": self.address,
            "unit": self.unit,
            "interval_s": self._interval_s,
            "mode": self.mode,
            "signal": [signal.section() for signal in self.signals],
        }
        if self.memory is not None:
            table["logger"] = {"base": self._logger_base}
        return table | keys

    async def start(self) -> None:
        """Listen, and measure every ``interval_s`` of real time."""
        self._clock.begin()
        self._began = self._clock.true()
        await self._line.open()
        tick = max(self._interval_s, _FINEST_TICK_S)
        self._measuring = start_supervised(every(tick, self._tick), self.device)

    async def stop(self) -> None:
        """Close every connection and the port."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()
        await self._line.close()
        measuring, self._measuring = self._measuring, None
        await cancel_and_wait(measuring)

    # -- measuring

    def _away(self) -> bool:
        return self.faults.rebooting(self._clock.world())

    def _tick(self) -> None:
        away = self._away()
        if away and not self._was_away:
            self._line.hang_up()
        self._was_away = away
        now = self._clock.true()
        due = math.floor((now - self._began) / self._interval_s) + 1
        if self._record_limit is not None:
            due = min(due, self._record_limit)
        while self.measured < due:
            if not away:
                self._measure(self._began + self.measured * self._interval_s)
            self.measured += 1

    def _measure(self, moment: float) -> None:
        """Take the measurement that was due at ``moment`` (Unix s, true)."""
        world = self._clock.world_at(moment)
        truth = self._world_signal(world)
        values: dict[str, float | None] = {}
        seen: dict[str, float | None] = {}
        for signal in self.signals:
            value = truth.get(signal.name)
            if value is not None:
                value += self.faults.drift(world, signal.name)
            values[signal.name] = value
            seen[signal.name] = shown(signal, value)
        time_ms = math.floor((moment + self.faults.skew(world)) * 1000)
        if self.memory is not None:
            # In the logger's window every value is a plain float32, whatever its own register is.
            seen = {s.name: shown(_plain(s), values[s.name]) for s in self.signals}
            self.memory.append(time_ms, [values[signal.name] for signal in self.signals])
        for registers in self._tables.values():
            registers.show(values)
        self._note(time_ms * 1000, seen)

    def _note(self, time_us: int, seen: Values) -> None:
        if self._ledger is not None:
            kind = "sample" if self.memory is None else "reading"
            for name, value in seen.items():
                self._ledger.append(kind, self.gateway, self.device, name, time_us, value)
        if self._observer is not None:
            self._observer(time_us, seen)

    # -- answering

    def _serve(self, frame: Frame, send: Send) -> None:
        world = self._clock.world()
        if frame.unit != self.unit or self.faults.rebooting(world) or self.faults.drops(world):
            return
        reply = frame._replace(pdu=answer(frame.pdu, self))
        fault = self.faults.corruption(world)
        if fault is None:
            send(self._framing(reply))
            return
        self._send_broken(fault, reply, send)

    def _send_broken(self, fault: Fault, reply: Frame, send: Send) -> None:
        styles = TCP_STYLES if self._transport == "tcp" else RTU_STYLES
        style = fault.style or self.faults.random.choice(styles)
        data = broken(style, reply, self._framing, self.faults.random)
        if style != "late":
            send(data)
            return
        delay = fault.magnitude or _LATE_S
        now = asyncio.get_running_loop().time()
        self._late = {handle for handle in self._late if handle.when() > now}
        self._late.add(asyncio.get_running_loop().call_later(delay, send, data))

    def read(self, table: str, address: int, count: int) -> list[int] | int:
        """``Registers``: the logger's area where there is one, else the present values."""
        asked = range(address, address + count)
        if (refused := next((self.refused[a] for a in asked if a in self.refused), 0)) != 0:
            return refused
        if self.memory is not None and table == "holding":
            offset = address - self._logger_base
            if offset >= 0 and offset + count <= self.memory.words:
                return self.memory.read(offset, count)
        words = self._tables[table].read(address, count, holes=self._hole_exception == 0)
        return (self._hole_exception or ILLEGAL_DATA_ADDRESS) if words is None else words

    def write(self, address: int, words: list[int]) -> int:
        """``Registers``: only the logger's tail can be written, both words at once."""
        if self.memory is None or address != self._logger_base + TAIL or len(words) != 2:
            return ILLEGAL_DATA_ADDRESS
        taken = self.memory.acknowledge((words[0] << 16) | words[1])
        return 0 if taken else ILLEGAL_DATA_VALUE

    def break_in(self, kind: FaultKind, **keys: Any) -> None:
        """Add a fault from now on, by hand; for tests and demonstrations."""
        self.faults.add(Fault(kind, start_s=self._clock.world(), **keys))


def _plain(signal: SignalRegister) -> SignalRegister:
    return SignalRegister(signal.name, signal.register, signal.unit)
