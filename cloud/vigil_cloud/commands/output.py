"""The file that somebody names for what a command writes: whole or not at all, and never another.

A link is followed and stays; ``-``, ``/dev/stdout`` and their like are what is open already, and
never replaced by a file, as root could.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

_OPEN: Final = re.compile(r"/dev/std(out|err)|/(?:dev|proc/self)/fd/(\d{1,6})")
_NO_FILE_BESIDE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_STAYS: Final = (errno.EBUSY, errno.EXDEV)
"""A file that is mounted by itself, as into a container, cannot be replaced."""


@contextmanager
def written(out: Path) -> Iterator[IO[str]]:
    """UTF-8, line ends as they are written. Raises ``OSError``."""
    if (number := _already_open(out)) is not None:
        with _text(os.dup(number)) as file:
            yield file
        return
    target = Path(os.path.realpath(out))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(out))
    if target.exists() and not target.is_file():  # a pipe, a device; a folder refuses
        with _text(os.open(target, os.O_WRONLY)) as file:
            yield file
        return
    if target.exists() and not os.access(target, os.W_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(out))
    part = _begun(target)
    if part is None:
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
            yield file
            file.seek(0)
            with target.open("w", encoding="utf-8", newline="") as whole:
                shutil.copyfileobj(file, whole)
        return
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        _named(part, target)
    finally:
        part.unlink(missing_ok=True)


def beside(*outs: Path | None) -> IO[str]:
    """Where a command says in a line what it wrote: standard output, if no file is that."""
    taken = any(out is not None and _already_open(out) == 1 for out in outs)
    return sys.stderr if taken else sys.stdout


def _already_open(out: Path) -> int | None:
    if str(out) == "-":
        return 1
    found = _OPEN.fullmatch(str(out))
    if found is None:
        return None
    return int(found[2]) if found[2] else {"out": 1, "err": 2}[found[1]]


def _text(number: int) -> IO[str]:
    return os.fdopen(number, "w", encoding="utf-8", newline="")


def _begun(target: Path) -> Path | None:
    """A new file beside it, under a name that nobody can have laid a link under; ``None``: the file
    itself may be written, its folder not."""
    # A letter is up to four bytes, and a name 255 at most.
    part = target.with_name(f"{target.name[:50]}.{secrets.token_hex(4)}.part")
    try:
        # Whoever may not read the file may not read it while it is written either.
        rights = _rights(target) | stat.S_IRUSR | stat.S_IWUSR if target.exists() else 0o666
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights))
    except OSError as error:
        if error.errno in _NO_FILE_BESIDE and target.exists():
            return None
        error.filename = str(target)  # the one that was asked for
        raise
    return part


def _named(part: Path, target: Path) -> None:
    """It takes the place of what was there, and its owner and rights."""
    if target.exists():
        before = target.stat()
        with suppress(OSError):
            os.chown(part, before.st_uid, before.st_gid)
        part.chmod(_rights(target))
    try:
        part.replace(target)
    except OSError as error:
        if error.errno not in _STAYS:
            raise
        with part.open("rb") as file, target.open("wb") as whole:
            shutil.copyfileobj(file, whole)


def _rights(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode) & 0o777
