"""A total deadline for conversations with other servers.

The time-outs of HTTP and mail clients count from one received byte to the next: a server that
sends a byte now and then, a header line or a continued reply without end, holds its caller for
ever. Here the connections that a context uses are shut down when its time is over, and the client
meets their end (docs/decisions/0009-total-deadlines.md).
"""

from __future__ import annotations

import os
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final

import urllib3.connection

_current: Final = ContextVar["tuple[Deadline, ...]"]("deadlines", default=())


class Deadline:
    """``over`` once the time ran out. The connections belong to whoever made them: duplicates of
    their handles are held, whose shutdown ends both and whose closing neither."""

    def __init__(self) -> None:
        self.over = False
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []
        self._numbers: set[int] = set()

    def watch(self, connection: socket.socket) -> None:
        """Shut it down when the time is over, now if it is."""
        with self._lock:
            number = os.fstat(connection.fileno()).st_ino  # the same under TLS and duplicated
            if number not in self._numbers:
                self._numbers.add(number)
                self._held.append(socket.socket(fileno=os.dup(connection.fileno())))
            over = self.over
        if over:
            self.expire()

    def expire(self) -> None:
        """End every connection; what was received already can still be read."""
        with self._lock:
            self.over = True
            for connection in self._held:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """The conversations are over, whatever became of them."""
        with self._lock:
            for connection in self._held:
                connection.close()
            self._held.clear()


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """Everything that this context does over HTTP (``urllib3``) and SMTP ends within so many
    seconds, from now, with the client's own error for a connection that broke."""
    found = Deadline()
    timer = threading.Timer(seconds, found.expire)
    timer.name, timer.daemon = "deadline", True
    timer.start()
    token = _current.set((*_current.get(), found))
    try:
        yield found
    finally:
        _current.reset(token)
        timer.cancel()
        found.release()


def _watch(connection: Any) -> None:
    if isinstance(connection, socket.socket) and connection.fileno() >= 0:
        for one in _current.get():
            one.watch(connection)


def _made(plain: Callable[..., socket.socket]) -> Callable[..., socket.socket]:
    @wraps(plain)
    def connect(*arguments: Any, **options: Any) -> socket.socket:
        made = plain(*arguments, **options)
        _watch(made)
        return made

    return connect


def _used(plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def answer(self: urllib3.connection.HTTPConnection) -> Any:
        _watch(self.sock)
        return plain(self)

    return answer


# New connections before anything is said, and those kept open when they are used once more.
for _owner, _name, _observed in (
    (urllib3.connection.HTTPConnection, "_new_conn", _made),
    (smtplib.SMTP, "_get_socket", _made),
    (urllib3.connection.HTTPConnection, "getresponse", _used),
):
    if not hasattr(_plain := getattr(_owner, _name), "__wrapped__"):  # loaded a second time
        setattr(_owner, _name, _observed(_plain))
