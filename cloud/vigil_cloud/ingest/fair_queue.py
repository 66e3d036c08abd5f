"""Alarms that wait for the writer: gateways take turns, so that no flood delays another's fire,
and what rings goes before what is over: many homes fall silent at once after a power cut or a
test round, and each end costs the database nearly as much as a beginning.

Nobody is kept waiting for room. What is here already is not kept twice (gateways send again what
no receipt came for); what a gateway has beyond its share is put off: it gets no receipt, so its
gateway keeps it and sends it again. A gateway that follows the contract has at most its window
on the way and never gets there.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

from vigil_cloud.ingest.queue import Arrived
from vigil_schemas.topics import parse

SHARE: Final = 1000
"""Messages of one gateway: the largest window that a gateway can be set to."""
CAPACITY_BYTES: Final = 64 * 1024 * 1024
ENDS_EVERY: Final = 4
"""One group in so many takes every gateway's turn, whatever rings: ends must not starve."""
_ENDS: Final = re.compile(rb'"active"\s*:\s*false')
_RINGS: Final = re.compile(rb'"active"\s*:\s*true')

_Line = dict[tuple[str, bytes], Arrived]
"""One gateway's messages in their order, each once."""


class FairQueue:
    """Round robin over the gateways, first in, first out within each; those first of which
    something waits that may ring."""

    def __init__(self, share: int = SHARE, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._share = share
        self._capacity_bytes = capacity_bytes
        self._lines: dict[str, _Line] = {}
        """In the order of their turns."""
        self._ringing: Counter[str] = Counter()
        """How many messages of a gateway wait that are no mere ends."""
        self._groups = 0
        self._bytes = 0
        self._put_off: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return sum(len(line) for line in self._lines.values())

    def put(self, messages: Sequence[Arrived]) -> None:
        """Never waits; drops once closed."""
        with self._changed:
            if self._closed:
                return
            for message in messages:
                self._put(message)
            self._changed.notify_all()

    def _put(self, message: Arrived) -> None:
        gateway = _gateway(message)
        line = self._lines.setdefault(gateway, {})
        key = message.topic, message.payload
        if key in line:
            return
        if len(line) >= self._share:
            self._put_off[gateway] += 1
            return
        line[key] = message
        self._ringing[gateway] += not is_end(message.payload)
        self._bytes += len(message.payload)
        while self._bytes > self._capacity_bytes:
            self._shorten()

    def _shorten(self) -> None:
        """The newest of whoever has the most waiting is put off."""
        gateway, line = max(self._lines.items(), key=lambda one: _size(one[1]))
        (_, payload), _ = line.popitem()
        self._ringing[gateway] -= not is_end(payload)
        self._bytes -= len(payload)
        self._put_off[gateway] += 1
        if not line:
            del self._lines[gateway]

    def take(
        self, most: int, linger_s: float = 0.0, most_bytes: int = 1024 * 1024
    ) -> list[Arrived]:
        """As ``Waiting.take``; alarms linger for nobody."""
        del linger_s
        with self._changed:
            while not self._lines and not self._closed:
                self._changed.wait()
            taken: list[Arrived] = []
            size = 0
            self._groups += 1
            everybody = self._groups % ENDS_EVERY == 0 or not +self._ringing
            while len(taken) < most and size < most_bytes:
                turn = (one for one in self._lines if everybody or self._ringing[one] > 0)
                gateway = next(turn, None)
                if gateway is None:
                    break
                taken.append(self._take_from(gateway))
                size += len(taken[-1].payload)
            self._bytes -= size
            self._ringing = +self._ringing
            return taken

    def _take_from(self, gateway: str) -> Arrived:
        """Its oldest; its next turn comes after all others'."""
        line = self._lines.pop(gateway)
        message = line.pop(next(iter(line)))
        self._ringing[gateway] -= not is_end(message.payload)
        if line:
            self._lines[gateway] = line
        return message

    def put_off(self) -> Counter[str]:
        """How many messages of which gateways were put off since the last call."""
        with self._changed:
            found, self._put_off = self._put_off, Counter()
            return found

    def close(self) -> None:
        """Nothing more comes in; ``take`` gives nothing any more."""
        with self._changed:
            self._closed = True
            self._lines.clear()
            self._ringing.clear()
            self._bytes = 0
            self._changed.notify_all()


def is_end(payload: bytes) -> bool:
    """Whether it says no more than that something is over. By its bytes, as it has not been read
    yet: what is in doubt is none, so that nothing that may ring ever waits."""
    return _ENDS.search(payload) is not None and _RINGS.search(payload) is None


def _gateway(message: Arrived) -> str:
    topic = parse(message.topic)
    return topic.gateway if topic is not None else ""


def _size(line: _Line) -> int:
    return sum(len(payload) for _, payload in line)
