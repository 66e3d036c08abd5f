"""How a slave's answers break: one function per style, frame in, broken bytes out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from vigil_sim.modbus.codec import SERVER_DEVICE_BUSY, Frame, exception

Framing = Callable[[Frame], bytes]

TCP_STYLES: Final = (
    *("garbage", "wrong-transaction", "wrong-unit", "wrong-length"),
    *("truncated", "exception", "late"),
)
RTU_STYLES: Final = ("garbage", "bad-crc", "wrong-unit", "truncated", "exception", "late")
"""``late`` is a whole answer that comes when nobody waits for it any more."""


def broken(style: str, frame: Frame, framing: Framing, rng: random.Random) -> bytes:
    """The answer ``frame`` broken as ``style`` says. Raises ``ValueError`` for an unknown style."""
    whole = framing(frame)
    if style == "late":
        return whole
    if style == "garbage":
        return whole[:2] + rng.randbytes(max(len(whole) - 2, 4))
    if style == "wrong-transaction":
        other = (frame.transaction + rng.randrange(1, 0xFFFF)) & 0xFFFF
        return framing(frame._replace(transaction=other))
    if style == "wrong-unit":
        return framing(frame._replace(unit=(frame.unit + rng.randrange(1, 246)) & 0xFF))
    if style == "wrong-length":
        return whole[:4] + rng.randrange(0x1000, 0xFFFF).to_bytes(2, "big") + whole[6:]
    if style == "truncated":
        return whole[: rng.randrange(1, len(whole))]
    if style == "exception":
        return framing(frame._replace(pdu=exception(frame.pdu[0] & 0x7F, SERVER_DEVICE_BUSY)))
    if style == "bad-crc":
        return whole[:-1] + bytes((whole[-1] ^ rng.randrange(1, 0x100),))
    raise ValueError(f"a Modbus answer cannot be broken in the style {style!r}")
