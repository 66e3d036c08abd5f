"""An alarm that is a fire opens one, or everybody is told at once and the fire is owed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from vigil_cloud.alerts.audiences import widen
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.domain.aside import Aside
from vigil_cloud.smoke import fires
from vigil_cloud.smoke.decision import Alarm
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.verdict import UNFILED

ALARM: Final = TypeAdapter(Alarm)


def alarm_of(row: AlarmCondition, heard: datetime | None = None) -> Alarm:
    """As fires take it, from what is kept; ``heard``: then, and not when it rang last."""
    if row.rings is not None:
        kept = ALARM.validate_python(row.rings)
        return replace(kept, heard=heard or kept.heard)
    known = heard or row.heard or row.activated
    assert known is not None  # noqa: S101 - it has rung
    return Alarm(row.id, row.device, row.condition, row.activated or known, known, over=row.cleared)


def open_fire(
    session: Session, aside: Aside, row: AlarmCondition, alert: AlertRow, alarm: Alarm
) -> None:
    """Its fire, that is its home asked and 119 called. Where that fails it is owed, and everybody
    is told at once: nobody may wait for a window that nothing counts."""

    def ring() -> bool:
        fires.alarm_rings(session, alert, row.gateway, alarm)
        return True

    owed_before = row.fire_owed
    rang = aside.do("fire", ring, False)
    # One that was owed is so until ``owed`` has joined to it what 119 was told meanwhile.
    row.fire_owed = owed_before or not rang
    if not rang:
        row.owed_times += not owed_before
        session.add(row)  # of a flood as well
        why = f"{UNFILED} #{hashlib.sha256(row.id.encode()).hexdigest()[:8]}"
        aside.do("everybody", lambda: widen(session, alert, "all", why, alarm.heard), None)
    session.flush()
