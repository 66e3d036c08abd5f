"""Why a delivery waits or has ended, in words for whoever looks at its alert."""

from __future__ import annotations

from vigil_cloud.alerts import coverage
from vigil_cloud.alerts.models import AlertRow


def worded(reason: str | None, alert: AlertRow) -> str | None:
    """Of one of ``progress.Reason``."""
    match reason:
        case "not-allowed":
            return "not allowed any more"
        case "acknowledged":
            return f"acknowledged by {alert.acknowledged_by}"
        case "shelved" if alert.shelved_until is not None:
            return f"shelved until {alert.shelved_until:%Y-%m-%d %H:%M} UTC"
        case "out-of-service":
            return "out of service"
        case "device-shelved" | "device-out-of-service":
            until = coverage.shown_end(alert)
            ends = f" until {until:%Y-%m-%d %H:%M} UTC" if until is not None else ""
            return f"device {alert.device_shelf}{ends}"
        case "over":
            return "over"
    return reason
