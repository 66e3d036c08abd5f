"""Whose turn it is to write, within one process: who is urgent first.

SQLite has one writer at a time and no queue for the others: each asks again after a while, and a
lane that begins its next transaction at once keeps an alarm out for seconds although nobody holds
the lock for long. So writers of one process queue here, in their order, urgent ones before all
others. PostgreSQL has many writers; there the others only begin nothing new while an urgent one
is at work, because it may need a row that they would lock.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

LONGEST_S: Final = 5.0
"""An alarm whose store is away must not keep everybody else out for good (PostgreSQL)."""


class WriteGate:
    """Shared by the sessions of one engine. ``one_writer``: of a database with a single lock."""

    def __init__(self, *, one_writer: bool) -> None:
        self._one_writer = one_writer
        self._lock = threading.Lock()
        self._inside = 0
        self._urgent_inside = 0
        self._urgent: deque[threading.Event] = deque()
        self._others: deque[threading.Event] = deque()

    def enter(self, *, urgent: bool, timeout_s: float) -> bool:
        """Wait for the turn; ``False`` after the timeout: then there is nothing to ``leave``."""
        turn = threading.Event()
        with self._lock:
            if self._may_enter(urgent):
                self._take(urgent)
                return True
            (self._urgent if urgent else self._others).append(turn)
        if turn.wait(timeout_s if self._one_writer else min(timeout_s, LONGEST_S)):
            return True
        with self._lock:
            if turn.is_set():  # in the meantime
                return True
            (self._urgent if urgent else self._others).remove(turn)
        return False

    def leave(self, *, urgent: bool) -> None:
        """The transaction is over."""
        with self._lock:
            self._inside -= 1
            self._urgent_inside -= urgent
            while self._urgent and self._may_enter(True):
                self._take(True)
                self._urgent.popleft().set()
            while self._others and self._may_enter(False):
                self._take(False)
                self._others.popleft().set()

    def _may_enter(self, urgent: bool) -> bool:
        if self._one_writer:
            return self._inside == 0 and (urgent or not self._urgent)
        return urgent or self._urgent_inside == 0

    def _take(self, urgent: bool) -> None:
        self._inside += 1
        self._urgent_inside += urgent
