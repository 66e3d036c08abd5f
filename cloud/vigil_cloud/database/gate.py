"""Whose turn it is to write, within one process: who is urgent first.

SQLite has one writer at a time and no queue for the others: each asks again after a while, and a
lane that begins its next transaction at once keeps an alarm out for seconds although nobody holds
the lock for long. On PostgreSQL many may write, but nearly all of them end at the same two rows
(the feed's head and that of the changes), and whoever waits there holds what others need: with
2,000 accounts a fire waited 17 s among them where it waits 0.5 s in a queue. So writers of one
process queue here, in their order, urgent ones before all others. On PostgreSQL the queue is a
courtesy and no lock: who has waited for its patience goes on, since a long deletion or a store
that is away in the middle of a commit must not keep an alarm out.
"""

from __future__ import annotations

import threading
from collections import deque


class WriteGate:
    """Shared by the sessions of one engine. Patience in seconds: so long a turn is waited for."""

    def __init__(self, *, patience_s: float, urgent_patience_s: float) -> None:
        self._patience_s = patience_s
        self._urgent_patience_s = urgent_patience_s
        self._lock = threading.Lock()
        self._taken = False
        self._urgent: deque[threading.Event] = deque()
        self._others: deque[threading.Event] = deque()

    def enter(self, *, urgent: bool) -> bool:
        """Wait for the turn; ``False`` after the patience: then there is nothing to ``leave``."""
        turn = threading.Event()
        with self._lock:
            if not self._taken:
                self._taken = True
                return True
            waiting = self._urgent if urgent else self._others
            waiting.append(turn)
        if turn.wait(self._urgent_patience_s if urgent else self._patience_s):
            return True
        with self._lock:
            if turn.is_set():  # in the meantime
                return True
            waiting.remove(turn)
        return False

    def leave(self) -> None:
        """The transaction is over; the turn goes to the next."""
        with self._lock:
            waiting = self._urgent or self._others
            if waiting:
                waiting.popleft().set()
            else:
                self._taken = False
