"""Water: an excursion's onset raises an alert, its end clears it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.domain.port import Received
from vigil_cloud.water.models import Excursion
from vigil_schemas.water import DOMAIN, WaterExcursion, WaterExcursionV1

AnyExcursion = WaterExcursion | WaterExcursionV1

PARAMETERS: Final = {
    "temperature": ("Temperature", "水溫"),
    "specific_conductance": ("Conductivity", "導電度"),
    "pH": ("pH", "酸鹼值 pH"),
    "dissolved_oxygen": ("Dissolved oxygen", "溶氧"),
    "turbidity_FNU": ("Turbidity", "濁度"),
    "orp": ("Redox potential", "氧化還原電位"),
    "level": ("Water level", "水位"),
}
LOST: Final = {
    "off_scale_high": ("is above what the sensor can measure", "超出感測器量測上限"),
    "off_scale_low": ("is below what the sensor can measure", "低於感測器量測下限"),
    "lost_while_rising": ("was lost while it was rising", "上升途中失去訊號"),
    "lost_while_falling": ("was lost while it was falling", "下降途中失去訊號"),
}
_SHOWN: Final = {
    "Cel": ("°C", 1.0),
    "pH": ("", 1.0),
    "S/m": ("µS/cm", 1e4),
    "kg/m3": ("mg/L", 1e3),
}
"""As probes, rules and inspectors write a unit, and what a stored value is multiplied with."""


class WaterHandler:
    """Takes excursions. Onset and end may come in any order and any number of times."""

    types: frozenset[str] = frozenset({WaterExcursion.TYPE, WaterExcursionV1.TYPE})

    def handle(self, session: Session, message: Received) -> None:
        """One phase of an excursion: its row and its alert."""
        event = message.data
        assert isinstance(event, AnyExcursion)  # noqa: S101 - ingest decodes by type
        feed.lock(session)
        ended = _ended(event, message.envelope.time)
        device = message.envelope.subject
        place = place_of(session, device)
        title, title_zh = titles(event)
        alert = record(
            session,
            Occurrence(
                domain=DOMAIN,
                reference=event.excursion_id,
                kind=event.kind,
                gateway=message.gateway,
                device=device,
                parameter=event.parameter,
                title=title,
                title_zh=title_zh,
                severity="major",
                event_time=event.started,
                active=ended is None,
                ended=ended,
                detail=event.model_dump(mode="json", exclude_none=True),
                marks=message.marks,
                latitude=place.latitude,
                longitude=place.longitude,
            ),
            message.received,
        )
        _keep(session, message, event, ended, alert.id)


def titles(event: AnyExcursion) -> tuple[str, str]:
    """English and Chinese: which parameter crossed which bound."""
    name, name_zh = PARAMETERS.get(event.parameter, (event.parameter, event.parameter))
    if name_zh[-1].isascii():
        name_zh += " "  # Chinese sets Latin letters apart
    if event.kind in LOST:
        return (f"{name} {LOST[event.kind][0]}", f"{name_zh}{LOST[event.kind][1]}")
    if event.kind == "rate":
        per_s = _bound(event, "/s")
        return f"{name} changes faster than {per_s}", f"{name_zh}變化快於 {per_s}"
    if event.kind == "above":
        return f"{name} above {_bound(event)}", f"{name_zh}高於 {_bound(event)}"
    return f"{name} below {_bound(event)}", f"{name_zh}低於 {_bound(event)}"


def _bound(event: AnyExcursion, per: str = "") -> str:
    return shown(event.limit, event.parameter, event.unit, per)


def shown(value: float | None, parameter: str, unit: str | None, per: str = "") -> str:
    """A stored value in the unit that inspectors read, such as ``750 µS/cm``; ``?`` for none."""
    unit, factor = _SHOWN.get(unit or "", (unit or "", 1.0))
    if parameter == "turbidity_FNU":
        unit = "FNU"
    number = "?" if value is None else f"{value * factor:.6g}"
    return f"{number} {unit}{per}" if unit or per else number


def _ended(event: AnyExcursion, sent: datetime) -> datetime | None:
    return (event.ended or sent) if event.phase == "end" else None


def _keep(
    session: Session,
    message: Received,
    event: AnyExcursion,
    ended: datetime | None,
    alert_id: str,
) -> None:
    excursion_id = f"{message.gateway}:{event.excursion_id}"
    row = session.get(Excursion, excursion_id)
    if row is None:
        row = Excursion(
            id=excursion_id,
            gateway=message.gateway,
            device=message.envelope.subject,
            parameter=event.parameter,
            unit=event.unit,
            kind=event.kind,
            limit=event.limit,
            started=event.started,
            alert_id=alert_id,
        )
        session.add(row)
    if ended is None:
        row.onset_value = event.value
    else:
        row.extreme_value, row.ended = event.value, ended
    session.flush()
