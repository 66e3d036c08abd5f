"""What an EPC says: the GS1 key that it encodes. Pure; never raises on any bits.

Source: GS1 EPC Tag Data Standard 1.13, sections 14.5.1 (SGTIN-96, header 0x30), 14.5.5 (GIAI-96,
header 0x34), tables 14-2 and 14-6 (partitions), and 12.2 (raw URIs).
"""

from __future__ import annotations

from typing import Final, NamedTuple

_BITS: Final = 96
_SGTIN_96: Final = 0x30
_GIAI_96: Final = 0x34
_COMPANY: Final = ((40, 12), (37, 11), (34, 10), (30, 9), (27, 8), (24, 7), (20, 6))
"""Bits and decimal digits of the company's prefix, by partition."""
_SGTIN_COMPANY_AND_ITEM: Final = 44
_SGTIN_DIGITS: Final = 13
_SERIAL_BITS: Final = 38
_GIAI_COMPANY_AND_ASSET: Final = 82
_GIAI_ASSET_DIGITS: Final = (13, 14, 15, 16, 17, 18, 19)
"""Most decimal digits of the asset's reference, by partition."""


class Epc(NamedTuple):
    """``scheme``: ``sgtin-96``, ``giai-96`` or ``raw`` (bits that are no GS1 key read here)."""

    scheme: str
    uri: str
    """As a tag URI: ``urn:epc:tag:sgtin-96:…``; ``urn:epc:raw:90.x…`` keeps an odd length."""


def read(code: str, bits: int) -> Epc:
    """``code``: hexadecimal, its last byte filled up with zeros beyond ``bits``."""
    value = int(code, 16) if code else 0
    found: Epc | None = None
    if bits == _BITS:
        head = value >> 88
        if head == _SGTIN_96:
            found = _sgtin(value)
        elif head == _GIAI_96:
            found = _giai(value)
    return found or _raw(value, bits, 4 * len(code))


def _sgtin(value: int) -> Epc | None:
    """``None`` where a field holds more than its digits can: then it is no SGTIN."""
    kind, partition = value >> 85 & 0x7, value >> 82 & 0x7
    if partition >= len(_COMPANY):
        return None
    bits, digits = _COMPANY[partition]
    item_bits, item_digits = _SGTIN_COMPANY_AND_ITEM - bits, _SGTIN_DIGITS - digits
    company = value >> (_SERIAL_BITS + item_bits) & (1 << bits) - 1
    item = value >> _SERIAL_BITS & (1 << item_bits) - 1
    serial = value & (1 << _SERIAL_BITS) - 1
    if company >= 10**digits or item >= 10**item_digits:
        return None
    named = f"{kind}.{company:0{digits}}.{item:0{item_digits}}.{serial}"
    return Epc("sgtin-96", f"urn:epc:tag:sgtin-96:{named}")


def _giai(value: int) -> Epc | None:
    kind, partition = value >> 85 & 0x7, value >> 82 & 0x7
    if partition >= len(_COMPANY):
        return None
    bits, digits = _COMPANY[partition]
    asset_bits = _GIAI_COMPANY_AND_ASSET - bits
    company, asset = value >> asset_bits & (1 << bits) - 1, value & (1 << asset_bits) - 1
    if company >= 10**digits or asset >= 10 ** _GIAI_ASSET_DIGITS[partition]:
        return None
    return Epc("giai-96", f"urn:epc:tag:giai-96:{kind}.{company:0{digits}}.{asset}")


def _raw(value: int, bits: int, carried: int) -> Epc:
    """The bits as a number of so many; hexadecimal is filled up on the left, as the standard has
    it, so that 90 bits are not mistaken for 96."""
    value >>= max(0, carried - bits)
    return Epc("raw", f"urn:epc:raw:{bits}.x{value:0{-(-bits // 4)}X}")
