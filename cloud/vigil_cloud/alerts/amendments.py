"""What an alert gains while it lives: a severity, a place, better titles, details.

A detector that looks again, a second review, a caller who gives the address: none of them is an
onset or an end, and each stays in the history under who said it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, outbox
from vigil_cloud.alerts.acts import AlertUnknown
from vigil_cloud.alerts.history import note
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.sealing import whole_of, write_detail
from vigil_cloud.alerts.service import count_as_new, put_back_where_vital
from vigil_cloud.alerts.work import SEVERITIES

TITLE: Final = 300


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Where it is, WGS 84, degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is to be different; what is ``None`` stays as it is."""

    severity: Severity | None = None
    title: str | None = None
    title_zh: str | None = None
    place: Coordinates | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Put beside what is known; a key that is there is replaced."""
    reason: str = ""
    """Why, for the history and for whoever is told again; at most 60 characters count. It stands
    in notifications: nothing personal."""


def amend(
    session: Session,
    alert_id: str,
    amendment: Amendment,
    now: datetime,
    *,
    account: str | None = None,
) -> AlertRow:
    """Change an alert that is there, in the caller's transaction. Idempotent.

    A higher severity is news: the alert counts as not acknowledged and everybody is told again.
    A lower one, a place, titles and details are shown and told to nobody. ``account``: of whoever
    said so; ``None``: a detector. Raises ``AlertUnknown``.
    """
    feed.lock(session)
    row = session.get(AlertRow, alert_id, populate_existing=True)
    if row is None:
        raise AlertUnknown("There is no such alert.")
    before = row.severity
    if not (changed := _apply(session, row, amendment)):
        return row
    worse = SEVERITIES.index(row.severity) > SEVERITIES.index(before)
    told = [f"{before} → {row.severity}"] if row.severity != before else []
    told += [word for word in changed if word != "severity"]
    comment = ", ".join(told) + (f": {amendment.reason}" if amendment.reason else "")
    note(session, row, now, account, "worsened" if worse else "amended", comment)
    if worse:
        put_back_where_vital(row)
    if worse and row.active:
        count_as_new(row)
        step = amendment.reason or f"severity {row.severity}"
        note(session, row, now, account, "told-again", step)
        outbox.announce(session, row, now, "again", step=step)
    session.flush()
    feed.append(session, "alert", row.id, now)
    return row


def _apply(session: Session, row: AlertRow, amendment: Amendment) -> list[str]:
    """Names of what is different now."""
    place = amendment.place
    wanted = {
        "severity": (amendment.severity,),
        "title": (amendment.title and amendment.title[:TITLE],),
        "title_zh": (amendment.title_zh and amendment.title_zh[:TITLE],),
        "place": (place.latitude, place.longitude) if place is not None else (None, None),
    }
    changed = []
    for name, values in wanted.items():
        columns = ("latitude", "longitude") if name == "place" else (name,)
        if values[0] is None or tuple(getattr(row, column) for column in columns) == values:
            continue
        for column, value in zip(columns, values, strict=True):
            setattr(row, column, value)
        changed.append(name)
    if amendment.detail and write_detail(
        session, row, {**whole_of(session, row), **amendment.detail}
    ):
        changed.append("detail")
    return changed
