"""Eddystone-EID: what a beacon sends in each window of its time, and whose an id is. Pure.

Source: Google, "Eddystone-EID" (computation of the ephemeral identifier). A beacon counts seconds.
Of its key K and counter T, with rotation exponent E:

* temporary key = AES-128(K, 11 × 0x00 ‖ 0xFF ‖ 2 × 0x00 ‖ T >> 16 (2 bytes))
* id = first 8 bytes of AES-128(temporary key, 11 × 0x00 ‖ E ‖ T with its lowest E bits zero (4))

An id lasts ``2 ** E`` seconds. A temporary key lasts 65,536 seconds: one *block* of ids.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

BLOCK_S: Final = 1 << 16
LEAST_EXPONENT: Final = 8
MOST_EXPONENT: Final = 15
"""Beacons change their id every 4 minutes to 9 hours; below, a table would hold too much."""
_BLOCKS: Final = 10
"""Of the table at once: two days back, and what comes next."""
_LAST_BLOCK: Final = 0xFFFF


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
        if not 0 <= block <= _LAST_BLOCK:
            continue
        whole = _block(key, block)
        begin = max(first - block * per_block, 0)
        end = min(first + count - block * per_block, per_block)
        found += [whole[8 * n : 8 * n + 8] for n in range(begin, end)]
    return found


def _block(key: Key, block: int) -> bytes:
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


class _Block(NamedTuple):
    ids: NDArray[np.uint64]
    """Sorted."""
    beacon: NDArray[np.uint32]
    window: NDArray[np.uint32]


class Table:
    """The ids of all beacons around some moments, made in advance: a look-up is a binary search.

    About 64 entries a beacon and block (18 hours) at exponent 10; 10,000 beacons take 10 MB a
    block. What a beacon sent within two days is found as well, so that a replay is known as one.

    With more than ``at_once`` keys only the blocks of the moment are waited for: whoever asks holds
    a database's lock. The others are made beside it; until then an old id is nobody's.
    """

    def __init__(self, keys: Sequence[Key], *, at_once: int = 2_000) -> None:
        self._keys = list(keys)
        self._blocks: OrderedDict[int, _Block] = OrderedDict()
        self._beside = len(self._keys) > at_once
        self._lock = threading.Lock()
        self._making: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, beacon: int) -> Key:
        """Of one match."""
        return self._keys[beacon]

    def find(self, sent: bytes, heard: float, now: float) -> list[Match]:
        """Whose an id is that was ``heard`` then: of about that time, or of the two days before
        ``now``, in which somebody may have recorded it."""
        wanted = int.from_bytes(sent, "big")
        found: list[Match] = []
        here = int(heard // BLOCK_S)
        # A beacon's own block of a moment ends in this one of ours or in the next.
        needed = {here - 1, here}
        more = {int(now // BLOCK_S) + step for step in (-3, -2, -1, 0, 1)} - needed
        for number in (*sorted(needed), *sorted(more, reverse=True)):
            block = self._made(number, wait=number in needed or not self._beside)
            if block is None:
                continue
            at = int(np.searchsorted(block.ids, np.uint64(wanted)))
            while at < len(block.ids) and int(block.ids[at]) == wanted:
                found.append(Match(int(block.beacon[at]), int(block.window[at])))
                at += 1
        if self._beside:
            self._make_beside(more)
        return found

    def _made(self, number: int, *, wait: bool) -> _Block | None:
        with self._lock:
            block = self._blocks.get(number)
            if block is not None:
                self._blocks.move_to_end(number)
        return self._keep(number) if block is None and wait else block

    def _keep(self, number: int) -> _Block:
        block = self._make(number)
        with self._lock:
            self._blocks[number] = block
            while len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        return block

    def _make_beside(self, numbers: set[int]) -> None:
        missing = sorted(numbers - set(self._blocks), reverse=True)
        if not missing or (self._making is not None and self._making.is_alive()):
            return

        def make() -> None:
            for number in missing:
                self._keep(number)

        self._making = threading.Thread(target=make, name="beacon-windows", daemon=True)
        self._making.start()

    def _make(self, number: int) -> _Block:
        """Of each beacon the block that ends in this one of ours: of consecutive ones together
        nothing is missing, wherever a beacon's counter began."""
        parts: list[bytes] = []
        beacons: list[NDArray[np.uint32]] = []
        windows: list[NDArray[np.uint32]] = []
        for index, key in enumerate(self._keys):
            own = int(((number + 1) * BLOCK_S - 1 - key.zero_s) // BLOCK_S)
            if not 0 <= own <= _LAST_BLOCK:
                continue
            many = BLOCK_S >> key.exponent
            parts.append(_block(key, own))
            beacons.append(np.full(many, index, np.uint32))
            windows.append(np.arange(own * many, (own + 1) * many, dtype=np.uint32))
        if not parts:
            empty = np.empty(0, np.uint32)
            return _Block(np.empty(0, np.uint64), empty, empty)
        sent = np.frombuffer(b"".join(parts), dtype=">u8").astype(np.uint64)
        order = np.argsort(sent, kind="stable")
        return _Block(sent[order], np.concatenate(beacons)[order], np.concatenate(windows)[order])


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
