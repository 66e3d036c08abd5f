"""The slave's side of Modbus: requests in, answers out, in TCP and RTU frames.

After "MODBUS Application Protocol Specification V1.1b3" and "MODBUS over serial line V1.02".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

READ_DISCRETE: Final = 0x02
READ_HOLDING: Final = 0x03
READ_INPUT: Final = 0x04
WRITE_SINGLE: Final = 0x06
WRITE_MULTIPLE: Final = 0x10

ILLEGAL_FUNCTION: Final = 0x01
ILLEGAL_DATA_ADDRESS: Final = 0x02
ILLEGAL_DATA_VALUE: Final = 0x03
SERVER_DEVICE_BUSY: Final = 0x06

MAX_READ: Final = 125
MAX_READ_BITS: Final = 2000
MAX_WRITE: Final = 123
MBAP_BYTES: Final = 7
MAX_ADU_LENGTH: Final = 254
"""Largest value of the MBAP length field: unit identifier and 253 bytes of PDU."""


@runtime_checkable
class Contacts(Protocol):
    """What a slave with digital inputs offers."""

    def contacts(self, address: int, count: int) -> Sequence[bool] | int:
        """Discrete inputs, or the exception code that refuses it."""


@runtime_checkable
class Registers(Protocol):
    """What a slave with registers offers."""

    def read(self, table: str, address: int, count: int) -> list[int] | int:
        """Words of the ``holding`` or ``input`` table, or the exception code that refuses it."""

    def write(self, address: int, words: list[int]) -> int:
        """0, or the exception code that refuses it."""


def answer(pdu: bytes, slave: Registers | Contacts) -> bytes:
    """The response PDU to a request PDU (function code first)."""
    function = pdu[0]
    if function == READ_DISCRETE and isinstance(slave, Contacts):
        return _read_contacts(pdu, slave)
    if not isinstance(slave, Registers):
        return exception(function, ILLEGAL_FUNCTION)
    return _of_registers(function, pdu, slave)


def _of_registers(function: int, pdu: bytes, registers: Registers) -> bytes:
    if function in (READ_HOLDING, READ_INPUT):
        return _read(function, pdu, registers)
    if function == WRITE_SINGLE and len(pdu) == 5:
        address, word = struct.unpack(">HH", pdu[1:])
        refused = registers.write(address, [word])
        return exception(function, refused) if refused else pdu
    if function == WRITE_MULTIPLE:
        return _write_multiple(pdu, registers)
    return exception(function, ILLEGAL_FUNCTION)


def exception(function: int, code: int) -> bytes:
    """An exception response PDU."""
    return bytes((function | 0x80, code))


def _read(function: int, pdu: bytes, registers: Registers) -> bytes:
    if len(pdu) != 5:
        return exception(function, ILLEGAL_DATA_VALUE)
    address, count = struct.unpack(">HH", pdu[1:])
    if not 1 <= count <= MAX_READ:
        return exception(function, ILLEGAL_DATA_VALUE)
    if address + count > 0x10000:
        return exception(function, ILLEGAL_DATA_ADDRESS)
    words = registers.read("holding" if function == READ_HOLDING else "input", address, count)
    if isinstance(words, int):
        return exception(function, words)
    return struct.pack(f">BB{count}H", function, 2 * count, *words)


def _read_contacts(pdu: bytes, slave: Contacts) -> bytes:
    if len(pdu) != 5:
        return exception(READ_DISCRETE, ILLEGAL_DATA_VALUE)
    address, count = struct.unpack(">HH", pdu[1:])
    if not 1 <= count <= MAX_READ_BITS:
        return exception(READ_DISCRETE, ILLEGAL_DATA_VALUE)
    found = slave.contacts(address, count)
    if isinstance(found, int):
        return exception(READ_DISCRETE, found)
    packed = sum(1 << number for number, closed in enumerate(found) if closed)
    size = (count + 7) // 8
    return bytes((READ_DISCRETE, size)) + packed.to_bytes(size, "little")


def _write_multiple(pdu: bytes, registers: Registers) -> bytes:
    if len(pdu) < 6:
        return exception(WRITE_MULTIPLE, ILLEGAL_DATA_VALUE)
    address, count, size = struct.unpack(">HHB", pdu[1:6])
    if not 1 <= count <= MAX_WRITE or size != 2 * count or len(pdu) != 6 + size:
        return exception(WRITE_MULTIPLE, ILLEGAL_DATA_VALUE)
    refused = registers.write(address, list(struct.unpack(f">{count}H", pdu[6:])))
    return exception(WRITE_MULTIPLE, refused) if refused else pdu[:5]


class Frame(NamedTuple):
    """A request with the address it came to; ``transaction`` is 0 on a serial line."""

    transaction: int
    unit: int
    pdu: bytes


def mbap(frame: Frame) -> bytes:
    """The frame with its Modbus TCP header."""
    return struct.pack(">HHHB", frame.transaction, 0, len(frame.pdu) + 1, frame.unit) + frame.pdu


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS: polynomial 0xA001 (reflected), start 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def rtu(frame: Frame) -> bytes:
    """The frame as it goes over a serial line."""
    data = bytes((frame.unit,)) + frame.pdu
    return data + struct.pack("<H", crc16(data))


class RtuRequests:
    """Finds requests in a stream of bytes, resynchronising on noise.

    Requests tell their own length by function code, so no timing of the line is needed.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The whole requests that ``data`` completes."""
        self._buffer += data
        frames: list[Frame] = []
        while (length := self._length()) and len(self._buffer) >= length:
            candidate = bytes(self._buffer[:length])
            if crc16(candidate[:-2]) == struct.unpack("<H", candidate[-2:])[0]:
                frames.append(Frame(0, candidate[0], candidate[1:-2]))
                del self._buffer[:length]
            else:
                del self._buffer[0]
        return frames

    def _length(self) -> int | None:
        """Bytes of the request that seems to begin here; None while it cannot be told."""
        while len(self._buffer) >= 2:
            function = self._buffer[1]
            if function in (READ_DISCRETE, READ_HOLDING, READ_INPUT, WRITE_SINGLE):
                return 8
            if function == WRITE_MULTIPLE:
                return 9 + self._buffer[6] if len(self._buffer) > 6 else None
            # Not a function this slave knows: a byte of noise, or a foreign frame.
            del self._buffer[0]
        return None
