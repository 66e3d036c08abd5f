"""Who asks for the detector's work: the job that looks which probes have readings that nobody has
judged, and ingest where readings come after their minute was judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, not_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import NewestReadings
from vigil_cloud.domain.port import Folded, Readings, Together
from vigil_cloud.jobs.models import WorkRow
from vigil_cloud.jobs.port import Job, Turn
from vigil_cloud.jobs.work import ATTEMPTS, LATER, enqueue_all
from vigil_cloud.water.detecting import ANEW_EVERY, GRACE_US, WATER_DETECTION, fresh
from vigil_cloud.water.minutes import WINDOW_US
from vigil_cloud.water.models import DetectorState
from vigil_schemas.senml import instant, microseconds
from vigil_schemas.water import DOMAIN

TOGETHER: Final = 50
"""Probes of one turn: what the detector costs is bounded. Of more than three turns a minute carry
each is judged less often, with more minutes at once."""
BEHIND: Final = timedelta(minutes=10)
"""What waits for longer is told."""
SETTLES: Final = timedelta(seconds=20)
"""Late readings wait for more of the same probe: of a gateway that comes back with a night's
readings each message would else be a piece of work of its own."""
_SUBJECT: Final = "water-detection"


def follow(turn: Turn) -> None:
    """Ask for work where there is something to judge."""
    now_us = microseconds(turn.now)
    with turn.services.sessions() as session:
        devices = session.scalars(_due(now_us).limit(TOGETHER)).all()
        waits = _waits(session, turn.now)
    if devices:
        with writing(turn.services.sessions) as session:
            gone = not_(exists().where(NewestReadings.device == DetectorState.device))
            session.execute(
                delete(DetectorState).where(gone).execution_options(synchronize_session=False)
            )
            asked = {device: {"device": device} for device in devices}
            enqueue_all(session, WATER_DETECTION, asked, now=turn.now, priority=LATER)
            insert_missing(session, DetectorState, [fresh(device) for device in devices])
            session.execute(
                update(DetectorState)
                .where(DetectorState.device.in_(devices))
                .values(asked_us=now_us)
                .execution_options(synchronize_session=False)
            )
    with writing(turn.services.sessions) as session:
        _tell(session, waits, turn.now)


def waiting(session: Session, now: datetime) -> bool:
    """Whether there is anything to ask for."""
    return session.scalar(_due(microseconds(now)).limit(1)) is not None


def _due(now_us: int) -> Select[str]:
    """Probes with whole minutes that nobody has judged, asked for no later than a minute ago; and
    those with late readings whose turn it is."""
    over_us = now_us - GRACE_US
    until = func.coalesce(DetectorState.until_us, 0)
    newest = NewestReadings.newest_us
    whole: ColumnElement[bool] = or_(newest <= now_us - WINDOW_US, newest >= until + WINDOW_US)
    new = and_(newest >= until, until + WINDOW_US <= over_us, whole)
    rested = instant(now_us) - ANEW_EVERY
    late = and_(
        DetectorState.late_from_us > 0,
        or_(DetectorState.rejudged_at.is_(None), DetectorState.rejudged_at <= rested),
    )
    asked = func.coalesce(DetectorState.asked_us, 0)
    return (
        select(NewestReadings.device)
        .outerjoin(DetectorState, DetectorState.device == NewestReadings.device)
        .where(
            NewestReadings.domain == DOMAIN,
            or_(new, late),
            # Asked for in the future: the clock was set back since, and nobody waits for it.
            or_(asked <= now_us - WINDOW_US, asked > now_us),
        )
        .order_by(asked, NewestReadings.device)
    )


def _waits(session: Session, now: datetime) -> timedelta:
    """For how long the longest waiting probe has waited: for being asked for, since it was last,
    or in the queue of work."""
    now_us = microseconds(now)
    asked_us = session.scalar(
        select(func.min(DetectorState.asked_us)).where(
            DetectorState.asked_us.between(1, now_us), DetectorState.device.in_(_due(now_us))
        )
    )
    queued = session.scalar(
        select(func.min(WorkRow.queued)).where(
            WorkRow.kind == WATER_DETECTION.name,
            WorkRow.attempts < ATTEMPTS,
            WorkRow.leased_until.is_(None),
        )
    )
    unasked = timedelta() if asked_us is None else now - instant(asked_us)
    return max(unasked, timedelta() if queued is None else now - queued)


def _tell(session: Session, waits: timedelta, now: datetime) -> None:
    """Maintainers hear that events of the water are found late; it ends by itself."""
    if waits <= BEHIND:
        clear_platform(session, "detector-behind", _SUBJECT, now=now)
        return
    minutes = round(waits.total_seconds() / 60)
    raise_platform(
        session,
        "detector-behind",
        _SUBJECT,
        severity="major",
        title=f"The detector of the water is {minutes} minutes behind",
        title_zh=f"水質偵測落後 {minutes} 分鐘",
        detail={
            "code": "detector-behind",
            "explanation": f"readings of a probe have waited for {minutes} minutes",
        },
        now=now,
    )


class LateReadings:
    """Follows readings that come after their minute may have been judged: late, out of order, or
    from a second gateway. Ingest asks for work and writes nothing of the detector's; whether they
    were late, the work finds out. See ``domain.port.ReadingHandler`` for what is promised."""

    name: Final = "water-late-readings"
    domains: Final = frozenset({DOMAIN})

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:  # noqa: ARG002  # what was judged, the detector's row says
        """No state of its own. Readings of the minute that is not over yet are never late."""
        first_us, last_us = readings.points[0].time_us, readings.points[-1].time_us
        if readings.missed_since is not None:
            first_us = min(first_us, microseconds(readings.missed_since))
        if first_us >= (microseconds(self._now()) - GRACE_US) // WINDOW_US * WINDOW_US:
            return None
        payload = {"device": readings.device, "late_from_us": first_us, "late_until_us": last_us}
        return Folded(None, together=Together(self._ask, payload))

    def _ask(self, session: Session, payloads: Sequence[Mapping[str, Any]]) -> None:
        enqueue_all(
            session,
            WATER_DETECTION,
            {payload["device"]: payload for payload in payloads},
            now=self._now(),
            priority=LATER,
            settle=SETTLES,
        )


FOLLOW: Final = Job("water-detection-followed", timedelta(seconds=20), follow, waiting=waiting)
