"""The alarm lane goes first at the database.

SQLite has one writer at a time and no queue for the others: each asks again after a while, and a
lane with much to do that begins its next transaction at once keeps an alarm out for long. So
the others wait while an alarm wants to write.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LONGEST_S: Final = 5.0
"""An alarm whose store is away must not keep readings out for good."""


class Urgency:
    """Shared by the writers of one process."""

    def __init__(self) -> None:
        self._nobody = threading.Event()
        self._nobody.set()

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """While an alarm is being stored. One thread at a time: there is one alarm lane."""
        self._nobody.clear()
        try:
            yield
        finally:
            self._nobody.set()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Begins once no alarm wants to write, or after a while."""
        self._nobody.wait(LONGEST_S)
        yield
