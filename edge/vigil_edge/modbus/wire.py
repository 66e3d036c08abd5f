"""The connection below a Modbus client: one at a time speaks, and several slaves may share it.

On a serial line, or behind a converter that passes one on over TCP, the sections of all slaves
use one connection and take turns: two masters on one line would break each other's frames.
"""

from __future__ import annotations

import asyncio
import logging
import termios
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from vigil_edge.modbus.settings import ModbusPlace

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

FLOOD_BYTES: Final = 64 * 1024
"""Since the last question; an answer has 260 at most."""


class LineTaken(Exception):
    """The line is in use with other settings; what they are is said."""


class Wire:
    """To be made anew after every failure: a late answer cannot be told from the next one."""

    def __init__(self, settings: ModbusPlace) -> None:
        self.turn = asyncio.Lock()
        """Held from a question to its answer."""
        self.received = 0
        """Bytes since the last question."""
        self.lost = asyncio.Event()
        self.users = 0
        self.shared = settings.driver != "modbus-tcp"
        self.line = _line(settings)
        self._settings = settings
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._quiet_until = 0.0

    async def client(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        """Connected. Raises ``OSError`` and ``TimeoutError``."""
        if self._client is not None and self._client.connected:
            return self._client
        self.drop()
        made = self._client = self._make()
        self.lost.clear()
        async with asyncio.timeout(self._settings.timeout_s + 1):
            connected = await self._connect(made)
        if not connected:
            self.drop()
            raise ConnectionRefusedError("refused, or nobody there")
        self.lost.clear()
        return made

    async def _connect(self, made: AsyncModbusTcpClient | AsyncModbusSerialClient) -> bool:
        try:
            return await made.connect()
        except termios.error as error:
            # The library has opened the port and keeps no hold of it: it would stay open, and
            # locked, for as long as the frames of this failure live.
            traceback.clear_frames(error.__traceback__)
            self.drop()
            one = self._settings
            line = f"{one.baudrate} {one.bytesize}{one.parity}{one.stopbits}"
            raise OSError(f"the port cannot be set to {line}: {error.args[-1]}") from error

    async def quiet(self) -> None:
        """Wait until the slave that was asked last may be left alone no more."""
        pause = self._quiet_until - asyncio.get_running_loop().time()
        if pause > 0:
            await asyncio.sleep(pause)

    def spoken(self, pause_s: float) -> None:
        """A question was answered, or not."""
        self._quiet_until = asyncio.get_running_loop().time() + pause_s

    def drop(self) -> None:
        """Hang up; whoever speaks next connects again."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def _make(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
        from pymodbus.framer import FramerType

        # Each failure is raised with a code of its own; the library's account of it is noise.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        settings = self._settings
        made: AsyncModbusTcpClient | AsyncModbusSerialClient
        if settings.driver == "modbus-rtu":
            made = AsyncModbusSerialClient(
                settings.address,
                baudrate=settings.baudrate,
                parity=settings.parity,
                stopbits=settings.stopbits,
                bytesize=settings.bytesize,
                timeout=settings.timeout_s,
                retries=0,
                reconnect_delay=0,
                trace_connect=self._on_connect,
            )
        else:
            over_tcp = settings.driver == "modbus-rtu-over-tcp"
            made = AsyncModbusTcpClient(
                settings.host,
                framer=FramerType.RTU if over_tcp else FramerType.SOCKET,
                port=settings.port,
                timeout=settings.timeout_s,
                retries=0,
                reconnect_delay=0,
                trace_connect=self._on_connect,
            )
        protocol = made.ctx
        protocol.data_received = self._counting(protocol.data_received)  # type: ignore[method-assign, assignment]  # its own parameter has a name
        return made

    def _counting(self, take: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """The library's ``trace_packet`` is not told of what it throws away as too much."""

        def received(data: bytes) -> None:
            self.received += len(data)
            if self.received <= FLOOD_BYTES:
                take(data)
            elif not self.lost.is_set():
                self.lost.set()
                if self._client is not None:
                    self._client.close()

        return received

    def _on_connect(self, connected: bool) -> None:
        if not connected:
            self.lost.set()


_SHARED: Final[dict[tuple[object, ...], Wire]] = {}
"""By event loop and address."""


def take(settings: ModbusPlace) -> Wire:
    """The wire to this slave, to be given back. Raises ``LineTaken``."""
    if settings.driver == "modbus-tcp":
        return Wire(settings)  # each has a connection of its own
    wire = _SHARED.setdefault(_key(settings), Wire(settings))
    if wire.line != _line(settings):
        raise LineTaken(f"another section uses this line with {wire.line[1:]}")
    wire.users += 1
    return wire


def give_back(settings: ModbusPlace, wire: Wire) -> None:
    """The last user hangs up."""
    wire.users -= 1
    if wire.users <= 0:
        wire.drop()
        if _SHARED.get(_key(settings)) is wire:
            del _SHARED[_key(settings)]


def _key(settings: ModbusPlace) -> tuple[object, ...]:
    return (id(asyncio.get_running_loop()), settings.driver, settings.address)


def _line(settings: ModbusPlace) -> tuple[object, ...]:
    if settings.driver != "modbus-rtu":
        return (settings.driver,)
    return (
        settings.driver, settings.baudrate, settings.parity, settings.stopbits, settings.bytesize,
    )  # fmt: skip
