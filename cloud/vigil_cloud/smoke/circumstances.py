"""What else rings or is tested behind the same gateway while an alarm is told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select
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
    testing, neighbour, others_test = _others(session, message.gateway, device, row, now)
    return Circumstances(
        now,
        testing=testing,
        neighbour=neighbour,
        # A report that comes late takes nothing away of what was told without any doubt.
        fire_before=row is not None
        and row.activated is not None
        and not row.in_test
        and not _is_unconfirmed(session, row),
        unconfirmed_before=row is not None and _is_unconfirmed(session, row),
        others_test=others_test,
    )


def _others(
    session: Session, gateway: str, device: str, row: AlarmCondition | None, now: datetime
) -> tuple[bool, bool, bool]:
    """``testing``, ``neighbour`` and ``others_test`` of ``Circumstances``, asked at once: behind a
    gateway whose bridge was lost hundreds of conditions last, of which nothing is loaded."""
    lasts = exists().where(AlarmCondition.gateway == gateway, AlarmCondition.cleared.is_(None))
    recent = lasts.where(AlarmCondition.heard > now - NEIGHBOURS)
    testing = recent.where(
        AlarmCondition.device == device,
        AlarmCondition.condition == "test",
        AlarmCondition.heard >= now - LONGEST_TEST,
    )
    unconfirmed = exists().where(
        AlertRow.id == AlarmCondition.alert_id,
        AlertRow.detail["unconfirmed_since"].as_string().is_not(None),
    )
    neighbour = recent.where(
        AlarmCondition.device != device,
        AlarmCondition.condition.in_(sorted(FIRES)),
        ~AlarmCondition.in_test,  # two alarms that are tested at once are two tests
        ~unconfirmed,
    )
    others_test = lasts.where(AlarmCondition.in_test)
    if row is not None:
        others_test = others_test.where(AlarmCondition.id != row.id)
    found = session.execute(select(testing, neighbour, others_test)).one()
    return bool(found[0]), bool(found[1]), bool(found[2])


def _is_unconfirmed(session: Session, row: AlarmCondition) -> bool:
    alert = session.get(AlertRow, row.alert_id)
    return alert is not None and "unconfirmed_since" in alert.detail
