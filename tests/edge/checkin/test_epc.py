"""EPCs as GS1 keys: the standard's own examples, and every field of other numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.checkin import epc

COMPANY_DIGITS = (12, 11, 10, 9, 8, 7, 6)
COMPANY_BITS = (40, 37, 34, 30, 27, 24, 20)


@pytest.mark.parametrize(
    ("code", "bits", "scheme", "uri"),
    [
        # GS1 EPC Tag Data Standard 1.13, appendix E.3
        ("3074257bf7194e4000001a85", 96, "sgtin-96", "sgtin-96:3.0614141.812345.6789"),
        ("3474257bf400000000bc6038", 96, "giai-96", "giai-96:3.0614141.12345400"),
        # partition 7, and a prefix of more digits than it can have: no key
        ("301c25000000000000000001", 96, "raw", "96.x301C25000000000000000001"),
        ("3017fffff7194e4000001a85", 96, "raw", "96.x3017FFFFF7194E4000001A85"),
        ("e2801160600002084c7a1b00", 90, "raw", "90.x38A0045818000082131E86C"),
        ("3074257bf7194e4000001a85ffff", 112, "raw", "112.x3074257BF7194E4000001A85FFFF"),
        ("80", 1, "raw", "1.x1"),
        ("", 0, "raw", "0.x0"),
    ],
)
def test_examples(code: str, bits: int, scheme: str, uri: str) -> None:
    found = epc.read(code, bits)
    assert found.scheme == scheme
    assert found.uri == ("urn:epc:raw:" if scheme == "raw" else "urn:epc:tag:") + uri


@given(st.integers(0, 7), st.integers(0, 6), st.data())
def test_every_sgtin_96_comes_back(kind: int, partition: int, data: st.DataObject) -> None:
    digits, bits = COMPANY_DIGITS[partition], COMPANY_BITS[partition]
    company = data.draw(st.integers(0, 10**digits - 1))
    item = data.draw(st.integers(0, 10 ** (13 - digits) - 1))
    serial = data.draw(st.integers(0, 2**38 - 1))
    text = f"{0x30:08b}{kind:03b}{partition:03b}{company:0{bits}b}{item:0{44 - bits}b}{serial:038b}"
    shown = f"{kind}.{company:0{digits}}.{item:0{13 - digits}}.{serial}"
    assert epc.read(f"{int(text, 2):024x}", 96).uri == f"urn:epc:tag:sgtin-96:{shown}"


@given(st.binary(max_size=62), st.integers(0, 7))
def test_any_bits_are_a_key_or_raw(code: bytes, padding: int) -> None:
    bits = max(0, 8 * len(code) - padding)
    assert epc.read(code.hex(), bits).scheme in {"sgtin-96", "giai-96", "raw"}
