"""Which agent works in a data folder: it holds the folder's lock, and its number is in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

import structlog

from vigil_schemas.errors import VigilError

LOCK: Final = "lock"
_log = structlog.get_logger("agent")
_PERMANENT: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
)
"""Refusals that no waiting mends: the configuration or the folder's owner is wrong."""


class DataDirUnusable(VigilError):
    """``[gateway] data_dir`` cannot be made or written, or another agent works in it."""

    code: ClassVar[str] = "data-dir-unusable"
    remedy: ClassVar[str] = (
        "Make `[gateway] data_dir` writable for the agent, and let one agent only work in it."
    )

    def __init__(self, folder: Path, reason: str, *, permanent: bool) -> None:
        super().__init__(f"{folder}: {reason}")
        self.folder = folder
        self.reason = reason
        self.permanent = permanent
        """Whether waiting is of no use; a disk may still be mounted, or have room again."""


def holder(folder: Path) -> int | None:
    """The process id of the agent that runs in this folder; ``None`` where none does.

    Raises ``OSError`` where the lock cannot be looked at, or holds no number.
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
            if not written.isdecimal():
                said = "an agent holds it and could not write its number: was its disk full?"
                raise OSError(f"{folder / LOCK}: {said}") from None
            return int(written)
    return None


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two agents in one outbox would number the same messages twice.

    Makes the folder where it is missing. Raises ``DataDirUnusable``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        permanent = error.errno in _PERMANENT
        reason = error.strerror or str(error)
        raise DataDirUnusable(folder, reason, permanent=permanent) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataDirUnusable(folder, "another vigil-edge runs here", permanent=True) from error
        _say_who(lock)
        yield
    finally:
        os.close(lock)


def _say_who(lock: int) -> None:
    """For whoever wants to tell the agent something. A full disk must not keep the agent from
    starting that will empty it: written over what is there, and left out where even that fails."""
    number = str(os.getpid()).encode()
    try:
        os.pwrite(lock, number + b"\n", 0)
        os.ftruncate(lock, len(number))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.ftruncate(lock, 0)  # no number of another process
        _log.warning("the agent's number is not in its lock", error=str(error))
