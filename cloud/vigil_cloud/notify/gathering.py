"""Which deliveries of a channel go in one message, and which wait for others of their building."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.domain.rights import PLATFORM
from vigil_cloud.notify.delivery_rows import Ready
from vigil_cloud.notify.models import FOLLOW_UPS, REMINDER, Delivery

SINGLES: Final = 3
"""So many alerts are told one by one; more that wait together go in one message."""
GATHER: Final = timedelta(seconds=5)
TOLD_BEFORE: Final = 2
"""Of a gateway from which a channel was told in so many messages within ``GATHER`` the rest waits
for its end, and goes in one: a building whose alarms all ring is one message with a count."""


def gathered(session: Session, channel_id: int, ready: list[Ready], now: datetime) -> list[Ready]:
    """Without what waits for a few seconds, that the others of its gateway go with it, once. What
    befalls an alert for a reason of its own is told by the first messages: only the third one
    waits; a fire waits behind messages that call for others, and not behind news or reminders."""
    query = (
        select(AlertRow.gateway, Delivery.at, AlertRow.pressing, Delivery.purpose)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .where(
            Delivery.channel_id == channel_id,
            Delivery.state == "sent",
            Delivery.at > now - GATHER,
            Delivery.at <= now,
            AlertRow.domain != PLATFORM,
            AlertRow.gateway != "",  # of no gateway is no building
        )
        .distinct()
    )
    lately: dict[tuple[str, bool], set[datetime]] = {}
    for row in session.execute(query):
        calls = row.pressing and row.purpose not in {*FOLLOW_UPS, REMINDER}
        for pressing in {False, calls}:
            lately.setdefault((row.gateway, pressing), set()).add(row.at)
    kept = []
    for one in ready:
        moments = lately.get((one.alert.gateway, one.alert.pressing), ())
        waits = (
            len(moments) >= TOLD_BEFORE and one.alert.domain != PLATFORM and not _has_waited(one)
        )
        if waits and one.at.due <= now:
            one.delivery.due = max(moments) + GATHER
        elif not waits:
            kept.append(one)
    return kept


def _has_waited(one: Ready) -> bool:
    """Whether it waited for the others of its gateway: what else is put off has a reason."""
    first = one.at.attempts == 0 and one.at.reason is None and not one.delivery.escalation
    of_building = bool(one.alert.gateway) and one.alert.domain != PLATFORM
    return first and of_building and one.at.queued < one.at.due


def batch(ready: Sequence[Ready], now: datetime) -> list[Ready]:
    """Alone: the few, and what the service refused before. Together: what waited for each other,
    and all the others of the same urgency. What is not due yet goes along with its own kind, and is
    no reason to send."""
    due = [one for one in ready if one.at.due <= now]
    if not due:
        return []
    if due[0].at.reason == "refused":
        return due[:1]
    urgent, building = due[0].alert.pressing, due[0].alert.gateway
    kinds = {one.alert.kind for one in due if one.alert.domain == PLATFORM}
    together = [
        one
        for one in ready
        if one.at.reason != "refused"
        and one.alert.pressing == urgent
        and (one.at.due <= now or one.alert.kind in kinds)
    ]
    if len(together) > SINGLES:
        return together
    waited = [one for one in together if _has_waited(one) and one.alert.gateway == building]
    return waited if due[0] in waited else due[:1]
