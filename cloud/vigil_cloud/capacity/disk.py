"""How much room the disk under ``data_dir`` has, and who may still write on it.

Readings and evidence stop first, then events; what is left is for alarms. Others may fill the
disk as well (logs, another service), so that a reserve is laid by in a file besides.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from vigil_cloud.capacity.limits import DiskLimits
from vigil_schemas.errors import VigilError

_LOOKED_FOR_S: Final = 0.2
_AGAIN: Final = 3
"""Once given up, the reserve is held again when so many times its size are free above
everything that the limits keep."""


class NoSpace(VigilError):
    """The disk's last room is kept for what is more urgent; the same call may succeed later."""

    code: ClassVar[str] = "no-room"
    remedy: ClassVar[str] = "Free the disk or enlarge it; what waits comes by itself."

    def __init__(self, folder: Path, free: int, total: int) -> None:
        super().__init__(
            f"{free // 1024} KiB of {total // 1024} KiB are free under {folder}: kept for alarms"
        )
        self.folder = folder
        self.free = free
        self.total = total


class Level(IntEnum):
    """How far the disk is filled; each allows what the lower ones do as well."""

    FULL = 0
    ALARMS = 1
    EVENTS = 2
    LOW = 3
    OK = 4


class FreeSpace(NamedTuple):
    """Bytes, and what they mean."""

    total: int
    free: int
    level: Level


class Usage(NamedTuple):
    """As ``shutil.disk_usage`` gives it."""

    total: int
    used: int
    free: int


def _usage(folder: Path) -> Usage:
    return Usage(*shutil.disk_usage(folder))


def free_space(limits: DiskLimits, usage: Usage) -> FreeSpace:
    """Pure: what so much free space allows."""
    total, free = usage.total, usage.free
    readings = min(limits.readings_bytes, int(total * limits.readings_share))
    low = max(readings, min(limits.low_bytes, int(total * limits.low_share)))
    for level, least in (
        (Level.OK, low),
        (Level.LOW, readings),
        (Level.EVENTS, readings // 2),
        (Level.ALARMS, readings // 8),
    ):
        if free >= least:
            return FreeSpace(total, free, level)
    return FreeSpace(total, free, Level.FULL)


class Disk:
    """The disk under one folder. May be asked from any thread, as often as one likes."""

    def __init__(
        self,
        folder: Path,
        limits: DiskLimits,
        *,
        usage: Callable[[Path], Usage] = _usage,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._usage = usage
        self._monotonic = monotonic
        self._reserve = folder / "reserve"
        self._lock = threading.Lock()
        self._looked = -_LOOKED_FOR_S
        self._last: FreeSpace | None = None

    def free_space(self) -> FreeSpace:
        """As of at most a fifth of a second ago."""
        with self._lock:
            now = self._monotonic()
            if self._last is None or not 0 <= now - self._looked < _LOOKED_FOR_S:
                self._last, self._looked = free_space(self._limits, self._usage(self._there())), now
            return self._last

    def require(self, level: Level, more: int = 0) -> None:
        """Raises ``NoSpace`` where the disk is filled further, or ``more`` bytes would fill it."""
        found = self.free_space()
        if more:
            found = free_space(self._limits, Usage(found.total, 0, found.free - more))
        if found.level < level:
            raise NoSpace(self._folder, found.free, found.total)

    def check(self) -> None:
        """For ``/readyz``. Raises ``NoSpace`` where not even alarms have room for long."""
        self.require(Level.ALARMS)

    def hold_reserve(self) -> bool:
        """Hold the reserve; ``False`` where there is not room enough for it now."""
        if self._reserve.exists():
            return True
        found = self._usage(self._there())
        size = min(self._limits.reserve_bytes, int(found.total * self._limits.reserve_share))
        kept = free_space(self._limits, found._replace(free=found.free - _AGAIN * size))
        if size == 0 or kept.level < Level.LOW:
            return False
        arriving = self._reserve.with_suffix(".arriving")
        try:
            with arriving.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
            arriving.replace(self._reserve)
        except OSError:
            with contextlib.suppress(OSError):
                arriving.unlink(missing_ok=True)
            return False
        return True

    def release_reserve(self) -> bool:
        """Give its room to whoever needs it now; ``False`` where there was none."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def _there(self) -> Path:
        folder = self._folder.absolute()
        while not folder.exists():
            folder = folder.parent
        return folder
