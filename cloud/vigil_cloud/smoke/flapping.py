"""An alarm that goes on and off is one alert with a counter, and not a message each time.

What goes on again within ``GAP`` of its own end, or for the third time within ``WINDOW``, is the
same alarm once more. A fault, a battery or a link joins the alert of before, which is open again
and counts. Each fire has an alert of its own, which ends with it; of one that repeats another
nobody is told by itself, while people are called to that one: it counts there. What somebody has
ended, or what an alert was closed for, is told anew; so is a fire that rings again while the alert
of before is put aside: what somebody wanted to hear no more of was that one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import REPEATS, reopen, state_of, tell_again
from vigil_cloud.identity.situation import situation_of
from vigil_cloud.smoke import fires
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.verdict import FIRES, Verdict
from vigil_schemas.smoke import DOMAIN

GAP: Final = timedelta(seconds=60)
WINDOW: Final = timedelta(minutes=10)
OFTEN: Final = 3
TIMES: Final = "times"
"""Why people are told again, with a figure behind it."""
_TOLD_IN: Final = frozenset({"asking", "called"})
_TOLD_AT: Final = (10, 100, 1_000, 10_000)
"""One that goes on flapping needs somebody who looks at it."""


def of_before(
    session: Session, gateway: str, device: str, condition: str, verdict: Verdict, now: datetime
) -> AlertRow | None:
    """The alert that a condition which begins now repeats; ``None``: it is another one."""
    query = (
        select(AlarmCondition)
        .where(
            AlarmCondition.gateway == gateway,
            AlarmCondition.device == device,
            AlarmCondition.condition == condition,
            AlarmCondition.heard > now - WINDOW,
            AlarmCondition.heard <= now,
        )
        .order_by(AlarmCondition.heard.desc(), AlarmCondition.id)
        .limit(OFTEN - 1)
    )
    known = session.scalars(query).all()
    if not known or known[0].cleared is None or known[0].over_heard is None:
        return None
    last = known[0]
    alert = _first(session, session.get(AlertRow, last.alert_id))
    same = (
        alert is not None
        and alert.kind == verdict.kind
        and alert.severity == verdict.severity
        and not alert.confirmed
    )
    if not same or not _is_flapping(last, len(known), now):
        return None
    if condition in FIRES and not verdict.in_test:
        assert alert is not None  # noqa: S101 - ``same`` has looked
        state = state_of(alert)
        aside = state.shelved(now) or state.in_work(now)
        if aside or not _is_told(session, last, now):
            return None
    return alert


def _is_told(session: Session, last: AlarmCondition, now: datetime) -> bool:
    """Whether the home where it stands is asked, or everybody is called, because of what it said
    last: not by a report of what was over before (``past``), and not where it has moved since."""
    fire = fires.of_condition(session, last.id)
    if fire is None or fire.phase not in _TOLD_IN:
        return False
    household = situation_of(session, last.device, last.gateway, now).household
    return fire.home == fires.home_of(household, last.gateway)


def _is_flapping(last: AlarmCondition, known: int, now: datetime) -> bool:
    assert last.over_heard is not None  # noqa: S101 - the caller has looked
    soon = timedelta() <= now - last.over_heard <= GAP
    return soon or known >= OFTEN - 1


def _first(session: Session, alert: AlertRow | None) -> AlertRow | None:
    """The alert that counts, of one that repeats it."""
    repeats = alert.detail.get(REPEATS) if alert is not None else None
    return session.get(AlertRow, repeats) if repeats is not None else alert


def join(session: Session, alert: AlertRow, now: datetime) -> int:
    """It goes on once more: its alert is open again. How often it has gone on with that."""
    if not alert.active:
        reopen(session, alert, now)
    return int(alert.detail.get(TIMES, 1)) + 1


def count(session: Session, alert: AlertRow, now: datetime) -> None:
    """A fire that repeats this one."""
    times = int(alert.detail.get(TIMES, 1)) + 1
    alert.detail = {**alert.detail, TIMES: times}
    session.flush()
    feed.append(session, "alert", alert.id, now)
    if (why := reason(times)) is not None:
        tell_again(session, alert, why, now)


def reason(times: int) -> str | None:
    """Why people are told again of one that goes on: at each power of ten."""
    return f"{TIMES} {times}" if times in _TOLD_AT else None


def reference_of(session: Session, row: AlarmCondition) -> str:
    """Of the alert that a known condition belongs to: its own, or that of the alarm that it joined.
    One that joined a counted alert goes by its own name there."""
    alert = session.get(AlertRow, row.alert_id)
    own = row.id.partition(":")[2]
    prefix = f"{DOMAIN}:{row.gateway}:"
    if alert is None or alert.kind == MANY or not alert.key.startswith(prefix):
        return own
    return alert.key.removeprefix(prefix)


def ring_on(session: Session, row: AlarmCondition) -> bool:
    """Whether another condition of the same alert has not ended: the end of this one, told late or
    twice, is not the end of the alert."""
    others = select(AlarmCondition.id).where(
        AlarmCondition.alert_id == row.alert_id,
        AlarmCondition.device == row.device,
        AlarmCondition.condition == row.condition,
        AlarmCondition.id != row.id,
        AlarmCondition.cleared.is_(None),
    )
    return session.scalar(others.limit(1)) is not None
