"""The file of a backup: a zip whose last member, ``manifest.json``, names each of the others with
its size and SHA-256. A file that was cut off has no manifest, one that was changed a wrong digest.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vigil_cloud.backup.errors import BackupDamaged, BackupExists, BackupNewer

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_CHUNK: Final = 1024 * 1024
_MANIFEST_BYTES: Final = 256 * 1024 * 1024
_LINE_BYTES: Final = 64 * 1024 * 1024
"""No row and no batch of readings is longer: a file that was made to fill the memory is refused."""
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, OverflowError),
    RuntimeError,
)
"""What reading a zip with changed bytes raises: a flipped bit says "encrypted" (``RuntimeError``)
or names a way of packing that nobody knows (``NotImplementedError``)."""


class Member(BaseModel):
    """One file of the backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: Annotated[int, Field(ge=0)]
    sha256: str


class Manifest(BaseModel):
    """What the backup holds, and of when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    made: str
    """When its reading of the tables began, UTC."""
    version: str
    """Of the program that made it."""
    revision: str
    """Of the tables."""
    rows: dict[str, int]
    """By table."""
    readings: int
    objects: int
    missing_objects: list[str] = []
    """Removed by their retention while the copy was made."""
    members: list[Member] = []


class Writer:
    """Members in the order in which they come; ``close`` writes the manifest."""

    def __init__(self, file: zipfile.ZipFile, room: Callable[[], None]) -> None:
        self._file, self._room = file, room
        self._members: list[Member] = []

    def add(self, name: str, chunks: Iterable[bytes], *, packed: bool = True) -> int:
        """One member, of any length; how many chunks it had. What is packed already (``packed``
        false) is stored as it is."""
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.external_attr = 0o600 << 16
        digest, size, count = hashlib.sha256(), 0, 0
        with self._file.open(info, "w", force_zip64=True) as sink:
            for chunk in chunks:
                self._room()
                sink.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                count += 1
        self._members.append(Member(name=name, size=size, sha256=digest.hexdigest()))
        return count

    def finish(self, manifest: Manifest) -> Manifest:
        """Write the manifest; nothing may follow."""
        whole = manifest.model_copy(update={"members": self._members})
        self._file.writestr(MANIFEST, whole.model_dump_json(indent=1))
        return whole


@contextmanager
def create(path: Path, room: Callable[[], None] = lambda: None) -> Iterator[Writer]:
    """A new backup, readable by its owner alone, which has its name only once it is whole and on
    the disk. ``room`` is called before each write and raises where there is none left. Raises
    ``BackupExists``, ``OSError``."""
    if path.exists() or path.is_symlink():
        raise BackupExists(f"{path} exists")
    growing = path.with_name(f"{path.name}.part")
    number = _grow(growing)
    with os.fdopen(number, "r+b") as raw:
        try:
            fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupExists(f"{growing} is being written by another process") from error
        try:
            raw.truncate()  # what an interrupted backup has left
            with zipfile.ZipFile(raw, "w", compresslevel=1) as file:
                yield Writer(file, room)
            raw.flush()
            os.fsync(raw.fileno())
            _name(growing, path)
        finally:
            growing.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _grow(growing: Path) -> int:
    """The file that is written, ours alone: in a folder where others write as well it could be
    their symlink or hard link to another file, or a file that they may read. Raises
    ``BackupExists``, ``OSError``."""
    taken = f"{growing} is there and is no file of ours: remove it, or name another backup"
    try:
        number = os.open(growing, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise BackupExists(taken) from error
        raise
    found = os.fstat(number)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
        os.close(number)
        raise BackupExists(taken)
    if stat.S_IMODE(found.st_mode) & 0o077:
        with contextlib.suppress(OSError):  # a file system without owners (FAT)
            os.fchmod(number, 0o600)
    return number


def _name(growing: Path, path: Path) -> None:
    """Give the whole file its name. Raises ``BackupExists`` where another has come meanwhile."""
    try:
        os.link(growing, path)
    except FileExistsError as error:
        raise BackupExists(f"{path} exists") from error
    except OSError as error:
        # USB sticks (FAT) and some network drives have no links.
        if path.exists():
            raise BackupExists(f"{path} exists") from error
        growing.rename(path)


class Reader:
    """A backup that is read; its members only after ``verify``."""

    def __init__(self, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self._file = file
        self.manifest = manifest

    def verify(self) -> None:
        """Every member is there, with its size and digest, and no other.

        Raises ``BackupDamaged``, which names the first that is not.
        """
        wanted = {member.name: member for member in self.manifest.members}
        there = [info.filename for info in self._file.infolist()]
        if sorted(there) != sorted([*wanted, MANIFEST]):
            odd = sorted(set(there) ^ {*wanted, MANIFEST}) or ["a name twice"]
            raise BackupDamaged(f"members that do not fit the manifest: {', '.join(odd[:5])}")
        for member in self.manifest.members:
            digest, size = hashlib.sha256(), 0
            for chunk in self.chunks(member.name):
                digest.update(chunk)
                size += len(chunk)
            if (size, digest.hexdigest()) != (member.size, member.sha256):
                raise BackupDamaged(f"{member.name} is not as it was written")

    def chunks(self, name: str) -> Iterator[bytes]:
        """A member's bytes, in pieces. Raises ``BackupDamaged``."""
        with self._opened(name) as source:
            while chunk := source.read(_CHUNK):
                yield chunk

    def lines(self, name: str) -> Iterator[Any]:
        """A member of one JSON value a line. Raises ``BackupDamaged``."""
        with self._opened(name) as source:
            while line := source.readline(_LINE_BYTES):
                yield json.loads(line)

    def names(self, folder: str) -> list[str]:
        """Members whose names begin with ``folder/``, without that."""
        return [
            member.name.removeprefix(f"{folder}/")
            for member in self.manifest.members
            if member.name.startswith(f"{folder}/")
        ]

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        with _reading(name), self._file.open(name) as source:
            yield source


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Whatever a damaged file makes zip's reader raise is ``BackupDamaged``."""
    try:
        yield
    except _DAMAGE as error:
        raise BackupDamaged(f"{name}: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # the disk's own refusals are none of the file
            raise
        raise BackupDamaged(f"{name}: it names places outside of the file") from error


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """Raises ``BackupDamaged`` for what is none, ``BackupNewer``, ``OSError``."""
    with _reading(f"{path} is no whole backup"):
        file = zipfile.ZipFile(path)
    with file:
        with _reading(f"{path} is no whole backup"):
            for info in file.infolist():
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise BackupDamaged(f"{path}: {info.filename} is packed as none of a backup is")
            if file.getinfo(MANIFEST).file_size > _MANIFEST_BYTES:
                raise BackupDamaged(f"{path}: the manifest is too large")
            content = file.read(MANIFEST)
        yield Reader(file, _manifest(path, content))


def _manifest(path: Path, content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(content)
            written = found.get("format") if isinstance(found, dict) else None
            if isinstance(written, int) and written > FORMAT:
                made_by = str(found.get("version"))[:40]
                raise BackupNewer(
                    f"made by version {made_by} in form {written}, this version reads {FORMAT}"
                ) from error
        raise BackupDamaged(f"{path}: a manifest that cannot be read") from error
