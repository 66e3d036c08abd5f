"""The one clock of a platform of several machines: that of its PostgreSQL server.

Processes of several machines write moments into one database and wait for each other's. By the
clock of its own machine, one that is hours wrong would write moments for which the others wait
hours, and would move everybody's once it is set right. So no process reads its machine's clock:
each asks the server, and between two answers counts the seconds by a clock that nobody sets. On
SQLite all processes share one machine, and with it its clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

_log = structlog.get_logger(__name__)


def elapsed_s() -> float:
    """Seconds of a clock that nobody sets; on Linux it goes on while the machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class ServerClock:
    """``services.now`` of a process on PostgreSQL. Thread-safe.

    It follows the server's clock only where ``follow`` is called (``jobs.clock.ClockWatch``, about
    once a second): whoever follows a step can move what is stored along with it.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        wall: Callable[[], datetime] = partial(datetime.now, UTC),
        elapsed: Callable[[], float] = elapsed_s,
    ) -> None:
        """``wall``: this machine's own clock, for as long as the server has not answered yet."""
        self._engine = engine
        self._wall = wall
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._asked = False
        self._at: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """The moment by the server's clock as it was last followed, aware."""
        if self._at is None:
            self._ask_once()
        at = self._at
        if at is None:
            return self._wall()
        return at[0] + timedelta(seconds=self._elapsed() - at[1])

    def read(self) -> datetime:
        """What the server's clock shows now. Raises an SQLAlchemy error where it is away."""
        with self._engine.connect() as connection:
            moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)

    def follow(self, moment: datetime, elapsed: float) -> None:
        """From now on: the server showed ``moment`` when ``elapsed`` seconds had gone by."""
        self._at = moment, elapsed

    @property
    def machine_ahead(self) -> timedelta:
        """By how much this machine's own clock is ahead of the server's; negative: behind."""
        return self._wall() - self()

    def _ask_once(self) -> None:
        """Before anybody follows it. A server that is away is asked by whoever follows: a caller
        must not wait for it each time it wants to know how late it is."""
        with self._lock:
            if self._asked:
                return
            try:
                begun = self._elapsed()
                moment = self.read()
                self.follow(moment, (begun + self._elapsed()) / 2)
            except SQLAlchemyError as error:
                _log.debug("server-clock-not-read", error=str(error)[:200])
            self._asked = True
