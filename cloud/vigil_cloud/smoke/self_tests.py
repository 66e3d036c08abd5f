"""What rings as a self test and is a fire after all: it outlasts its test, or more rings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.domain.aside import Aside
from vigil_cloud.jobs.port import Job, in_transaction
from vigil_cloud.smoke import flapping
from vigil_cloud.smoke.fire_opening import alarm_of, open_fire
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.verdict import LONGEST_TEST, TITLES, outlasted
from vigil_schemas.smoke import DOMAIN

CHECK_EVERY_S: Final = 5.0
_RINGING: Final = select(AlarmCondition).where(
    AlarmCondition.in_test, AlarmCondition.cleared.is_(None)
)
"""Believed to be a self test."""


def smoke_job() -> Job:
    """Smoke that outlasts its self test becomes a fire, also where its gateway says no more."""
    every = timedelta(seconds=CHECK_EVERY_S)
    return Job(
        "smoke-outlasts-its-test",
        every,
        in_transaction(end_outlasted_tests),
        waiting=lambda session, _now: session.scalar(_RINGING.limit(1)) is not None,
    )


def end_outlasted_tests(session: Session, now: datetime) -> bool:
    """Judged by our clock and our tables alone. Whether anything changed."""
    changed = False
    if session.scalar(_RINGING.limit(1)) is None:
        return False
    feed.lock(session)  # before the rows, as those who take events do
    for row in session.scalars(_RINGING.with_for_update()).all():
        reason = outlasted(row.heard or now, _test_over(session, row), now)
        if reason is not None:
            call_fire(session, row, reason, now)
            changed = True
    return changed


def call_fire(session: Session, row: AlarmCondition, reason: str, now: datetime) -> None:
    """What was a mere test is a fire: everybody is told, whatever fails beside that. The caller
    holds the feed's lock."""
    row.in_test = False
    alert = session.get(AlertRow, row.alert_id)  # old ones are removed (see retention)
    place = place_of(session, row.device)
    title, title_zh = TITLES[row.condition]
    told = record(
        session,
        Occurrence(
            domain=DOMAIN,
            reference=flapping.reference_of(session, row),
            kind=row.condition,
            gateway=row.gateway,
            device=row.device,
            title=title.format(place=place.name),
            title_zh=title_zh.format(place=place.name_zh),
            severity="critical",
            event_time=alert.event_time if alert is not None else row.activated or now,
            active=True,
            detail={
                "alarm_id": row.id.partition(":")[2],
                "condition": row.condition,
                "during_test": False,
                "no_test_because": reason,
            },
            supersedes=True,
            audience="all",
            tell_again=reason[:40],
            latitude=place.latitude,
            longitude=place.longitude,
        ),
        now,
    )
    open_fire(session, Aside(session), row, told, alarm_of(row, now))


def _test_over(session: Session, row: AlarmCondition) -> datetime | None:
    """When the self test that it came with was heard to end; ``None`` while it runs, or where
    none was heard of."""
    if row.heard is None:
        return None
    test = session.scalar(
        select(AlarmCondition)
        .where(
            AlarmCondition.gateway == row.gateway,
            AlarmCondition.device == row.device,
            AlarmCondition.condition == "test",
            AlarmCondition.heard > row.heard - LONGEST_TEST,
        )
        .order_by(AlarmCondition.heard.desc())
        .limit(1)
    )
    return test.over_heard if test is not None else None
