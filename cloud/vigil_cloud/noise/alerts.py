"""The alert of a loud vehicle: raised as its gateway tells it, or later by whoever overrules a
veto."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_schemas.noise import DOMAIN, AnyExceedance


@dataclass(frozen=True, slots=True)
class Heard:
    """Where a message came from, and what is doubtful about it (``Received.marks``)."""

    gateway: str
    device: str
    marks: Mapping[str, Any]


def raised(session: Session, heard: Heard, event: AnyExceedance, now: datetime) -> str:
    """The alert of an exceedance, raised or completed; its id."""
    place = place_of(session, heard.device)
    alert = record(
        session,
        Occurrence(
            domain=DOMAIN,
            reference=event.exceedance_id,
            kind="exceedance",
            gateway=heard.gateway,
            device=heard.device,
            title=f"Loud vehicle {event.LAFmax:.1f} dB(A)",
            title_zh=f"高噪音車輛 {event.LAFmax:.1f} 分貝",
            severity="major",
            event_time=event.started,
            active=True,
            momentary=True,
            detail=_detail(event),
            marks=heard.marks,
            evidence_sha256=event.evidence.sha256 if event.evidence else None,
            supersedes=True,
            latitude=place.latitude,
            longitude=place.longitude,
        ),
        now,
    )
    return alert.id


def plate_texts(event: AnyExceedance) -> list[str]:
    """Plates that were read, the likeliest first."""
    return [one.text for one in sorted(event.plates, key=lambda one: -one.confidence)]


def _detail(event: AnyExceedance) -> dict[str, Any]:
    detail = event.model_dump(mode="json", exclude_none=True)
    if not event.plates:
        del detail["plates"]
        return detail
    return {**detail, "plate": plate_texts(event)[0]}
