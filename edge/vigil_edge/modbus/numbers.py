"""Sixteen-bit registers to numbers. Pure.

Byte orders are written as in most manuals: ``ABCD`` is big-endian throughout, ``CDAB``
swaps the words, ``BADC`` the bytes inside each word, ``DCBA`` both.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, Literal

RegisterType = Literal[
    "float32", "float64", "uint16", "int16", "uint32", "int32", "uint64", "int64"
]
ByteOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]

_FORMATS: Final[dict[RegisterType, str]] = {
    "float32": ">f",
    "uint32": ">I",
    "int32": ">i",
    "float64": ">d",
    "uint64": ">Q",
    "int64": ">q",
    "uint16": ">H",
    "int16": ">h",
}


def registers_of(type: RegisterType) -> int:
    """How many registers a number of this type takes."""
    return struct.calcsize(_FORMATS[type]) // 2


def number(words: Sequence[int], type: RegisterType, order: ByteOrder = "ABCD") -> float:
    """The raw number in one register, in two or in four."""
    if order in ("CDAB", "DCBA"):
        words = list(reversed(words))
    packing = "<H" if order in ("BADC", "DCBA") else ">H"
    data = b"".join(struct.pack(packing, word) for word in words)
    return float(struct.unpack(_FORMATS[type], data)[0])
