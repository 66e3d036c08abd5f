"""How a sonde's values become 16-bit registers."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

RegisterType = Literal[
    "float32", "float64", "uint16", "int16", "uint32", "int32", "uint64", "int64"
]
ByteOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]

_PACKING: dict[str, tuple[str, int, int]] = {
    "uint16": (">H", 0, 0xFFFF),
    "int16": (">h", -0x8000, 0x7FFF),
    "uint32": (">I", 0, 0xFFFFFFFF),
    "int32": (">i", -0x80000000, 0x7FFFFFFF),
    "uint64": (">Q", 0, 0xFFFFFFFFFFFFFFFF),
    "int64": (">q", -0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
}
"""Big-endian struct format and bounds of the whole-number types."""
_FLOATS: dict[str, str] = {"float32": ">f", "float64": ">d"}


@dataclass(frozen=True, slots=True)
class SignalRegister:
    """Where a parameter lies and how it is written: value = raw × ``scale`` + ``offset``."""

    name: str
    """SenML parameter, such as ``specific_conductance``."""
    register: int
    """Zero-based address of the first word, as it goes over the wire."""
    unit: str | None = None
    """SenML unit."""
    table: Literal["holding", "input"] = "holding"
    type: RegisterType = "float32"
    byte_order: ByteOrder = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    sentinel: float | None = None
    """The raw value written where there is none (``None`` or NaN)."""
    limits: tuple[float, float] | None = None
    """What the sensor can measure, in the value's unit; beyond it shows its end or its code."""
    over_range: float | None = None
    """The raw value written above ``limits``."""
    under_range: float | None = None
    """The raw value written below ``limits``."""

    @property
    def words(self) -> int:
        """How many registers the value takes."""
        return int(self.type[-2:]) // 16

    def section(self) -> dict[str, object]:
        """This signal's ``[[water.signal]]`` table for a gateway.toml."""
        table: dict[str, object] = {
            "name": self.name,
            "register": self.register,
            "table": self.table,
            "type": self.type,
            "byte_order": self.byte_order,
            "scale": self.scale,
            "offset": self.offset,
        }
        if self.unit is not None:
            table["unit"] = self.unit
        optional = {
            "sentinel": self.sentinel,
            "over_range": self.over_range,
            "under_range": self.under_range,
            "sensor_range": self.limits and list(self.limits),
        }
        return table | {key: value for key, value in optional.items() if value is not None}


def encode(signal: SignalRegister, value: float | None) -> list[int]:
    """The words that show ``value``. Whole numbers are clipped to their type's bounds."""
    raw = _raw(signal, value)
    if signal.type in _FLOATS:
        data = struct.pack(_FLOATS[signal.type], raw)
    else:
        form, low, high = _PACKING[signal.type]
        # An integer register without a sentinel of its own shows "no value" as its largest.
        data = struct.pack(form, high if math.isnan(raw) else min(max(round(raw), low), high))
    return _ordered(data, signal.byte_order)


def shown(signal: SignalRegister, value: float | None) -> float | None:
    """What a reader of the register gets: rounded by its type; None where there is no number."""
    if value is None or math.isnan(value) or _code(signal, value) is not None:
        return None
    raw = _raw(signal, value)
    if signal.type in _FLOATS:
        form = _FLOATS[signal.type]
        raw = float(struct.unpack(form, struct.pack(form, raw))[0])
    else:
        _, low, high = _PACKING[signal.type]
        raw = min(max(round(raw), low), high)
    return raw * signal.scale + signal.offset


def _raw(signal: SignalRegister, value: float | None) -> float:
    """The number in the register; NaN where there is none and no sentinel for it."""
    if value is None or math.isnan(value):
        return math.nan if signal.sentinel is None else signal.sentinel
    code = _code(signal, value)
    if code is not None:
        return code
    if signal.limits is not None:
        value = min(max(value, signal.limits[0]), signal.limits[1])
    return (value - signal.offset) / signal.scale


def _code(signal: SignalRegister, value: float) -> float | None:
    """What stands for a value off scale, where the sensor has a code for it."""
    if signal.limits is None:
        return None
    if value > signal.limits[1]:
        return signal.over_range
    return signal.under_range if value < signal.limits[0] else None


def _ordered(data: bytes, order: ByteOrder) -> list[int]:
    """Big-endian bytes A B (C D) as words in the device's order."""
    swapped_bytes = order in ("BADC", "DCBA")
    swapped_words = order in ("CDAB", "DCBA")
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if swapped_words:
        words.reverse()
    little = "little" if swapped_bytes else "big"
    return [int.from_bytes(word, little) for word in words]  # type: ignore[arg-type]  # little|big


class RegisterMap:
    """The present values in one table (holding or input)."""

    def __init__(self, signals: Sequence[SignalRegister]) -> None:
        self._signals = signals
        self._words: dict[int, int] = {}

    def show(self, values: dict[str, float | None]) -> None:
        """Put the present values into their registers."""
        for signal in self._signals:
            for offset, word in enumerate(encode(signal, values.get(signal.name))):
                self._words[signal.register + offset] = word

    def read(self, address: int, count: int, *, holes: bool = True) -> list[int] | None:
        """The words, with 0 between registers; None where nothing of it is mapped.

        Without ``holes`` all of it must be.
        """
        asked = range(address, address + count)
        mapped = [a in self._words for a in asked]
        if not (any(mapped) if holes else all(mapped)):
            return None
        return [self._words.get(a, 0) for a in asked]
