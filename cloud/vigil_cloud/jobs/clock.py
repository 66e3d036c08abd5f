"""Notices that the platform's clock was set, and moves along what is waited for.

The platform has one clock: the database server's, or with SQLite that of the machine, on which all
its processes are. A process compares it with one that nobody sets; at its start, with the latest
moment that any process has seen. Of several that notice a step the first moves what is stored, and
the latest moment with it: the others find nothing more to move. A machine whose own clock is wrong
moves nothing: nobody reads it, and the administrators are told.

A clock that is set forward while nothing runs cannot be told from time that went by.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.database import clock as stored
from vigil_cloud.database.engine import writing
from vigil_cloud.database.models import ClockMark
from vigil_cloud.database.server_clock import ServerClock, elapsed_s
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.jobs.port import machine
from vigil_cloud.notify import clock_steps
from vigil_cloud.services import Services

KIND: Final = "clock-stepped"
MACHINE: Final = "machine-clock"
BACK: Final = timedelta(seconds=5)
"""Clocks of several machines differ by less, and what waits so much longer is not late."""
BACK_AT_START: Final = timedelta(seconds=30)
"""At a start the mark may be another machine's, whose clock is a little ahead of this one's: a
restart moves nothing for that. Calls of fires do not wait for it (``smoke.decision.tick``)."""
FORWARD: Final = timedelta(seconds=60)
"""So far ahead nothing is lost: what waits is done early."""
KEPT_EVERY_S: Final = 10.0
FOLLOWED_WITHIN_S: Final = 3.0
"""By then every process follows the server's clock that was set back."""
MACHINE_WRONG: Final = timedelta(seconds=60)
MACHINE_RIGHT: Final = timedelta(seconds=30)
GONE_AFTER: Final = timedelta(hours=1)
READ_TRIES: Final = 5
TOGETHER_S: Final = 0.5
"""Two clocks that are read so far apart are read again."""
TOLD_FOR: Final = timedelta(days=1)
"""So long the alert stands, and nothing is removed for its age where the clock jumped ahead."""
_log = structlog.get_logger(__name__)


class ClockWatch:
    """One per process; ``look`` is called about once a second."""

    def __init__(
        self,
        services: Services,
        elapsed: Callable[[], float] = elapsed_s,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._services = services
        self._elapsed = elapsed
        self._pause = pause
        self._server = services.now if isinstance(services.now, ServerClock) else None
        self._seen: tuple[datetime, float] | None = None
        self._kept = 0.0

    def look(self) -> timedelta | None:
        """The step that was noticed and that nobody had moved along with. One that the store
        could not take is noticed again."""
        read = self._read()
        if read is None:
            return None
        wall, elapsed = read
        step = None
        if self._seen is None:
            self._follow(wall, elapsed)
            step = self._settle(wall, elapsed, None)
        else:
            before = self._seen[0] + timedelta(seconds=elapsed - self._seen[1])
            if not -BACK <= wall - before <= FORWARD:
                if wall < before:
                    self._follow_back(wall, elapsed)
                step = self._settle(wall, elapsed, wall - before)
            elif elapsed - self._kept >= KEPT_EVERY_S:
                self._keep()
                self._judge_machine()
            else:
                self._see(wall, elapsed)
                return None
        self._see(wall, elapsed)
        self._kept = elapsed
        return step

    def _see(self, wall: datetime, elapsed: float) -> None:
        self._seen = wall, elapsed
        self._follow(wall, elapsed)

    def _follow(self, wall: datetime, elapsed: float) -> None:
        if self._server is not None:
            self._server.follow(wall, elapsed)

    def _follow_back(self, wall: datetime, elapsed: float) -> None:
        """Before anything is moved back every process follows: one that still goes by the old
        clock would find everything due at once. Forward it is the other way round."""
        if self._server is not None:
            self._server.follow(wall, elapsed)
            self._pause(FOLLOWED_WITHIN_S)

    def _wall(self) -> datetime:
        return self._services.now() if self._server is None else self._server.read()

    def _read(self) -> tuple[datetime, float] | None:
        """Both clocks at one moment: a process that was held up between the two reads again.
        ``None`` where the server answers too slowly: the seconds are counted meanwhile."""
        for _ in range(READ_TRIES):
            begun, wall, elapsed = self._elapsed(), self._wall(), self._elapsed()
            if elapsed - begun < TOGETHER_S:
                return wall, elapsed
        return None

    def _settle(self, wall: datetime, elapsed: float, own: timedelta | None) -> timedelta | None:
        """``own``: the step that this process saw itself; ``None`` at its start."""
        with writing(self._services.sessions) as session:
            feed.lock(session)
            mark = session.get(ClockMark, 1, with_for_update=True)
            # While this one waited for its turn, others went on: their moments are no step.
            waited = timedelta(seconds=self._elapsed() - elapsed)
            wall = self._wall() if own is None else wall + waited
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
            mark.latest = max(mark.latest, self._wall())
            if over:
                mark.stepped = None

    def _judge_machine(self) -> None:
        """Nothing of the platform goes by this machine's own clock, but others do: certificates,
        signatures of web hooks and of the object store, the lines of its log."""
        if self._server is None:
            return
        ahead, now = self._server.machine_ahead, self._services.now()
        with self._services.sessions() as session:
            told = [str(alert.detail["subject"]) for alert in standing(session, MACHINE)]
            over = [name for name in told if name != machine() and _gone(session, name, now)]
        if abs(ahead) <= MACHINE_RIGHT and machine() in told:
            over.append(machine())
        wrong = abs(ahead) > MACHINE_WRONG and machine() not in told
        if not wrong and not over:
            return
        with writing(self._services.sessions) as session:
            feed.lock(session)
            for name in over:
                clear_platform(session, MACHINE, name, now=now)
            if wrong:
                _tell_machine(session, ahead, now)
        self._services.changed.announce()


def _tell_machine(session: Session, ahead: timedelta, now: datetime) -> None:
    side, side_zh = ("ahead", "快") if ahead > timedelta() else ("behind", "慢")
    span = str(abs(timedelta(seconds=round(ahead.total_seconds()))))
    raise_platform(
        session,
        MACHINE,
        machine(),
        severity="minor",
        title=f"The clock of {machine()} is {span} {side}",
        title_zh=f"伺服器 {machine()} 的時鐘{side_zh}了 {span}",
        now=now,
        detail={"clock_offset_s": ahead.total_seconds()},
    )


def _gone(session: Session, name: str, now: datetime) -> bool:
    """Whether that machine has done none of its own jobs (its disk) for long."""
    own = JobRow.name.endswith(f"@{name}", autoescape=True)
    latest = session.scalar(select(func.max(JobRow.finished)).where(own))
    return latest is None or now - latest > GONE_AFTER


def _unmoved(away: timedelta, own: timedelta | None) -> timedelta | None:
    """The step that nobody has moved along with yet; ``away``: from the latest moment that any
    process has seen. What this process saw is exact; at its start only ``away`` is known."""
    if own is None:
        return away if away < -BACK_AT_START else None
    if own < timedelta():
        return own if away < -BACK else None
    return own if away > FORWARD else None
