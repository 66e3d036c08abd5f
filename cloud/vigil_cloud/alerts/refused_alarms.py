"""An alarm that became a dead letter must itself alarm: somebody has to ask whether it burns."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform


def raise_refused_alarm(
    session: Session, gateway: str, reason: str, detail: str, again: bool, now: datetime
) -> None:
    """One alert per gateway while such dead letters wait. In the caller's transaction.

    Whoever acknowledged it knew of what had been refused by then: another alarm, which is not
    the same message ``again``, is told anew.
    """
    raise_platform(
        session,
        "alarm-refused",
        gateway or "nobody",
        severity="critical",
        title=f"An alarm of gateway {gateway or '?'} was refused ({reason})",
        title_zh=f"閘道器 {gateway or '?'} 的警報訊息被拒收({reason})",
        now=now,
        detail={"reason": reason, "detail": detail[:400]},
        gateway=gateway,
        news=not again,
    )


def clear_refused_alarm(session: Session, gateway: str, now: datetime) -> bool:
    """None of them waits any more."""
    return clear_platform(session, "alarm-refused", gateway or "nobody", now=now, gateway=gateway)
