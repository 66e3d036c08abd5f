"""A slave on Modbus TCP or RTU, through pymodbus, with every failure given its name.

What a failure is called says the domain (``Failures``): to whoever mends it, a probe in a canal
and an I/O board in a cabinet are different things.


pymodbus drops an answer that belongs to another transaction or unit and one that it
cannot read, and then waits: what came in during the wait tells garbage from silence. It keeps
few bytes of what has no end, but goes on reading it: beyond ``FLOOD_BYTES`` the connection ends.
After any failure the connection is not to be used again, since a late answer on a
serial line cannot be told from the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from vigil_edge.device.seam import SourceError
from vigil_edge.modbus.settings import ModbusPlace
from vigil_edge.modbus.wire import LineTaken, Wire, give_back, take

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
    from pymodbus.pdu import ModbusPDU

    AnyClient = AsyncModbusTcpClient | AsyncModbusSerialClient

_EXCEPTIONS: Final = {
    1: "it does not know this function",
    2: "it has no such register",
    3: "it does not take this value or length",
    4: "it failed",
    5: "it needs more time",
    6: "it is busy",
    10: "the way behind the Modbus gateway is closed",
    11: "the device behind the Modbus gateway does not answer",
}


class Unreachable(Protocol):
    """Makes the error of a slave that cannot be reached."""

    def __call__(self, device: str, address: str, reason: str, /) -> SourceError:
        """``address``: as it is configured."""


class Refusal(Protocol):
    """Makes the error of a Modbus exception answer."""

    def __call__(self, device: str, message: str, exception: int, /) -> SourceError:
        """``exception``: its number."""


@dataclass(frozen=True, slots=True)
class Failures:
    """A domain's own errors for what can go wrong on the line."""

    unreachable: Unreachable
    timeout: type[SourceError]
    """Connected, and no answer in time."""
    lost: type[SourceError]
    """The connection broke before the answer."""
    garbage: type[SourceError]
    """An answer that is no Modbus, or not the answer to the question."""
    refused: Refusal


