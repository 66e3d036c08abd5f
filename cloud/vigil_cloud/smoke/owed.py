"""Fires that could not be opened as their alarms came: tried again, and 119 is called meanwhile.

An alarm is stored and told whatever becomes of its fire (``service``). Who asks the home and calls
119 is the fire: where the book-keeping fails again, 119 is told of the alarm itself, with the
little that the alert knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.emergency import service as emergency
from vigil_cloud.emergency.cap import CapMessage, CapText
from vigil_cloud.emergency.models import EmergencyCall
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.services import Services
from vigil_cloud.smoke import decision, fires, message
from vigil_cloud.smoke.fire_opening import alarm_of
from vigil_cloud.smoke.homes import Particulars
from vigil_cloud.smoke.models import AlarmCondition, Fire

_PREFIX: Final = "smoke-alarm:"


def found(session: Session) -> list[str]:
    """Alarms without their fire."""
    return list(session.scalars(select(AlarmCondition.id).where(AlarmCondition.fire_owed)))


def open_fire(session: Session, services: Services, reference: str) -> None:
    """Once more. The window has passed or nobody was asked: everybody and 119 are called."""
    now = services.now()
    feed.lock(session)
    row = session.get(AlarmCondition, reference, with_for_update=True, populate_existing=True)
    if row is None or not row.fire_owed:
        return
    row.fire_owed = False
    alert = session.get(AlertRow, row.alert_id)
    if alert is None:  # removed for its age
        return
    alarm = alarm_of(row)
    fire = fires.alarm_rings(session, alert, row.gateway, replace(alarm, over=None))
    key = call_key(row)
    if session.get(EmergencyCall, key) is not None:
        fire.done = {**fire.done, "owed": [*fire.done.get("owed", []), key]}
        fires.put(session, fire, decision.unasked(fires.state_of(fire), now), now)
    if alarm.over is not None:
        fires.alarm_falls_silent(session, reference, alarm.over, now)


def call_119(session: Session, services: Services, reference: str) -> None:
    """Of an alarm that still has no fire. Idempotent."""
    feed.lock(session)
    row = session.get(AlarmCondition, reference)
    alert = session.get(AlertRow, row.alert_id) if row is not None and row.fire_owed else None
    if row is None or alert is None:
        return
    settings = services.settings
    told = CapMessage(
        identifier=_identifier(call_key(row)),
        sender=settings.emergency_sender,
        sent=services.now(),
        status=emergency.status_of(settings),
        category="Fire",
        texts=(
            _text("zh-TW", "火警", alert.title_zh, "請派遣消防車。"),
            _text("en", "Fire alarm", alert.title, "Send the fire brigade."),
        ),
        latitude=alert.latitude,
        longitude=alert.longitude,
        certainty="Likely",
    )
    emergency.ask(session, Cipher(settings.secret), call_key(row), alert.id, told)


def take_back(
    session: Session, services: Services, fire: Fire, keys: Sequence[str], now: datetime
) -> None:
    """What 119 was told (``keys``) before there was this fire, as the fire itself is."""
    settings, cipher = services.settings, Cipher(services.settings.secret)
    for key in keys:
        call = session.get(EmergencyCall, key)
        if call is None:
            continue
        of = message.Told(
            _identifier(key),
            settings.emergency_sender,
            call.asked,
            emergency.status_of(settings),
        )
        home = message.Home("", "", fire.latitude, fire.longitude, Particulars())
        emergency.take_back(
            session, cipher, f"{key}:cancel", key, message.cancel(fire, of, home, now)
        )


def _text(language: str, event: str, title: str, instruction: str) -> CapText:
    return CapText(language, event, title, title, instruction, title)


def call_key(row: AlarmCondition) -> str:
    """Of the emergency line's call: a condition's own name may be as long as the column. Each time
    that a fire is owed is a call of its own."""
    first = f"{_PREFIX}{hashlib.sha256(row.id.encode()).hexdigest()[:32]}"
    return first if row.owed_times <= 1 else f"{first}-{row.owed_times}"


def _identifier(key: str) -> str:
    return f"alarm-{key.removeprefix(_PREFIX)}"
