"""Codecs of the sonde against pymodbus's, which nobody here wrote."""

from __future__ import annotations

import math
import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from vigil_sim.modbus.codec import Frame, RtuRequests, answer, crc16, mbap, rtu
from vigil_sim.water.logger import WINDOW, LoggerMemory
from vigil_sim.water.registers import ByteOrder, RegisterMap, SignalRegister, encode, shown

DATATYPE = ModbusClientMixin.DATATYPE
convert = ModbusClientMixin.convert_from_registers
BOUNDS = {
    "uint16": (0, 0xFFFF),
    "int16": (-0x8000, 0x7FFF),
    "uint32": (0, 0xFFFFFFFF),
    "int32": (-0x80000000, 0x7FFFFFFF),
}


def swapped(words: list[int], order: ByteOrder) -> list[int]:
    """Words in the device's order back to ABCD."""
    data = [struct.pack(">H", word) for word in words]
    if order in ("BADC", "DCBA"):
        data = [pair[::-1] for pair in data]
    if order in ("CDAB", "DCBA"):
        data.reverse()
    return [struct.unpack(">H", pair)[0] for pair in data]


orders = st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"])


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), orders)
def test_floats_are_read_by_pymodbus(value: float, order: ByteOrder) -> None:
    signal = SignalRegister("x", 0, byte_order=order)
    words = swapped(encode(signal, value), order)
    assert convert(words, DATATYPE.FLOAT32) == value
    assert shown(signal, value) == value


@given(st.sampled_from(sorted(BOUNDS)), orders, st.data())
def test_whole_numbers_are_read_by_pymodbus(
    kind: str, order: ByteOrder, data: st.DataObject
) -> None:
    raw = data.draw(st.integers(*BOUNDS[kind]))
    signal = SignalRegister("x", 0, type=kind, byte_order=order, scale=0.5, offset=-3.0)  # type: ignore[arg-type]  # one of RegisterType
    value = raw * 0.5 - 3.0
    words = swapped(encode(signal, value), order)
    assert convert(words, getattr(DATATYPE, kind.upper())) == raw
    assert shown(signal, value) == value


def test_order_of_the_bytes() -> None:
    value = struct.unpack(">f", b"\x0a\x0b\x0c\x0d")[0]
    written = {
        order: b"".join(
            struct.pack(">H", word)
            for word in encode(SignalRegister("x", 0, byte_order=order), value)
        ).hex()
        for order in ("ABCD", "CDAB", "BADC", "DCBA")
    }
    assert written == {
        "ABCD": "0a0b0c0d",
        "CDAB": "0c0d0a0b",
        "BADC": "0b0a0d0c",
        "DCBA": "0d0c0b0a",
    }


def test_nothing_to_show() -> None:
    read = convert(encode(SignalRegister("x", 0), None), DATATYPE.FLOAT32)
    assert isinstance(read, float)
    assert math.isnan(read)
    assert encode(SignalRegister("x", 0, type="int16"), math.nan) == [0x7FFF]
    assert encode(SignalRegister("x", 0, type="uint16", sentinel=65534.0), None) == [65534]
    assert shown(SignalRegister("x", 0), math.nan) is None
    assert encode(SignalRegister("x", 0, type="uint16"), 1e9) == [0xFFFF]


@given(st.binary(max_size=64))
def test_crc_is_pymodbuss(data: bytes) -> None:
    # pymodbus gives it with its bytes in the order of the wire.
    assert struct.pack("<H", crc16(data)) == struct.pack(">H", FramerRTU.compute_CRC(data))


@given(st.integers(0, 0xFFFF), st.integers(0, 247), st.binary(min_size=1, max_size=253))
def test_frames_are_read_by_pymodbus(transaction: int, unit: int, pdu: bytes) -> None:
    framer = FramerSocket(DecodePDU(is_server=False))
    used, device, number, data = framer.decode(mbap(Frame(transaction, unit, pdu)))
    assert (used, device, number, data) == (len(pdu) + 7, unit, transaction, pdu)


