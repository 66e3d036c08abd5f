"""What the programme does by itself each day: reminders of the monthly test, and what is forgotten.

An alarm that nobody tests is one of which nobody knows whether it rings. Residents of a home whose
alarms a gateway hears are told, by an alert for the home alone that ends with the test.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.jobs.port import Job, in_transaction
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.programme import home_rows, personal
from vigil_cloud.smoke.programme.progress import OVER
from vigil_cloud.smoke.programme_models import ProgrammeHome
from vigil_schemas.smoke import DOMAIN

KIND: Final = "test_due"
EVERY: Final = timedelta(hours=1)
TESTED_EVERY: Final = timedelta(days=30)
AT_ONCE: Final = 50
"""Homes of one look: everybody who changes an alert waits for it."""


def programme_job() -> Job:
    """Each hour, of one process."""
    return Job("programme", EVERY, in_transaction(look))


def look(session: Session, now: datetime) -> bool:
    """One round. Whether anything changed."""
    forgotten = personal.forget_keys(session, now)
    rows = session.scalars(
        select(ProgrammeHome).where(_may_be_due(now)).order_by(ProgrammeHome.id).limit(AT_ONCE)
    ).all()
    ended = _end_tested(session, now)
    if not rows:
        return forgotten or ended
    feed.lock(session)
    for row in rows:
        _remind(session, row, now)
        row.test_reminded = now
    return True


def _may_be_due(now: datetime) -> ColumnElement[bool]:
    reminded = ProgrammeHome.test_reminded
    return and_(
        ProgrammeHome.phase.not_in(OVER),
        ProgrammeHome.due.is_not(None),  # alarms hang there, also while a further round waits
        ProgrammeHome.household.is_not(None),
        or_(reminded.is_(None), reminded <= now - TESTED_EVERY),
    )


def _remind(session: Session, row: ProgrammeHome, now: datetime) -> None:
    for one in home_rows.STATE.validate_python(row.state).hanging:
        if one.device is None:
            continue
        last = _tested(session, one.device)
        fitted_lately = home_rows.today(now) - one.fitted < TESTED_EVERY
        if fitted_lately or (last is not None and last > now - TESTED_EVERY):
            continue
        record(session, _due(session, one.device, now), now)


def _end_tested(session: Session, now: datetime) -> bool:
    """Reminders of alarms that were tested since."""
    query = select(AlertRow).where(
        AlertRow.domain == DOMAIN, AlertRow.kind == KIND, AlertRow.active
    )
    done = [
        row
        for row in session.scalars(query).all()
        if (last := _tested(session, row.device)) is not None and last >= row.raised
    ]
    if not done:
        return False
    feed.lock(session)
    for row in done:
        reference = row.key.split(":", 2)[2]
        record(session, _due(session, row.device, now, reference=reference, active=False), now)
    return True


def _tested(session: Session, device: str) -> datetime | None:
    query = select(func.max(AlarmCondition.heard)).where(
        AlarmCondition.device == device, AlarmCondition.condition == "test"
    )
    return session.scalar(query)


def _due(
    session: Session, device: str, now: datetime, *, reference: str = "", active: bool = True
) -> Occurrence:
    place = place_of(session, device)
    return Occurrence(
        domain=DOMAIN,
        reference=reference or f"test-due:{device}:{home_rows.today(now):%Y-%m-%d}",
        kind=KIND,
        gateway="",
        device=device,
        title=f"Test your smoke alarm: {place.name}"[:300],
        title_zh=f"請測試住宅用火災警報器：{place.name_zh}"[:300],
        severity="info",
        event_time=now,
        active=active,
        ended=None if active else now,
        detail={"type": "smoke-test-due"},
        audience="home",
    )
