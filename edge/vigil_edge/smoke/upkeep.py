"""Conditions that ask for a person with a tool: tampering, faults, end of service, battery."""

from __future__ import annotations

from typing import Final

from vigil_edge.smoke.battery import AHEAD_DAYS
from vigil_edge.smoke.report import AlarmReport
from vigil_schemas.smoke import SmokeCondition

BATTERY_ALERT_BELOW: Final = 10.0
BATTERY_GOOD_FROM: Final = 15.0
"""For devices that state a percentage and no warning of their own, percent."""


def conditions(
    report: AlarmReport, battery_days: float | None = None
) -> list[tuple[SmokeCondition, bool | None]]:
    """Whether each is active; ``None`` where the report does not say. ``battery_days``: until its
    battery is empty, as far as its percentages tell."""
    return [
        ("tamper", report.tamper),
        ("hardware_fault", report.broken),
        ("end_of_service", report.end_of_service),
        ("battery_alert", _battery_alert(report, battery_days)),
    ]


def _battery_alert(report: AlarmReport, days: float | None) -> bool | None:
    """Where it will not last another month; else the device's own warning where it gives one, else
    by its percentage, with hysteresis."""
    if days is not None and days < AHEAD_DAYS:
        return True
    if report.battery_low is not None:
        return report.battery_low
    if report.battery_percent is None:
        return None
    if report.battery_percent < BATTERY_ALERT_BELOW:
        return True
    return False if report.battery_percent >= BATTERY_GOOD_FROM else None
