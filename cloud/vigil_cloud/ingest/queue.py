"""What arrived and waits for the writer: first in, first out, bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class Arrived(NamedTuple):
    """A message as it came from the broker."""

    topic: str
    payload: bytes
    received: datetime
    monotonic: float
    acknowledgement: tuple[int, int] | None
    """Connection and packet identifier, for the acknowledgement once it is stored (QoS 1)."""
    retained: bool = False
    """The broker had kept it until we came."""


class Queue(Protocol):
    """What a subscriber puts into and a writer takes out of."""

    def __len__(self) -> int:
        """How many messages wait."""

    def put(self, messages: Sequence[Arrived]) -> None:
        """What came from the broker together."""

    def take(
        self, most: int, linger_s: float = 0.0, most_bytes: int = 1024 * 1024
    ) -> list[Arrived]:
        """The next group; waits for it. Empty once closed."""

    def close(self) -> None:
        """Nothing more comes in."""


class Waiting:
    """Acknowledgements must leave in the order of arrival (MQTT 5, 4.6): so one queue, no lanes."""

    def __init__(self, capacity: int, capacity_bytes: int = 64 * 1024 * 1024) -> None:
        """As many messages, and as many bytes of them, as may wait."""
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._bytes = 0
        self._messages: deque[Arrived] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._enough = threading.Event()
        """A quarter full, or closed: no more lingering."""

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, messages: Sequence[Arrived]) -> None:
        """Waits while full, which stops the reading from the socket; drops once closed.

        What came together goes in together, so the capacity may be passed by one group.
        """
        if not messages:
            return
        with self._changed:
            while self._is_full() and not self._closed:
                self._changed.wait()
            if self._closed:
                return
            nobody_waited = not self._messages
            self._messages.extend(messages)
            self._bytes += sum(len(message.payload) for message in messages)
            if nobody_waited:
                self._changed.notify_all()
            if len(self._messages) * 4 >= self._capacity or self._is_full():
                self._enough.set()

    def _is_full(self) -> bool:
        return len(self._messages) >= self._capacity or self._bytes >= self._capacity_bytes

    def take(
        self, most: int, linger_s: float = 0.0, most_bytes: int = 1024 * 1024
    ) -> list[Arrived]:
        """Up to ``most`` messages, or so many bytes and one message, none once closed and empty:
        what is stored together needs as much room in a journal.

        As soon as there is one, or ``linger_s`` later so that more share one commit.
        """
        with self._changed:
            while not self._messages and not self._closed:
                self._changed.wait()
        if linger_s and len(self._messages) < most:
            self._enough.wait(linger_s)  # not the condition: it is told of every message
        with self._changed:
            self._enough.clear()
            taken: list[Arrived] = []
            size = 0
            while self._messages and len(taken) < most and size < most_bytes:
                taken.append(self._messages.popleft())
                size += len(taken[-1].payload)
            self._bytes -= size
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Nothing more comes in; ``take`` gives what is left and then nothing."""
        with self._changed:
            self._closed = True
            self._enough.set()
            self._messages.clear()
            self._bytes = 0
            self._changed.notify_all()
