"""Connections that were just used are taken as alive, without asking the server first.

A question before each use heals what a restart of the server broke, and costs a round trip for each
session: a fifth of what a short answer waits for. A server that ends says so: its end of the
connection is closed, which the socket tells at once. Only one that vanished without a word (a power
failure) is found out by asking, so that is asked of whatever rested for longer than a moment.
"""

from __future__ import annotations

import select
import time
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

TRUSTED_S: Final = 5.0
_RETURNED: Final = "returned"


def ask_those_that_rested(engine: Engine) -> None:
    """Instead of ``pool_pre_ping``, for psycopg; connections that no longer answer are replaced."""

    @event.listens_for(engine, "reset")
    def _returned(_connection: Any, entry: Any, _state: Any) -> None:
        if entry is not None:  # it goes back to the pool
            entry.info[_RETURNED] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _taken(connection: Any, entry: Any, _fairy: Any) -> None:
        returned = entry.info.pop(_RETURNED, None)
        if returned is None:  # made just now
            return
        rested_s = time.monotonic() - returned
        if (rested_s >= TRUSTED_S or _was_told(connection)) and not _answers(engine, connection):
            raise InvalidatePoolError


def _was_told(connection: Any) -> bool:
    """Whether the server said something since its last answer: for the most part, that it ends."""
    if connection.closed:
        return True
    waiting = select.poll()  # knows no largest number of a file, as select does
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _answers(engine: Engine, connection: Any) -> bool:
    dialect = engine.dialect
    try:
        return bool(dialect.do_ping(connection))
    except dialect.loaded_dbapi.Error as error:
        if dialect.is_disconnect(error, connection, None):
            return False
        raise
