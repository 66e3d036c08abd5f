"""SQLite's write-ahead log, switched on by whichever of several processes comes first."""

from __future__ import annotations

import sqlite3
import time
from typing import Final, Protocol

_PAUSE_S: Final = 0.01


class _Executes(Protocol):
    def execute(self, statement: str, /) -> object: ...

    def fetchone(self) -> object: ...


def write_ahead(cursor: _Executes, patience_s: float) -> None:
    """Switch it on where it is off. Raises ``sqlite3.OperationalError``.

    Two that switch a new file at once would wait for each other, so SQLite refuses one of them at
    once, whatever its busy timeout is (https://sqlite.org/c3ref/busy_handler.html): it asks again.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
        else:
            cursor.fetchone()
            return