class Echo:
    """Registers whose word is their address."""

    def read(self, table: str, address: int, count: int) -> list[int] | int:
        return [a & 0xFFFF for a in range(address, address + count)]

    def write(self, address: int, words: list[int]) -> int:
        return 0


requests = st.one_of(
    st.builds(
        lambda f, a, n: struct.pack(">BHH", f, a, n),
        st.sampled_from([3, 4]),
        st.integers(0, 0xFFFF),
        st.integers(1, 125),
    ),
    st.builds(lambda a, w: struct.pack(">BHH", 6, a, w), st.integers(0, 999), st.integers(0, 999)),
    st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=10).map(
        lambda words: struct.pack(f">BHHB{len(words)}H", 16, 7, len(words), 2 * len(words), *words)
    ),
)


@given(st.lists(requests, min_size=1, max_size=5), st.binary(max_size=8), st.randoms())
def test_requests_are_found_in_a_noisy_stream(pdus: list[bytes], noise: bytes, rng: Random) -> None:
    # Bytes that no function code can be found in, so that the noise cannot be a request's start.
    stream = bytes(b | 0x40 for b in noise) + b"".join(rtu(Frame(0, 9, pdu)) for pdu in pdus)
    found: list[Frame] = []
    finder = RtuRequests()
    at = 0
    while at < len(stream):
        step = rng.randint(1, 9)
        found += finder.feed(stream[at : at + step])
        at += step
    assert [frame.pdu for frame in found][-len(pdus) :] == pdus


@given(st.binary(min_size=1, max_size=253))
def test_any_request_is_answered(pdu: bytes) -> None:
    reply = answer(pdu, Echo())
    assert reply[0] & 0x7F == pdu[0] & 0x7F
    assert 2 <= len(reply) <= 253


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        (b"\x2b\x0e\x01\x00", 1),
        (b"\x03\x00\x00\x00\x00", 3),
        (b"\x03\x00\x00\x00\x7e", 3),
        (b"\x04\xff\xff\x00\x02", 2),
        (b"\x10\x00\x00\x00\x02\x04\x00", 3),
        (b"\x03\x00", 3),
    ],
)
def test_refusals(pdu: bytes, code: int) -> None:
    assert answer(pdu, Echo()) == bytes((pdu[0] | 0x80, code))


def test_a_hole_reads_as_zero_and_nothing_is_refused() -> None:
    registers = RegisterMap([SignalRegister("a", 10, type="uint16"), SignalRegister("b", 13)])
    registers.show({"a": 7.0, "b": 1.0})
    assert registers.read(10, 5) == [7, 0, 0, 0x3F80, 0]
    assert registers.read(20, 2) is None


@given(
    st.lists(st.tuples(st.integers(0, 2**41), st.floats(width=32, allow_nan=False)), max_size=30),
    st.integers(1, 40),
    st.integers(0, 40),
)
def test_the_window_shows_what_is_not_acknowledged(
    measured: list[tuple[int, float]], capacity: int, acknowledged: int
) -> None:
    memory = LoggerMemory(1, capacity, window_records=4)
    for time_ms, value in measured:
        memory.append(time_ms, [value])
    first = max(len(measured) - capacity, 0)
    assert (memory.head, memory.tail, memory.overwritten) == (len(measured), first, first)
    assert memory.acknowledge(acknowledged) is (first <= acknowledged <= len(measured))
    tail = acknowledged if first <= acknowledged <= len(measured) else first
    assert convert(memory.read(0, 2), DATATYPE.UINT32) == len(measured)
    assert convert(memory.read(2, 2), DATATYPE.UINT32) == tail
    words = memory.read(WINDOW, 4 * 7)
    for place in range(4):
        record = words[7 * place : 7 * place + 7]
        if tail + place >= len(measured):
            assert record[:2] == [0xFFFF, 0xFFFF]
            continue
        time_ms, value = measured[tail + place]
        assert convert(record[:2], DATATYPE.UINT32) == tail + place
        assert convert(record[2:4], DATATYPE.UINT32) == time_ms // 1000
        assert record[4] == time_ms % 1000
        assert convert(record[5:], DATATYPE.FLOAT32) == value
