"""Alerts that cannot be passed on as they should: an administrator is told, nobody else will be."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.alerts.platform_kinds import PlatformKind

KIND: Final[PlatformKind] = "alert-untold"
UNANSWERED: Final[PlatformKind] = "unanswered"
"""Nobody has accepted an alert whose policy is at its end; raised by ``escalation.effects``."""


def tell_untold(
    session: Session, alert_id: str, error: str, now: datetime, *, urgent: bool
) -> None:
    """What follows from this alert could not be worked out. Idempotent. In the caller's
    transaction."""
    title = "An alert was told to nobody", "有一則警報未能通知任何人"
    _tell(session, alert_id, alert_id, title, error, now, urgent=urgent)


def tell_stuck(session: Session, alert_id: str, error: str, now: datetime, *, urgent: bool) -> None:
    """Its escalation cannot be moved on: nobody else is called. As ``tell_untold``."""
    title = "The escalation of an alert does not go on", "警報的逐級通報無法繼續"
    _tell(session, stuck(alert_id), alert_id, title, error, now, urgent=urgent)


def tell_policy_amiss(session: Session, name: str, alert_id: str, now: datetime) -> None:
    """This release does not understand the policy; its alerts are told to everybody at once, as
    without it. One alert for all of them. As ``tell_untold``."""
    title = f"Escalation policy {name} is not understood", f"無法解讀逐級通報規則 {name}"
    error = "its alerts are told to everybody at once; write the policy anew"
    _tell(session, amiss(name), alert_id, title, error, now, urgent=False)


def stuck(alert_id: str) -> str:
    """The subject of ``tell_stuck``."""
    return f"escalation {alert_id}"


def amiss(name: str) -> str:
    """The subject of ``tell_policy_amiss``; at most 60 characters of it count."""
    return f"policy {name}"


def clear_told(session: Session, subjects: Collection[str], now: datetime) -> None:
    """These were passed on after all. One statement where nothing stands."""
    for row in standing(session, KIND):
        subject = str(row.detail["subject"])
        if subject in subjects:
            clear_platform(session, KIND, subject, now=now)


def forget_removed(session: Session, now: datetime) -> bool:
    """Alerts that were erased, or kept for long enough, leave nothing open about themselves:
    nobody could look at them. Whether any did. Idempotent."""
    gone = _gone(session)
    for row in gone:
        kind = UNANSWERED if row.kind == UNANSWERED else KIND
        clear_platform(session, kind, str(row.detail["subject"]), now=now)
    return bool(gone)


def anything_gone(session: Session, _now: datetime) -> bool:
    """Whether ``forget_removed`` has anything to do: two reads."""
    return bool(_gone(session))


def _gone(session: Session) -> list[AlertRow]:
    rows = standing(session, KIND, UNANSWERED)
    about = {row.id: _alert_of(row) for row in rows}
    named = sorted({alert for alert in about.values() if alert})
    there = set(session.scalars(select(AlertRow.id).where(AlertRow.id.in_(named)))) if named else ()
    return [row for row in rows if about[row.id] and about[row.id] not in there]


def _alert_of(row: AlertRow) -> str:
    """Which alert it is about; empty of one that is about a policy."""
    subject = str(row.detail["subject"]).removeprefix("escalation ")
    return "" if subject.startswith("policy ") else subject


def _tell(  # noqa: PLR0913 - columns of one alert
    session: Session,
    subject: str,
    alert_id: str,
    titles: tuple[str, str],
    error: str,
    now: datetime,
    *,
    urgent: bool,
) -> None:
    alert = session.get(AlertRow, alert_id)
    if alert is None or alert.kind == KIND:  # it would tell of itself without end
        return
    raise_platform(
        session,
        KIND,
        subject,
        severity="critical" if urgent else "major",
        title=f"{titles[0]}: {alert.domain}, {alert.device or alert.gateway}",
        title_zh=f"{titles[1]}：{alert.domain}，{alert.device or alert.gateway}",
        now=now,
        detail={"explanation": error[:400]},
    )
