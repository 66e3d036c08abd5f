"""Files beside the stores: which of the data folder belong to the city, and the way back.

Only what a domain or a setting names is copied and put back. A folder holds more: databases, which
are copied as tables and readings, room laid by for alarms, and whatever an operator left there. An
earlier backup under any name would bring back people who were erased.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vigil_cloud.backup.archive import Reader
from vigil_cloud.backup.errors import BackupDamaged, RestoreNotEmpty
from vigil_cloud.config import Settings
from vigil_cloud.domain.registry import domains

FILES: Final = "files"
_CHUNK: Final = 1024 * 1024
_OF_SETTINGS: Final = (
    *("broker_ca_file", "broker_certificate_file", "timestamp_ca_file", "vehicle_register_file"),
)
"""Settings that name a file which is no secret."""
_RESERVE: Final = "reserve"
"""Room for alarms (``capacity.disk``)."""
_ENDINGS: Final = (
    *(".sqlite3", ".sqlite3-wal", ".sqlite3-shm", ".sqlite3-journal"),
    *(".log", ".part", ".zip", ".arriving"),
)


def _named(settings: Settings) -> set[str]:
    """The city's files in the data folder, whether they are there or not."""
    folder = settings.data_dir
    named = {name for domain in domains() for name in domain.files}
    for setting in _OF_SETTINGS:
        path: Path | None = getattr(settings, setting)
        if path is not None and path.absolute().parent == folder.absolute():
            named.add(path.name)
    return named


def kept(settings: Settings) -> dict[str, Path]:
    """What a backup holds, by name."""
    paths = {name: settings.data_dir / name for name in sorted(_named(settings))}
    return {name: path for name, path in paths.items() if path.is_file()}


def left_out(settings: Settings) -> list[str]:
    """What lies there and is neither copied nor the services' own."""
    if not settings.data_dir.is_dir():
        return []
    copied = kept(settings)
    return sorted(
        path.name
        for path in settings.data_dir.iterdir()
        if path.is_file() and path.name not in copied and not _is_the_services(path.name)
    )


def chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes, in pieces."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def require_same(settings: Settings, reader: Reader) -> None:
    """Nothing of another city is written over. Raises ``BackupDamaged``, ``RestoreNotEmpty``."""
    for name in _wanted(settings, reader):
        path = settings.data_dir / name
        if not path.is_symlink() and not path.exists():
            continue
        if path.is_symlink() or not path.is_file() or _differs(path, reader, name):
            raise RestoreNotEmpty(f"{path} is there and is not the backup's: move it away")


def put(settings: Settings, reader: Reader, workplace: Path) -> list[str]:
    """Each whole or not at all; what was left out. Raises ``BackupDamaged``, ``OSError``."""
    wanted = _wanted(settings, reader)
    for name in wanted:
        path = settings.data_dir / name
        if path.exists():  # the same, as was required
            continue
        part = workplace / name
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(reader.chunks(f"{FILES}/{name}"))
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    return sorted(set(reader.names(FILES)) - set(wanted))


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Where a restore makes its files, by itself, and where nothing of a killed one stays.

    Raises ``RestoreNotEmpty`` while another restore fills the same folder, and ``OSError``.
    """
    place = folder / "restoring"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        number = _locked(place)
    except (BlockingIOError, FileNotFoundError) as error:
        raise RestoreNotEmpty(f"another restore fills {folder}") from error
    try:
        for left in place.iterdir():
            left.unlink()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
    finally:
        os.close(number)


def _locked(place: Path) -> int:
    """The folder, held by this process alone. Raises ``BlockingIOError`` where another holds it,
    or has just ended and taken it away: a third may have made and locked the next of its name."""
    number = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(number), place.lstat()):
            raise BlockingIOError(f"{place} is another folder by now")
    except BaseException:
        os.close(number)
        raise
    return number


def _wanted(settings: Settings, reader: Reader) -> list[str]:
    """Names of a backup's files that are put back: earlier versions copied every file."""
    names, named = reader.names(FILES), _named(settings)
    for name in names:
        if Path(name).name != name:
            raise BackupDamaged(f"{FILES}/{name}: a name that leaves its folder")
    return [name for name in names if name in named]


def _is_the_services(name: str) -> bool:
    return name == _RESERVE or name.endswith(_ENDINGS)


def _differs(path: Path, reader: Reader, name: str) -> bool:
    digest = hashlib.sha256()
    for chunk in chunks(path):
        digest.update(chunk)
    (member,) = (one for one in reader.manifest.members if one.name == f"{FILES}/{name}")
    return digest.hexdigest() != member.sha256
