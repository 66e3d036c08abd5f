"""A cabinet's I/O board: a Modbus slave with digital inputs, on TCP or on a serial line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from vigil_sim.aed.cabinet import Shown
from vigil_sim.device_clock import DeviceClock
from vigil_sim.faults import Fault, FaultKind, Faults
from vigil_sim.ledger import Ledger
from vigil_sim.modbus.broken import RTU_STYLES, TCP_STYLES, broken
from vigil_sim.modbus.codec import ILLEGAL_DATA_ADDRESS, Frame, answer, mbap, rtu
from vigil_sim.modbus.line import Line, PtyLine, Send, TcpLine
from vigil_sim.supervised import cancel_and_wait, every, start_supervised

LINES: Final = {"door": 0, "button": 1, "present": 2, "fault": 3}
_TICK_S: Final = 0.05
_LATE_S: Final = 3.0


class CabinetBoard:
    """One cabinet. ``await start()``, then ``address`` is where the gateway reads it.

    ``contacts(t)`` gives them at second ``t`` of the timetable; ``hold`` sets one by hand. The
    ledger notes each press as ``aed-press`` and each removal as ``aed-taken``.

    Faults: drop (no answer), reboot (connections are reset and refused: a cut cable),
    corrupt_frame in ``TCP_STYLES`` or ``RTU_STYLES`` of ``vigil_sim.modbus.broken``, and
    ``STATE_STYLES``.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each thing a test may set
        self,
        contacts: Callable[[float], Shown],
        *,
        device: str,
        gateway: str = "",
        transport: Literal["tcp", "rtu"] = "tcp",
        host: str = "127.0.0.1",
        port: int = 0,
        unit: int = 1,
        clock: Callable[[], float] = time.time,
        world_time: Callable[[], float] | None = None,
        speed: float = 1.0,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.device = device
        self.gateway = gateway
        self.unit = unit
        self.faults = faults or Faults()
        self._contacts = contacts
        self._held: dict[str, bool] = {}
        self._clock = DeviceClock(clock, world_time, speed, self.faults)
        self._ledger = ledger
        self._transport = transport
        self._line: Line = (
            TcpLine(host, port, self._serve, self._away)
            if transport == "tcp"
            else PtyLine(self._serve)
        )
        self._framing = mbap if transport == "tcp" else rtu
        self._was_away = False
        self._chattered = False
        self._noted = Shown()
        self._ticking: asyncio.Task[None] | None = None
        self._late: set[asyncio.TimerHandle] = set()

    @property
    def address(self) -> str:
        """``host:port`` (tcp) or the path of a serial port (rtu)."""
        return self._line.address

    def section(self, **keys: Any) -> dict[str, Any]:
        """This cabinet's ``[[aed]]`` table for a gateway.toml; ``keys`` are added on top."""
        return {
            "device": self.device,
            "driver": f"modbus-{self._transport}",
            "address": self.address,
            "unit": self.unit,
            "inputs": dict(LINES),
            "voice": {"enabled": False},
        } | keys

    async def start(self) -> None:
        """Listen."""
        self._clock.begin()
        await self._line.open()
        self._ticking = start_supervised(every(_TICK_S, self._tick), self.device)

    async def stop(self) -> None:
        """Close every connection and the port."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()
        await self._line.close()
        ticking, self._ticking = self._ticking, None
        await cancel_and_wait(ticking)

    def hold(self, contact: str, value: bool | None) -> None:
        """Set one contact by hand; ``None`` gives it back to the timetable."""
        if contact not in LINES:
            raise ValueError(f"there is no contact {contact!r}")
        self._held.pop(contact, None)
        if value is not None:
            self._held[contact] = value

    def break_in(self, kind: FaultKind, **keys: Any) -> None:
        """Add a fault from now on, by hand; for tests and demonstrations."""
        self.faults.add(Fault(kind, start_s=self._clock.world(), **keys))

    def contacts(self, address: int, count: int) -> list[bool] | int:
        """``Contacts``: the board has as many inputs as there are lines."""
        if address + count > len(LINES):
            return ILLEGAL_DATA_ADDRESS
        now = self._shown()
        if self.faults.in_state(self._clock.world(), "chatter"):
            self._chattered = not self._chattered
            now = now._replace(door=self._chattered)
        return list(now)[address : address + count]

    def _shown(self) -> Shown:
        world = self._clock.world()
        now = self._contacts(world)._replace(**self._held)
        if self.faults.in_state(world, "button-stuck"):
            now = now._replace(button=True)
        if self.faults.in_state(world, "door-stuck"):
            now = now._replace(door=False)
        if self.faults.in_state(world, "self-test-failed"):
            now = now._replace(fault=True)
        return now

    def _away(self) -> bool:
        return self.faults.rebooting(self._clock.world())

    def _tick(self) -> None:
        away = self._away()
        if away and not self._was_away:
            self._line.hang_up()
        self._was_away = away
        now = self._shown()
        if self._ledger is not None:
            at = self._clock.microseconds()
            if now.button and not self._noted.button:
                self._ledger.append("aed-press", self.gateway, self.device, "button", at, 1.0)
            if self._noted.present and not now.present:
                self._ledger.append("aed-taken", self.gateway, self.device, "present", at, 0.0)
        self._noted = now

    def _serve(self, frame: Frame, send: Send) -> None:
        world = self._clock.world()
        if frame.unit != self.unit or self.faults.rebooting(world) or self.faults.drops(world):
            return
        reply = frame._replace(pdu=answer(frame.pdu, self))
        styles = TCP_STYLES if self._transport == "tcp" else RTU_STYLES
        fault = self.faults.corruption(world, styles)
        if fault is None:
            send(self._framing(reply))
            return
        style = fault.style or self.faults.random.choice(styles)
        data = broken(style, reply, self._framing, self.faults.random)
        if style != "late":
            send(data)
            return
        loop = asyncio.get_running_loop()
        self._late = {handle for handle in self._late if handle.when() > loop.time()}
        self._late.add(loop.call_later(fault.magnitude or _LATE_S, send, data))
