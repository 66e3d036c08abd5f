"""Objects as files of a local folder: the embedded default.

Written by hand and not through obstore, whose local store does not sync to disk:
a gateway deletes its evidence once ``put`` has returned.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vigil_cloud.objects.port import ObjectMissing, ObjectsUnavailable, checked_name

_CHUNK = 256 * 1024
_ARRIVING = ".arriving"
"""Where objects grow; names with a leading dot cannot be asked for."""

_PROBE_BYTES = 4096
_ABANDONED_S = 24 * 3600


class FolderObjects:
    """The ``Objects`` port over one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cleared = False

    def put(self, name: str, path: Path) -> None:
        target = self._path(name)
        with _available(self._folder):
            self._clear_abandoned()
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._folder / _ARRIVING).mkdir(parents=True, exist_ok=True)
            arriving = self._folder / _ARRIVING / uuid.uuid4().hex
            try:
                with path.open("rb") as source, arriving.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
                    sink.flush()
                    os.fsync(sink.fileno())
                arriving.replace(target)
            finally:
                arriving.unlink(missing_ok=True)
            for folder in (target.parent, *target.parent.parents):
                _sync_folder(folder)
                if folder == self._folder:
                    break

    def size(self, name: str) -> int:
        with self._present(name) as path:
            return path.stat().st_size

    def read(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        with self._present(name) as path:
            source = path.open("rb")  # now, so that a missing object raises here
        return _stream(source, start, length)

    def names(self) -> Iterator[str]:
        with _available(self._folder):
            for folder, below, files in os.walk(self._folder, onerror=_tell):
                below[:] = [name for name in below if not name.startswith(".")]
                for name in files:
                    if not name.startswith("."):  # no object: a file browser's
                        yield (Path(folder) / name).relative_to(self._folder).as_posix()

    def delete(self, name: str) -> None:
        with _available(self._folder):
            self._path(name).unlink(missing_ok=True)

    def ping(self) -> None:
        with _available(self._folder):
            arriving = self._folder / _ARRIVING
            arriving.mkdir(parents=True, exist_ok=True)
            probe = arriving / uuid.uuid4().hex
            try:
                with probe.open("wb") as file:
                    file.write(b"\0" * _PROBE_BYTES)
                    file.flush()
                    os.fsync(file.fileno())
            finally:
                probe.unlink(missing_ok=True)

    def _clear_abandoned(self) -> None:
        """Once: what a process left half written when it was killed. Another process may be
        writing now, so only what is old."""
        if self._cleared:
            return
        self._cleared = True
        before = time.time() - _ABANDONED_S
        for path in (self._folder / _ARRIVING).glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def _path(self, name: str) -> Path:
        return self._folder / checked_name(name)

    @contextlib.contextmanager
    def _present(self, name: str) -> Iterator[Path]:
        path = self._path(name)
        with _available(self._folder):
            try:
                yield path
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
                raise ObjectMissing(name) from error


def _tell(error: OSError) -> None:
    """A folder that cannot be read must not pass for an empty one; one that is not there is."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _stream(source: BinaryIO, start: int, length: int | None) -> Iterator[bytes]:
    with source:
        source.seek(start)
        left = length
        while left is None or left > 0:
            chunk = source.read(_CHUNK if left is None else min(_CHUNK, left))
            if not chunk:
                return
            if left is not None:
                left -= len(chunk)
            yield chunk


@contextlib.contextmanager
def _available(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ObjectsUnavailable(f"objects in {folder}: {error}") from error


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
