"""What else rings or is tested behind the same gateway while an alarm is told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.domain.port import Received
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.verdict import FIRES, LONGEST_TEST, NEIGHBOURS, AnyAlarm, Circumstances


def circumstances_of(
    session: Session, message: Received, event: AnyAlarm, row: AlarmCondition | None
) -> Circumstances:
    """``row``: as the condition is known already."""
    now, device = message.received, message.envelope.subject
    if not event.active or event.condition not in FIRES:
        return Circumstances(now)
    lasting = select(AlarmCondition).where(
        AlarmCondition.gateway == message.gateway,
        AlarmCondition.cleared.is_(None),
        or_(AlarmCondition.heard > now - NEIGHBOURS, AlarmCondition.in_test),
    )
    lasts = session.scalars(lasting).all()
    found = [one for one in lasts if one.heard is not None and one.heard > now - NEIGHBOURS]
    return Circumstances(
        now,
        testing=any(
            one.device == device and one.condition == "test" and now - _heard(one) <= LONGEST_TEST
            for one in found
        ),
        neighbour=any(
            one.device != device
            and one.condition in FIRES
            and not one.in_test  # two alarms that are tested at once are two tests
            and not _is_unconfirmed(session, one)
            for one in found
        ),
        # A report that comes late takes nothing away of what was told without any doubt.
        fire_before=row is not None
        and row.activated is not None
        and not row.in_test
        and not _is_unconfirmed(session, row),
        unconfirmed_before=row is not None and _is_unconfirmed(session, row),
        others_test=any(one.in_test and one is not row for one in lasts),
    )


def _is_unconfirmed(session: Session, row: AlarmCondition) -> bool:
    alert = session.get(AlertRow, row.alert_id)
    return alert is not None and "unconfirmed_since" in alert.detail


def _heard(row: AlarmCondition) -> datetime:
    assert row.heard is not None  # noqa: S101 - the query asks for such alone
    return row.heard
