"""Which agent works in a data folder: it holds the folder's lock, and its number is in it."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Final

LOCK: Final = "lock"


def holder(folder: Path) -> int | None:
    """The process id of the agent that runs in this folder; ``None`` where none does.

    Raises ``OSError`` where the lock cannot be looked at.
    """
    try:
        lock = (folder / LOCK).open("r")
    except FileNotFoundError:
        return None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            written = lock.read().strip()
            return int(written) if written.isdecimal() else None
    return None
