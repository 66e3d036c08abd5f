"""The outbox: what a pipeline hands over is on disk before it is told so.

All SQLite work runs in one thread of its own, so the event loop never waits for a
disk; whatever is asked while that thread is busy goes into its next transaction, so
that many pipelines share one fsync (SQLite in WAL mode with synchronous FULL).
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from vigil_edge.delivery.outbox_file import OutboxDamaged, Reserve, put_aside
from vigil_edge.delivery.outbox_store import Limits, OutboxFull, Sendable, Store
from vigil_edge.delivery.outgoing import Outgoing
from vigil_edge.delivery.packing import prepare
from vigil_schemas.control import AnyReceipt
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import LaneDepth
from vigil_schemas.types import ClockQuality, Lane

__all__ = ["AGENT", "Limits", "Outbox", "OutboxDamaged", "OutboxFailed", "OutboxFull", "Sendable"]

AGENT: Final = "@agent"
"""Under this name the agent keeps state of its own; no device can be called so."""
_BATCH: Final = 500
_LOST: Final = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB}
)
"""After these nothing more is to be had from an open file: it is opened anew."""
_SHARES: Final = (10, 4, 2, 1)
"""What is given up at each try on a full disk, as a fraction; the later ones for alarms only."""
_T = TypeVar("_T")


class OutboxFailed(VigilError):
    """The disk refused; nothing of the call was kept."""

    code: ClassVar[str] = "outbox-failed"
    remedy: ClassVar[str] = "Free or replace the gateway's disk."


@dataclass(slots=True)
class _Request:
    work: Callable[[Store], Any]
    future: asyncio.Future[Any]
    urgent: bool = False
    """It brings an alarm."""


@dataclass(frozen=True, slots=True)
class _Figures:
    """What the loop may know of the store after a transaction."""

    epoch: str
    issued: dict[Lane, int]
    replaced: Path | None


class Outbox:
    """For one event loop. Made by ``Outbox.open``."""

    def __init__(
        self,
        opener: Callable[[], tuple[Store, Path | None]],
        store: Store,
        replaced: Path | None,
        reserve: Reserve,
    ) -> None:
        self.replaced = replaced
        """Where a damaged predecessor was put aside, if there was one."""
        self.on_replaced: Callable[[Path], None] = lambda _: None
        """Called on the loop where that happens while we run."""
        self.epoch = store.epoch
        self.issued: dict[Lane, int] = dict(store.issued)
        """Highest sequence per lane, as of the last transaction."""
        self.on_change: Callable[[], None] = lambda: None
        """Called on the loop after each transaction."""
        self._opener = opener
        self._reserve = reserve
        self._store = store
        self._aside = replaced
        self._session = store.session
        self._states = store.states()
        self._loop = asyncio.get_running_loop()
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
        self._thread.start()

    @classmethod
    async def open(
        cls,
        path: Path,
        gateway: str,
        limits: Limits,
        *,
        new_epoch: Callable[[], str],
        new_id: Callable[[], str],
        now_us: Callable[[], int],
    ) -> Outbox:
        """Open or make the file. A damaged one is put aside, for what is new must still be kept."""
        reserve = Reserve(path.with_name(f"{path.name}.reserve"))

        def store() -> Store:
            return Store(path, gateway, limits, new_epoch=new_epoch, new_id=new_id, now_us=now_us)

        def opened() -> tuple[Store, Path | None]:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return store(), None
            except OutboxDamaged:
                aside = put_aside(path)
                return store(), aside
            except sqlite3.OperationalError:
                if not reserve.release():  # a full disk has no room for the journal's index
                    raise
                return store(), None

        try:
            first, replaced = await asyncio.to_thread(opened)
        except (sqlite3.Error, OSError) as error:
            raise OutboxFailed(f"{path}: {error}; is its disk full or read-only?") from error
        return cls(opened, first, replaced, reserve)

    async def accept(
        self,
        device: str,
        outgoing: Sequence[Outgoing],
        state: Mapping[str, bytes] | None,
        quality: ClockQuality,
    ) -> None:
        """As ``Room.accept``. Raises ``OutboxFull``, ``OutboxFailed``, ``UnsendableFact``."""
        facts = tuple(outgoing)
        kept = dict(state or {})

        def work(store: Store) -> None:
            store.add([prepare(fact, quality) for fact in facts], device, kept)

        urgent = any(fact.lane is Lane.ALARM for fact in facts)
        asked = asyncio.ensure_future(self._ask(work, urgent))
        try:
            await asyncio.shield(asked)
        except asyncio.CancelledError:
            # Its successor must find the state as the disk has it: see the write through first.
            await asyncio.wait([asked])
            if not asked.exception():
                self._remember(device, kept)
            raise
        self._remember(device, kept)

    def _remember(self, device: str, kept: Mapping[str, bytes]) -> None:
        self._states.update({(device, key): value for key, value in kept.items()})

    def state(self, device: str, key: str) -> bytes | None:
        """As ``Room.state``."""
        return self._states.get((device, key))

    def kept(self, keys: Collection[str]) -> list[tuple[str, str]]:
        """Devices that keep something under one of these keys, and which."""
        return [(of, key) for (of, key), value in self._states.items() if key in keys and value]

    async def receipt(self, receipt: AnyReceipt) -> bool:
        """Let go of what the cloud has stored; false for a receipt that is not ours."""
        return await self._ask(lambda store: store.receipt(receipt))

    async def fetch(self, lane: Lane, after: int, limit: int) -> list[Sendable]:
        """Numbered messages above ``after``, in order."""
        return await self._ask(lambda store: store.fetch(lane, after, limit))

    async def next_session(self) -> int:
        """Goes on counting in memory where the disk is full: what lies on it can still be sent."""
        try:
            number = await self._ask(lambda store: store.next_session())
        except OutboxFailed:
            number = 0
        self._session = max(number, self._session + 1)
        return self._session

    async def depths(self) -> list[LaneDepth]:
        """What waits, by lane. Raises ``OutboxFailed``."""
        return await self._ask(lambda store: store.depths())

    async def close(self) -> None:
        """After everything asked so far is done."""
        self._closed = True
        self._requests.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _ask(self, work: Callable[[Store], _T], urgent: bool = False) -> _T:
        if self._closed:
            raise OutboxFailed("the outbox is closed")
        future: asyncio.Future[_T] = self._loop.create_future()
        self._requests.put(_Request(work, future, urgent))
        return await future

    # -- the thread --------------------------------------------------------------------------

    def _work(self) -> None:
        open_for_more = True
        while open_for_more:
            batch = [self._requests.get()]
            while len(batch) < _BATCH and not self._requests.empty():
                batch.append(self._requests.get())
            open_for_more = None not in batch
            requests = [request for request in batch if request is not None]
            if requests:
                results = self._transaction(requests)
                self._refill_reserve()
                self._loop.call_soon_threadsafe(self._deliver, requests, results, self._figures())
        self._store.close()

    def _refill_reserve(self) -> None:
        if not self._reserve.held:
            with contextlib.suppress(OSError):  # no room for it now: the next time, perhaps
                if self._reserve.hold():
                    self._store.bounds.loosen()

    def _figures(self) -> _Figures | None:
        store = self._store
        return None if store.stale else _Figures(store.epoch, dict(store.issued), self._aside)

    def _transaction(self, requests: list[_Request]) -> list[Any]:
        """One transaction for all; an exception in place of the result where one failed."""
        try:
            return self._attempt(requests)
        except Exception as error:  # noqa: BLE001 - the disk's thread outlives whatever happens, and the asker is told
            failure = error
        urgent = any(request.urgent for request in requests)
        for share in _SHARES if urgent else _SHARES[:1]:
            try:
                if not self._mended(failure, urgent, share):
                    break
                return self._attempt(requests)
            except Exception as error:  # noqa: BLE001 - the disk's thread outlives whatever happens, and the asker is told
                failure = error
        return [self._alone(request) for request in requests]

    def _mended(self, failure: Exception, urgent: bool, share: int) -> bool:
        """Whether there is hope in trying the same again."""
        reason = (getattr(failure, "sqlite_errorcode", None) or 0) & 0xFF
        if reason == sqlite3.SQLITE_FULL:
            self._relieve(urgent, share)
            return True
        if reason in _LOST or isinstance(failure, sqlite3.ProgrammingError):
            self._reopen()
            return True
        return False

    def _relieve(self, urgent: bool, share: int) -> None:
        """The disk is full although we are within our bound: use the reserve, give up a share,
        and take no more observations than lay here when that happened."""
        store = self._store
        self._reserve.release()
        store.rollback()
        store.checkpoint()
        store.begin()
        store.bounds.tighten(store.bytes, self._reserve.size)
        if store.waiting or not urgent:
            store.thin(store.waiting // share + 1, 0)
        else:  # an alarm is not refused for events
            store.give_up_events(store.numbered[Lane.EVENT] // share + 1, 0)
        store.commit()

    def _reopen(self) -> None:
        """A disk that went away and came back needs a new handle; a torn file, a successor."""
        self._store.close()
        self._store, aside = self._opener()
        if aside is not None:
            self._aside = aside
            self._store.begin()
            self._store.keep(dict(self._states))
            self._store.commit()

    def _attempt(self, requests: list[_Request]) -> list[Any]:
        results: list[Any] = []
        self._store.begin()
        for request in requests:
            try:
                with self._store.whole():
                    results.append(request.work(self._store))
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001 - the disk's thread outlives whatever happens, and the asker is told
                results.append(error)
        self._store.seal()
        self._store.commit()
        return results

    def _alone(self, request: _Request) -> Any:
        """Without its neighbours, and numbering nothing: a full disk can still be read."""
        try:
            self._store.rollback()
            self._store.begin()
            result = request.work(self._store)
            self._store.commit()
        except Exception as error:  # noqa: BLE001 - the disk's thread outlives whatever happens, and the asker is told
            with contextlib.suppress(sqlite3.Error):
                self._store.rollback()
            return _failed(error) if isinstance(error, sqlite3.Error) else error
        return result

    def _deliver(
        self, requests: list[_Request], results: list[Any], figures: _Figures | None
    ) -> None:
        if figures is not None:
            self.epoch, self.issued = figures.epoch, figures.issued
            if figures.replaced is not None and figures.replaced != self.replaced:
                self.replaced = figures.replaced
                self.on_replaced(figures.replaced)
        for request, result in zip(requests, results, strict=True):
            if request.future.done():  # its asker was cancelled meanwhile
                continue
            if isinstance(result, Exception):
                request.future.set_exception(result)
            else:
                request.future.set_result(result)
        self.on_change()


def _failed(error: Exception) -> OutboxFailed:
    return OutboxFailed(f"the outbox could not be written: {error}; check the disk")
