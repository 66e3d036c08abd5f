"""Eddystone-EID: what a beacon sends in each window of its time, and whose an id is. Pure.

Source: Google, "Eddystone-EID" (computation of the ephemeral identifier). A beacon counts seconds.
Of its key K and counter T, with rotation exponent E:

* temporary key = AES-128(K, 11 × 0x00 ‖ 0xFF ‖ 2 × 0x00 ‖ T >> 16 (2 bytes))
* id = first 8 bytes of AES-128(temporary key, 11 × 0x00 ‖ E ‖ T with its lowest E bits zero (4))

An id lasts ``2 ** E`` seconds. A temporary key lasts 65,536 seconds: one *block* of ids.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK_S: Final = 1 << 16
KEPT_BLOCKS: Final = 3
"""Of the past, that are kept ready: an id of the last two days is found, so that a replay of one is
known as such."""
LEAST_EXPONENT: Final = 8
MOST_EXPONENT: Final = 15
"""Beacons change their id every 4 minutes to 9 hours; below, a table would hold too much."""
LAST_BLOCK: Final = 0xFFFF


class Key(NamedTuple):
    """One beacon. ``zero_s``: when its counter stood at 0, seconds since 1970."""

    secret: bytes
    exponent: int
    zero_s: float

    @property
    def window_s(self) -> int:
        """How long one id lasts."""
        return 1 << self.exponent


class Match(NamedTuple):
    """An id, sent while a beacon's counter stands in ``[window × 2^E, (window + 1) × 2^E)``."""

    beacon: int
    """Index of the key."""
    window: int


def ids(key: Key, first: int, count: int) -> list[bytes]:
    """Of ``count`` windows from ``first`` on; those before 0 and beyond 32 bits are left out."""
    found: list[bytes] = []
    per_block = BLOCK_S >> key.exponent
    for block in range(first // per_block, (first + count - 1) // per_block + 1):
        if not 0 <= block <= LAST_BLOCK:
            continue
        whole = block_of(key, block)
        begin = max(first - block * per_block, 0)
        end = min(first + count - block * per_block, per_block)
        found += [whole[8 * n : 8 * n + 8] for n in range(begin, end)]
    return found


def block_of(key: Key, block: int) -> bytes:
    """The ids of one block, one after the other, 8 bytes each."""
    head = bytes(11) + b"\xff\x00\x00" + block.to_bytes(2, "big")
    temporary = _encrypted(key.secret, head)
    starts = range(block * BLOCK_S, (block + 1) * BLOCK_S, key.window_s)
    prefix = bytes(11) + bytes((key.exponent,))
    plain = b"".join(prefix + start.to_bytes(4, "big") for start in starts)
    cipher = _encrypted(temporary, plain)
    return b"".join(cipher[at : at + 8] for at in range(0, len(cipher), 16))


def _encrypted(secret: bytes, plain: bytes) -> bytes:
    # ECB of single blocks is what the specification asks for: nothing secret is encrypted.
    return Cipher(algorithms.AES(secret), modes.ECB()).encryptor().update(plain)  # noqa: S305


class Offset(NamedTuple):
    """How far a beacon's counter lags behind our clock, as far as is known: between ``low`` and
    ``high`` seconds at ``at`` (seconds since 1970)."""

    low: float
    high: float
    at: float

    def grown(self, moment: float) -> Offset:
        """Crystals of beacons drift; what was known widens with time."""
        wide = DRIFT * abs(moment - self.at)
        return Offset(self.low - wide, self.high + wide, moment)


DRIFT: Final = 200e-6
"""Of a beacon's crystal over temperature, and of ours."""
SLACK_S: Final = 10.0
"""What a gateway's followed clock may err by."""


def judged(key: Key, window: int, offset: Offset, first: float, last: float) -> Offset | None:
    """What is known of the beacon's clock after its id of this window was heard from ``first`` to
    ``last`` (seconds since 1970); ``None``: the beacon cannot have sent it then, it was replayed.

    Heard at t, the counter ``t − zero − offset`` lies in the window; each time that narrows what
    is known. A replay moves nothing further than crystals drift.
    """
    known = offset.grown(max(last, offset.at))
    begin, end = window * key.window_s, (window + 1) * key.window_s
    high = min(known.high, first - key.zero_s - begin + SLACK_S)
    low = max(known.low, last - key.zero_s - end - SLACK_S)
    if low > high:
        return None
    return Offset(low, high, known.at)
