"""What else rings or is tested behind the same gateway while an alarm is told."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Select, String, bindparam, exists, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.base import UtcDateTime
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


def _asked() -> Select[bool, bool, bool]:
    gateway, device, itself = (
        bindparam(name, type_=String()) for name in ("gateway", "device", "itself")
    )
    recently, tested = (bindparam(name, type_=UtcDateTime()) for name in ("recently", "tested"))
    lasts = exists().where(AlarmCondition.gateway == gateway, AlarmCondition.cleared.is_(None))
    recent = lasts.where(AlarmCondition.heard > recently)
    testing = recent.where(
        AlarmCondition.device == device,
        AlarmCondition.condition == "test",
        AlarmCondition.heard >= tested,
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
    others_test = lasts.where(AlarmCondition.in_test, AlarmCondition.id != itself)
    return select(testing, neighbour, others_test)


# Made once: asked for every alarm, and to make a statement costs more than to run it.
_OTHERS: Final = _asked()


def _others(
    session: Session, gateway: str, device: str, row: AlarmCondition | None, now: datetime
) -> tuple[bool, bool, bool]:
    """``testing``, ``neighbour`` and ``others_test`` of ``Circumstances``, asked at once: behind a
    gateway whose bridge was lost hundreds of conditions last, of which nothing is loaded."""
    asked = {
        "gateway": gateway,
        "device": device,
        "recently": now - NEIGHBOURS,
        "tested": now - LONGEST_TEST,
        "itself": "" if row is None else row.id,
    }
    found = session.execute(_OTHERS, asked).one()
    return bool(found[0]), bool(found[1]), bool(found[2])


def _is_unconfirmed(session: Session, row: AlarmCondition) -> bool:
    alert = session.get(AlertRow, row.alert_id)
    return alert is not None and "unconfirmed_since" in alert.detail
