"""The ids of all rotating beacons, made in advance; loaded by whoever resolves one (numpy)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.checkin.eid import BLOCK_S, KEPT_BLOCKS, LAST_BLOCK, Key, Match, block_of

_BLOCKS: Final = 10
"""Of the table at once: two days back, and what comes next."""


def _around(heard: float, now: float) -> tuple[set[int], set[int]]:
    """Blocks in which an id of a moment is, and those of the two days before ``now``."""
    here = int(heard // BLOCK_S)
    # A beacon's own block of a moment ends in this one of ours or in the next.
    needed = {here - 1, here}
    return needed, {int(now // BLOCK_S) + step for step in range(-KEPT_BLOCKS, 2)} - needed


class _Block(NamedTuple):
    ids: NDArray[np.uint64]
    """Sorted."""
    beacon: NDArray[np.uint32]
    window: NDArray[np.uint32]


class Table:
    """The ids of all beacons around some moments, made in advance: a look-up is a binary search.

    About 64 entries a beacon and block (18 hours) at exponent 10; 10,000 beacons take 10 MB a
    block. What a beacon sent within two days is found as well, so that a replay is known as one.

    With more than ``at_once`` keys only the blocks of the moment are waited for. The others are
    made beside it; until then an old id is nobody's. Whoever holds a lock asks for what is
    ``missing`` first, and makes it without.
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
        if not self._keys:
            return []
        wanted = int.from_bytes(sent, "big")
        found: list[Match] = []
        needed, more = _around(heard, now)
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

    def missing(self, heard: float, now: float) -> frozenset[int]:
        """Blocks that ``find`` would make before it answers: at most seven, so that those of one
        moment are kept together."""
        if not self._keys:
            return frozenset()
        needed, more = _around(heard, now)
        with self._lock:
            return frozenset((needed if self._beside else needed | more) - set(self._blocks))

    def make(self, blocks: Iterable[int]) -> None:
        """Those that were missing. Takes a second for some thousand beacons."""
        for number in sorted(blocks, reverse=True):
            self._made(number, wait=True)

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
            if not 0 <= own <= LAST_BLOCK:
                continue
            many = BLOCK_S >> key.exponent
            parts.append(block_of(key, own))
            beacons.append(np.full(many, index, np.uint32))
            windows.append(np.arange(own * many, (own + 1) * many, dtype=np.uint32))
        if not parts:
            empty = np.empty(0, np.uint32)
            return _Block(np.empty(0, np.uint64), empty, empty)
        sent = np.frombuffer(b"".join(parts), dtype=">u8").astype(np.uint64)
        order = np.argsort(sent, kind="stable")
        return _Block(sent[order], np.concatenate(beacons)[order], np.concatenate(windows)[order])