class ModbusClient:
    """One slave; on a serial line it shares the connection with others.

    Each method raises what ``Failures`` names.
    """

    def __init__(self, settings: ModbusPlace, failures: Failures) -> None:
        self._settings = settings
        self._failures = failures
        self._wire: Wire | None = None

    async def open(self) -> None:
        """Raises ``Failures.unreachable``."""
        wire = self._taken()
        async with wire.turn:
            await self._connected(wire)

    async def read(self, table: str, address: int, count: int) -> list[int]:
        """Registers of ``table`` (holding or input)."""
        unit = self._settings.unit
        what = f"{count} {table} registers from {address}"

        def ask(client: AnyClient) -> Awaitable[ModbusPDU]:
            if table == "input":
                return client.read_input_registers(address, count=count, device_id=unit)
            return client.read_holding_registers(address, count=count, device_id=unit)

        response = await self._answer(ask, what)
        words = list(response.registers)
        if len(words) != count:
            raise self._garbage(f"asked for {what}, got {len(words)}: not the answer to it")
        return words

    async def identify(self) -> dict[int, str]:
        """What it says of itself (function 43, 14): vendor, product, revision, by 0 to 2."""
        unit = self._settings.unit
        response = await self._answer(
            lambda client: client.read_device_information(read_code=1, object_id=0, device_id=unit),
            "device identification",
        )
        told: object = getattr(response, "information", None)
        if not isinstance(told, dict):
            raise self._garbage("the answer to device identification holds none")
        return {
            number: said.decode("utf-8", "replace").strip("\0 ")
            for number, said in told.items()
            if isinstance(number, int) and isinstance(said, bytes)
        }

    async def read_contacts(self, address: int, count: int) -> list[bool]:
        """Discrete inputs (function 2)."""
        unit = self._settings.unit
        what = f"{count} discrete inputs from {address}"
        response = await self._answer(
            lambda client: client.read_discrete_inputs(address, count=count, device_id=unit), what
        )
        bits = list(response.bits)
        if len(bits) != (count + 7) // 8 * 8:  # whole bytes come
            raise self._garbage(f"asked for {what}, got {len(bits)} bits: not the answer to it")
        return bits[:count]

    async def write(self, address: int, words: list[int]) -> None:
        """Holding registers."""
        unit = self._settings.unit
        response = await self._answer(
            lambda client: client.write_registers(address, words, device_id=unit),
            f"write {len(words)} registers at {address}",
        )
        if response.address != address or response.count != len(words):
            raise self._garbage(f"wrote to {address}, {response.address} was confirmed")

    async def write_contact(self, address: int, *, closed: bool) -> None:
        """One coil (function 5)."""
        unit = self._settings.unit
        response = await self._answer(
            lambda client: client.write_coil(address, closed, device_id=unit),
            f"{'close' if closed else 'open'} the contact at {address}",
        )
        if response.address != address:
            raise self._garbage(f"wrote to {address}, {response.address} was confirmed")

    def close(self) -> None:
        """Hang up."""
        wire, self._wire = self._wire, None
        if wire is not None:
            give_back(self._settings, wire)

    async def _answer(
        self, ask: Callable[[AnyClient], Awaitable[ModbusPDU]], what: str
    ) -> ModbusPDU:
        wire = self._taken()
        async with wire.turn:
            client = await self._connected(wire)
            await wire.quiet()
            try:
                response = await self._exchange(wire, lambda: ask(client), what)
            except BaseException:
                if wire.shared:  # the next to speak is another; an only user hangs up itself
                    wire.drop()
                raise
            finally:
                wire.spoken(self._settings.pause_s)
        if response.isError():
            number = response.exception_code
            why = _EXCEPTIONS.get(number, "")
            message = f"{what}: exception {number} {why}".rstrip()
            raise self._failures.refused(self._settings.device, message, number)
        return response

    async def _exchange(
        self, wire: Wire, ask: Callable[[], Awaitable[ModbusPDU]], what: str
    ) -> ModbusPDU:
        from pymodbus.exceptions import ConnectionException, ModbusException

        wire.received = 0

        async def asked() -> ModbusPDU:
            return await ask()  # raises before there is anything to wait for where it hung up

        answer = asyncio.ensure_future(asked())
        lost = asyncio.ensure_future(wire.lost.wait())
        try:
            await asyncio.wait({answer, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                if wire.received:
                    raise self._broken(wire, f"no answer to: {what}")
                raise self._failures.lost(self._settings.device, f"the connection broke at: {what}")
            return answer.result()
        except ConnectionException as error:
            raise self._unreachable(str(error)) from error
        except ModbusException as error:
            raise self._broken(wire, f"no answer to: {what}") from error
        except (ValueError, IndexError, LookupError, ArithmeticError) as error:
            raise self._garbage(f"the answer cannot be read: {what}: {error}") from error
        finally:
            for task in (answer, lost):
                task.cancel()
            await asyncio.gather(answer, lost, return_exceptions=True)

    def _taken(self) -> Wire:
        if self._wire is None:
            try:
                self._wire = take(self._settings)
            except LineTaken as error:
                raise self._unreachable(str(error)) from error
        return self._wire

    async def _connected(self, wire: Wire) -> AnyClient:
        try:
            return await wire.client()
        except (OSError, TimeoutError) as error:
            raise self._unreachable(str(error) or "timed out") from error

    def _broken(self, wire: Wire, message: str) -> SourceError:
        """By whether bytes came that were not an answer."""
        if wire.received:
            return self._garbage(f"{message}; {wire.received} bytes came that are not the answer")
        within = f"{message} within {self._settings.timeout_s:g} s"
        return self._failures.timeout(self._settings.device, within)

    def _garbage(self, message: str) -> SourceError:
        return self._failures.garbage(self._settings.device, message)

    def _unreachable(self, reason: str) -> SourceError:
        return self._failures.unreachable(self._settings.device, self._settings.address, reason)
