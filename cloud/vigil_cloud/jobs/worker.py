"""Does queued work: computed in a process of its own at low priority."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from vigil_cloud.jobs import work
from vigil_cloud.jobs.port import LeaseLost
from vigil_cloud.jobs.work import Piece, WorkKind
from vigil_cloud.services import Services

LOOK_EVERY_S: Final = 1.0
IDLE_S: Final = 60.0
"""The computing process ends when there was nothing to do for so long."""
STOP_S: Final = 5.0
NICE: Final = 10
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """One piece under way."""

    kind: WorkKind
    piece: Piece
    computing: Future[Any]


class Worker:
    """One per process that does heavy work; any number of processes share the queue."""

    def __init__(
        self, services: Services, kinds: Sequence[WorkKind], holder: str, *, processes: int = 1
    ) -> None:
        """``processes``: that many pieces are computed at once, each in a process of its own; 0:
        here, where nobody waits for this one."""
        self._processes = processes
        self.kinds = {kind.name: kind for kind in kinds}
        self.holder = holder
        self._services = services
        self._stopping = threading.Event()
        self._pool: ProcessPoolExecutor | None = None
        self._used = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        """Start the thread that takes pieces of work."""
        self._thread.start()

    def stop(self) -> None:
        """What is under way is begun again by another."""
        self._stopping.set()
        self._end_pool()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def do_one(self) -> bool:
        """Do the most urgent piece; ``False`` where nothing is due."""
        begun = self.begin()
        for one in begun:
            self.end(one)
        return bool(begun)

    def begin(self, most: int = 1) -> list[Begun]:
        """Take the most urgent pieces and have them computed, as many at once as there are
        processes; none where nothing is due. Whoever begins them ends them, before their leases
        do."""
        sessions, now = self._services.sessions, self._services.now()
        return [
            self._begun(piece) for piece in work.take(sessions, self.kinds, self.holder, now, most)
        ]

    def _begun(self, piece: Piece) -> Begun:
        kind = self.kinds[piece.kind]
        try:
            return Begun(kind, piece, self._start_computing(kind, piece))
        except Exception as error:  # noqa: BLE001 - written down as its outcome where it ends
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return Begun(kind, piece, failed)

    def end(self, begun: Begun) -> None:
        """Wait for what comes out, and store it."""
        sessions, kind, piece = self._services.sessions, begun.kind, begun.piece
        outcome = "done"
        try:
            result = self._computed(begun)
            work.finish(sessions, kind, piece, result, self._services.now())
            self._services.changed.announce()
        except LeaseLost:
            outcome = "lost"
        except SQLAlchemyError:  # away: the piece is begun again after its lease
            outcome = "failed"
            raise
        except Exception as error:  # noqa: BLE001 - what a piece of work raises is written down as its outcome
            if self._stopping.is_set():  # its process was ended under it: that is no failure
                outcome = "stopped"
                work.release(sessions, piece, self._services.now())
                return
            outcome = "failed"
            _log.warning("work-failed", kind=piece.kind, key=piece.key, exc_info=error)
            told = f"{type(error).__name__}: {error}"
            work.fail(sessions, piece, told, self._services.now())
        finally:
            self._services.metrics.work_done.labels(piece.kind, outcome).inc()

    def _start_computing(self, kind: WorkKind, piece: Piece) -> Future[Any]:
        loaded = kind.load(self._services, piece.payload)
        if not self._processes:
            done: Future[Any] = Future()
            done.set_result(kind.compute(loaded))
            return done
        self._used = time.monotonic()
        if self._pool is None:
            # Started anew, not forked: a fork of many threads may hang on a lock of one of them.
            self._pool = ProcessPoolExecutor(
                self._processes, multiprocessing.get_context("spawn"), os.nice, (NICE,)
            )
        pool = self._pool
        try:
            computing = pool.submit(kind.compute, loaded)
        except BrokenProcessPool:
            self._end_pool()
            raise
        if self._stopping.is_set():  # ``stop`` came before there was a process to end
            _kill(pool)
        return computing

    def _computed(self, begun: Begun) -> Any:
        try:
            return begun.computing.result(begun.kind.longest.total_seconds())
        except (TimeoutError, BrokenProcessPool):
            self._end_pool()
            raise
        finally:
            self._used = time.monotonic()

    def _end_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            _kill(pool)
            pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            found = False
            try:
                found = self.do_one()
            except SQLAlchemyError as error:
                _log.debug("work-not-looked-at", error=str(error)[:200])
            except Exception:  # noqa: BLE001 - one bad row must not end the others
                _log.exception("work-not-looked-at")
            if not found:
                if self._pool is not None and time.monotonic() - self._used > IDLE_S:
                    self._end_pool()
                self._stopping.wait(LOOK_EVERY_S)


def _kill(pool: ProcessPoolExecutor) -> None:
    """Its processes compute for nobody any more."""
    for process in list((pool._processes or {}).values()):
        process.kill()
