"""Notices that the clock of the server was set, and moves along what is waited for.

A process compares its wall clock with one that nobody sets; at its start, with the latest moment
that any process has seen. Of several that notice a step the first moves what is stored, and the
latest moment with it: the others find nothing more to move. A process whose machine's clock is
far behind that of the others says so each time it starts.

A clock that is set forward while nothing runs cannot be told from time that went by.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.database import clock as stored
from vigil_cloud.database.engine import writing
from vigil_cloud.database.models import ClockMark
from vigil_cloud.jobs.port import machine
from vigil_cloud.notify import clock_steps
from vigil_cloud.services import Services

KIND: Final = "clock-stepped"
BACK: Final = timedelta(seconds=5)
"""Clocks of several machines differ by less, and what waits so much longer is not late."""
BACK_AT_START: Final = timedelta(seconds=30)
"""At a start the mark may be another machine's, whose clock is a little ahead of this one's: a
restart moves nothing for that. Calls of fires do not wait for it (``smoke.decision.tick``)."""
FORWARD: Final = timedelta(seconds=60)
"""So far ahead nothing is lost: what waits is done early."""
KEPT_EVERY_S: Final = 10.0
TOGETHER_S: Final = 0.5
"""Two clocks that are read so far apart are read again."""
TOLD_FOR: Final = timedelta(days=1)
"""So long the alert stands, and nothing is removed for its age where the clock jumped ahead."""
_log = structlog.get_logger(__name__)


def elapsed_s() -> float:
    """Seconds of a clock that nobody sets; on Linux it goes on while the machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class ClockWatch:
    """One per process; ``look`` is called about once a second."""

    def __init__(self, services: Services, elapsed: Callable[[], float] = elapsed_s) -> None:
        self._services = services
        self._elapsed = elapsed
        self._seen: tuple[datetime, float] | None = None
        self._kept = 0.0

    def look(self) -> timedelta | None:
        """The step that was noticed and that nobody had moved along with. One that the store
        could not take is noticed again."""
        wall, elapsed = self._read()
        step = None
        if self._seen is None:
            step = self._settle(wall, elapsed, None)
        else:
            before = self._seen[0] + timedelta(seconds=elapsed - self._seen[1])
            if not -BACK <= wall - before <= FORWARD:
                step = self._settle(wall, elapsed, wall - before)
            elif elapsed - self._kept >= KEPT_EVERY_S:
                self._keep()
            else:
                self._seen = wall, elapsed
                return None
        self._seen, self._kept = (wall, elapsed), elapsed
        return step

    def _read(self) -> tuple[datetime, float]:
        """Both clocks at one moment: a process that was held up between the two reads again."""
        while True:
            begun, wall, elapsed = self._elapsed(), self._services.now(), self._elapsed()
            if elapsed - begun < TOGETHER_S:
                return wall, elapsed

    def _settle(self, wall: datetime, elapsed: float, own: timedelta | None) -> timedelta | None:
        """``own``: the step that this process saw itself; ``None`` at its start."""
        with writing(self._services.sessions) as session:
            feed.lock(session)
            mark = session.get(ClockMark, 1, with_for_update=True)
            # While this one waited for its turn, others went on: their moments are no step.
            waited = timedelta(seconds=self._elapsed() - elapsed)
            wall = self._services.now() if own is None else wall + waited
            if mark is None:
                session.add(ClockMark(id=1, latest=wall))
                return None
            step = _unmoved(wall - mark.latest, own)
            mark.latest = wall
            if step is None:
                return None  # another process was here first, or it went by while nothing ran
            mark.stepped, mark.step_s = wall, step.total_seconds()
            self._move(session, step, wall)
        self._services.changed.announce()
        return step

    def _move(self, session: Session, step: timedelta, wall: datetime) -> None:
        moments = stored.move(session, step, wall - step)
        clock_steps.move(session, step)
        _log.warning("clock-stepped", seconds=step.total_seconds(), moments=moments)
        back = step < timedelta()
        span = str(abs(timedelta(seconds=round(step.total_seconds()))))
        raise_platform(
            session,
            KIND,
            machine(),
            severity="major",
            title=f"The server's clock was set {'back' if back else 'forward'} by {span}",
            title_zh=f"伺服器時鐘被{'調回' if back else '調快'} {span}",
            now=wall,
            again=f"by {step.total_seconds():.0f} s at {wall.isoformat(timespec='seconds')}"[:40],
            detail={"clock_offset_s": step.total_seconds()},
        )

    def _keep(self) -> None:
        with self._services.sessions() as session:
            stepped = session.scalar(select(ClockMark.stepped))
        over = stepped is not None and self._services.now() - stepped >= TOLD_FOR
        with writing(self._services.sessions) as session:
            if over:  # whichever machine noticed it: that one may be gone
                feed.lock(session)
                for alert in standing(session, KIND):
                    subject = str(alert.detail["subject"])
                    clear_platform(session, KIND, subject, now=self._services.now())
            mark = session.get(ClockMark, 1, with_for_update=True)
            if mark is None:
                return
            # Read under the lock: by now the clock may have been set, and another have noticed.
            mark.latest = max(mark.latest, self._services.now())
            if over:
                mark.stepped = None


def _unmoved(away: timedelta, own: timedelta | None) -> timedelta | None:
    """The step that nobody has moved along with yet; ``away``: from the latest moment that any
    process has seen. What this process saw is exact; at its start only ``away`` is known."""
    if own is None:
        return away if away < -BACK_AT_START else None
    if own < timedelta():
        return own if away < -BACK else None
    return own if away > FORWARD else None


def jumped_ahead(session: Session) -> bool:
    """Whether the clock was set forward lately: then nothing is as old as it seems."""
    mark = session.get(ClockMark, 1)
    return mark is not None and mark.stepped is not None and mark.step_s > 0
