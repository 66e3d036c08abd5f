"""What rules tell without a sign: somebody was not seen, an amulet was not heard, and what came to
hold in the quiet hours, which is told at their end."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from vigil_cloud.alerts import feed
from vigil_cloud.checkin.host_watch import deaf
from vigil_cloud.checkin.models import PersonRule, Tag, Visit
from vigil_cloud.checkin.rule_kinds import AmuletSilent, Unseen
from vigil_cloud.checkin.rules import presses, quiet, raise_for, read, since_of
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
    deaf_now = deaf(session, now, offline_after)
    if not _held(session, now) and (deaf_now or not _due(session, now)):
        return False
    feed.lock(session)  # somebody may be heard, or a rule end, until it is ours: look again
    for row, held in _held(session, now):
        rule = read(row)
        if held is None:  # it was too old to keep
            row.held = None
        else:
            raise_for(session, row, rule, held, since_of(rule, held), now)
    for row, visit in [] if deaf_now else _due(session, now):
        raise_for(session, row, read(row), visit, visit.last_seen if visit else row.changed, now)
    return True


def _held(session: Session, now: datetime) -> list[tuple[PersonRule, Visit | None]]:
    """What was held back in quiet hours that are over, with the visit that it rests on. Whoever
    left before the night is not left out there until morning."""
    query = (
        select(PersonRule, Visit)
        .outerjoin(Visit, Visit.id == PersonRule.held)
        .where(PersonRule.held.is_not(None))
        .execution_options(populate_existing=True)
    )
    found: list[tuple[PersonRule, Visit | None]] = [
        (row, visit)
        for row, visit in session.execute(query)
        if not quiet(row, now) or (visit is not None and presses(read(row), now))
    ]
    return found[:_AT_ONCE]


def _due(session: Session, now: datetime) -> list[tuple[PersonRule, Visit | None]]:
    return [one for one in _last_seen(session) if _holds(*one, now)][:_AT_ONCE]


def _last_seen(session: Session) -> list[tuple[PersonRule, Visit | None]]:
    """Rules of silence that do not stand, each with the last visit that counts for it; whoever
    was never heard has none, and is not forgotten for that."""
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
        .outerjoin(Visit, Visit.id == last)
        .where(PersonRule.kind.in_(_OF_SILENCE), PersonRule.reference.is_(None))
        .where(
            or_(
                Visit.id.is_not(None),
                select(Tag.tag).where(Tag.person_key == PersonRule.person_key).exists(),
            )
        )
    )
    fresh = {"populate_existing": True}
    found: list[tuple[PersonRule, Visit | None]] = [
        (row, visit) for row, visit in session.execute(query, execution_options=fresh)
    ]
    return found


def _holds(row: PersonRule, visit: Visit | None, now: datetime) -> bool:
    rule = read(row)
    if not isinstance(rule, Unseen | AmuletSilent) or quiet(row, now):
        return False
    since = row.changed if visit is None else max(visit.last_seen, row.changed)
    return now - since >= timedelta(hours=rule.hours)
