"""Smoke: a critical alert while an alarm sees smoke; minor ones for what weakens it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.ingest.port import Received
from vigil_cloud.smoke.models import AlarmCondition
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1
from vigil_schemas.types import Domain

TITLES: Final = {
    "smoke": ("Smoke alarm at {place}", "{place} 火災警報"),
    "heat": ("Heat alarm at {place}", "{place} 高溫警報"),
    "co": ("Carbon monoxide alarm at {place}", "{place} 一氧化碳警報"),
    "gas": ("Gas alarm at {place}", "{place} 瓦斯警報"),
    "unreadable": (
        "Unreadable, possibly a fire, at {place}",
        "{place} 警報器訊號無法判讀,可能是火災",
    ),
    "test": ("Smoke alarm test at {place}", "{place} 警報器測試"),
    "battery_alert": ("Smoke alarm battery low at {place}", "{place} 警報器電池電量不足"),
    "hardware_fault": ("Smoke alarm fault at {place}", "{place} 警報器故障"),
    "tamper": ("Smoke alarm tampered with at {place}", "{place} 警報器遭拆動"),
    "link_lost": ("Smoke alarm out of reach at {place}", "{place} 警報器失去連線"),
    "end_of_service": ("Smoke alarm at its end of life at {place}", "{place} 警報器使用期限已到"),
}

CRITICAL: Final = frozenset({"smoke", "heat", "co", "gas"})
"""Conditions in which people are in danger."""


class SmokeHandler:
    """Takes conditions. Activation and clearing may come in any order, any number of times."""

    types: frozenset[str] = frozenset({SmokeAlarm.TYPE, SmokeAlarmV1.TYPE})

    def handle(self, session: Session, message: Received) -> None:
        """One change of one condition: its row and its alert."""
        event = message.data
        assert isinstance(event, SmokeAlarm | SmokeAlarmV1)  # noqa: S101 - ingest decodes by type
        feed.lock(session)
        device = message.envelope.subject
        place = place_of(session, device)
        title, title_zh = TITLES[event.condition]
        alert = record(
            session,
            Occurrence(
                domain=Domain.SMOKE,
                reference=event.alarm_id,
                kind=event.condition,
                gateway=message.gateway,
                device=device,
                title=title.format(place=place.name),
                title_zh=title_zh.format(place=place.name_zh),
                severity="critical" if event.condition in CRITICAL else "minor",
                event_time=event.since,
                active=event.active,
                ended=None if event.active else event.since,
                detail=_detail(event),
                marks=message.marks,
                latitude=place.latitude,
                longitude=place.longitude,
            ),
            message.received,
        )
        _keep(session, message, event, alert.id)


def _detail(event: SmokeAlarm | SmokeAlarmV1) -> dict[str, Any]:
    """A clearing adds to what the activation said and takes nothing of it away."""
    if event.active:
        return event.model_dump(mode="json", exclude_none=True)
    told = event.model_dump(mode="json", include={"alarm_id", "condition", "since"})
    return {"alarm_id": told["alarm_id"], "condition": told["condition"], "cleared": told["since"]}


def _keep(
    session: Session, message: Received, event: SmokeAlarm | SmokeAlarmV1, alert_id: str
) -> None:
    condition_id = f"{message.gateway}:{event.alarm_id}"
    row = session.get(AlarmCondition, condition_id)
    if row is None:
        row = AlarmCondition(
            id=condition_id,
            gateway=message.gateway,
            device=message.envelope.subject,
            condition=event.condition,
            alert_id=alert_id,
        )
        session.add(row)
    if event.active:
        row.activated = row.activated or event.since
    else:
        row.cleared = row.cleared or event.since
    if event.battery_percent is not None:
        row.battery_percent = event.battery_percent
    session.flush()
