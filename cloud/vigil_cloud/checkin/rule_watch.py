"""Rules that follow silence: somebody was not seen, an amulet was not heard. What began in the
quiet hours and still holds is raised after them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from vigil_cloud.alerts import feed
from vigil_cloud.checkin.host_watch import deaf
from vigil_cloud.checkin.models import PersonRule, Visit
from vigil_cloud.checkin.rules import AmuletSilent, Unseen, quiet, raise_for, read
from vigil_cloud.jobs.port import Job, in_transaction

EVERY: Final = timedelta(seconds=60)
_OF_SILENCE: Final = ("unseen", "amulet-silent")
_AT_ONCE: Final = 200
"""Alerts of one transaction."""


def rule_job(offline_after: timedelta) -> Job:
    """Asks the rules that no visit asks."""
    return Job("person-rules", EVERY, in_transaction(partial(follow, offline_after)))


def follow(offline_after: timedelta, session: Session, now: datetime) -> bool:
    """Raise what has come to hold. Idempotent. A cloud that hears no gateway tells nobody that
    somebody was not seen; nor is anybody told of a time before the rule was set."""
    if not _due(session, now) or deaf(session, now, offline_after):
        return False
    feed.lock(session)  # somebody may be heard, or a rule end, until it is ours: look again
    for row, visit in _due(session, now):
        raise_for(session, row, read(row), visit, visit.last_seen, now)
    return True


def _due(session: Session, now: datetime) -> list[tuple[PersonRule, Visit]]:
    return [one for one in _last_seen(session) if _holds(*one, now)][:_AT_ONCE]


def _last_seen(session: Session) -> list[tuple[PersonRule, Visit]]:
    """Rules of silence that do not stand, each with the last visit that counts for it."""
    newest = aliased(Visit)
    last = (
        select(newest.id)
        .where(newest.person_key == PersonRule.person_key, newest.doubt.is_(None))
        .order_by(newest.last_seen.desc())
        .limit(1)
        .correlate(PersonRule)
        .scalar_subquery()
    )
    query = (
        select(PersonRule, Visit)
        .join(Visit, Visit.id == last)
        .where(PersonRule.kind.in_(_OF_SILENCE), PersonRule.reference.is_(None))
    )
    fresh = {"populate_existing": True}
    return [(row, visit) for row, visit in session.execute(query, execution_options=fresh)]


def _holds(row: PersonRule, visit: Visit, now: datetime) -> bool:
    rule = read(row)
    if not isinstance(rule, Unseen | AmuletSilent) or quiet(row, now):
        return False
    return now - max(visit.last_seen, row.changed) >= timedelta(hours=rule.hours)
