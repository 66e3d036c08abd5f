"""What every room of the cloud is given: settings, stores, a clock, a wake-up, the metrics."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.capacity.disk import Disk
from vigil_cloud.capacity.limits import DiskLimits
from vigil_cloud.config import Settings
from vigil_cloud.metrics import Metrics
from vigil_cloud.objects.port import Objects
from vigil_cloud.timeseries.port import TimeSeries


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


class Listener:
    """One coroutine's ear on a ``Broadcast``."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Announce something to whoever waits."""
        self._event.set()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Whether something was announced since the last call returned ``True``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Broadcast:
    """A thread-safe wake-up without content: whoever hears it reads the database for news.

    Ingest announces after each commit; server-sent events and notifiers wait. Other
    processes are not reached, so listeners also look by themselves every few seconds.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._version = 0
        self._listeners: set[Listener] = set()

    @property
    def version(self) -> int:
        """How often something was announced."""
        return self._version

    def announce(self) -> None:
        """Wake everybody. May be called from any thread."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener.loop.call_soon_threadsafe(listener.wake)
            except RuntimeError:  # its loop was closed before it stopped listening
                with self._changed:
                    self._listeners.discard(listener)

    def wait(self, seen: int, timeout_s: float | None = None) -> int:
        """Block a thread until the version differs from ``seen``; returns the version."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, timeout_s)
            return self._version

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """For a coroutine: ``with changed.listen() as ear: await ear.wait(5)``."""
        listener = Listener()
        with self._changed:
            self._listeners.add(listener)
        try:
            yield listener
        finally:
            with self._changed:
                self._listeners.discard(listener)


@dataclass(frozen=True, slots=True)
class Services:
    """Built once by the command line (or a test) and handed down."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    timeseries: TimeSeries
    objects: Objects
    now: Callable[[], datetime] = utc_now
    changed: Broadcast = field(default_factory=Broadcast)
    metrics: Metrics = field(default_factory=Metrics)
    disk: Disk = field(default_factory=lambda: Disk(Path(), DiskLimits()))
    readiness: dict[str, Callable[[], None]] = field(default_factory=dict)
    """Further checks of ``/readyz`` by name; each raises where its part is not ready."""

    def close(self) -> None:
        """Release connections."""
        self.timeseries.close()
        self.engine.dispose()
