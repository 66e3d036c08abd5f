"""SIGTERM and SIGINT, from before a process holds anything until it holds nothing any more."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether the process was asked to end. While it holds nothing (it waits for its database,
    say) a signal ends it at once, from wherever it is; afterwards what it holds is put down in
    order, and nothing ends it in between."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._holding = False

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked.is_set()

    def hold(self) -> None:
        """From here on something is held: a signal is only noted."""
        self._holding = True
        if self.asked:
            raise _Asked

    def end(self) -> None:
        """As if a signal had come: there is nothing to go on with."""
        self._asked.set()

    def wait(self) -> None:
        """Until a signal has come."""
        self._asked.wait()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.set()
        if not self._holding:
            self._holding = True  # once: a second signal must not end the ending
            raise _Asked


class _Asked(BaseException):
    """Leaves ``stoppable`` from wherever the process is."""


@contextlib.contextmanager
def stoppable(ended: Callable[[], object] = lambda: None) -> Iterator[Stop]:
    """In the main thread, around all that a process does. Ends quietly where a signal asks.
    ``ended`` is called once nothing is held any more, while signals still are only noted."""
    stop = Stop()
    before = {number: signal.signal(number, stop._handle) for number in _SIGNALS}
    try:
        with contextlib.suppress(_Asked):
            yield stop
        stop._holding = True
        ended()
    finally:
        stop._holding = True
        for number, handler in before.items():
            signal.signal(number, handler)
