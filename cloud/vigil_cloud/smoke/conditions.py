"""What is kept of one condition of an alarm, event by event."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.devices.clocks import put_right
from vigil_cloud.domain.port import Received
from vigil_cloud.smoke.decision import Alarm
from vigil_cloud.smoke.fire_opening import ALARM
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.verdict import AnyAlarm, Verdict


def new_condition(
    message: Received, condition_id: str, event: AnyAlarm, alert: AlertRow
) -> AlarmCondition:
    """Of which nothing is kept yet."""
    return AlarmCondition(
        id=condition_id,
        gateway=message.gateway,
        device=message.envelope.subject,
        condition=event.condition,
        alert_id=alert.id,
        in_test=False,
        fire_owed=False,
        owed_times=0,
    )


def keep_rings(row: AlarmCondition, alarm: Alarm | None, behind: timedelta, now: datetime) -> None:
    """``alarm``: as it rings now; ``None``: it has fallen silent. ``behind``: how far its gateway's
    clock is."""
    if alarm is None:
        if row.rings is None:
            return
        alarm = ALARM.validate_python(row.rings)
    over = put_right(row.cleared, behind, now) if row.cleared is not None else None
    row.rings = ALARM.dump_python(replace(alarm, over=alarm.over or over), mode="json")


def keep(row: AlarmCondition, event: AnyAlarm, verdict: Verdict, now: datetime) -> None:
    """When it began and ended."""
    if event.active:
        if row.activated is None:
            row.activated, row.heard = event.since, now
            row.in_test = verdict.in_test
        row.in_test = row.in_test and verdict.in_test
    else:
        row.cleared = row.cleared or event.since
        row.over_heard = row.over_heard or now
    if event.battery_percent is not None:
        row.battery_percent = event.battery_percent
