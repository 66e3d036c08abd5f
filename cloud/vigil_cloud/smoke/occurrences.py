"""A condition's change as the platform's alerts take it: titles, detail, audience."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import Place, place_of
from vigil_cloud.alerts.service import Occurrence
from vigil_cloud.domain.port import Received
from vigil_cloud.smoke.verdict import FIRES, TITLES, AnyAlarm, Verdict
from vigil_schemas.smoke import DOMAIN


def occurrence_of(
    session: Session,
    message: Received,
    reference: str,
    event: AnyAlarm,
    verdict: Verdict,
    *,
    end_is_told: bool,
) -> Occurrence:
    """``reference``: which alert it is of; ``end_is_told``: whether its end is told by itself."""
    place = place_of(session, message.envelope.subject)
    return occurrence_at(place, message, reference, event, verdict, end_is_told=end_is_told)


def occurrence_at(
    place: Place,
    message: Received,
    reference: str,
    event: AnyAlarm,
    verdict: Verdict,
    *,
    end_is_told: bool,
) -> Occurrence:
    """The same of a place that is known."""
    device = message.envelope.subject
    title, title_zh = _titles(verdict, event, place.name, place.name_zh)
    return Occurrence(
        domain=DOMAIN,
        reference=reference,
        kind=verdict.kind,
        gateway=message.gateway,
        device=device,
        title=title,
        title_zh=title_zh,
        severity=verdict.severity,
        event_time=event.since,
        active=event.active,
        ended=None if event.active else event.since,
        detail=_detail(event, verdict),
        marks=message.marks,
        supersedes=event.active and verdict.severity == "critical",
        audience=verdict.audience,
        end_is_told=event.active or end_is_told,
        tell_again=verdict.tell_again,
        latitude=place.latitude,
        longitude=place.longitude,
    )


def _titles(verdict: Verdict, event: AnyAlarm, place: str, place_zh: str) -> tuple[str, str]:
    day = getattr(event, "unconfirmed_since", None) or event.since
    return (
        verdict.titles[0].format(place=place, day=f"{day.day} {day:%b}"),
        verdict.titles[1].format(place=place_zh, day_zh=f"{day.month} 月 {day.day} 日"),
    )


def retitle(session: Session, alert: AlertRow, verdict: Verdict, event: AnyAlarm) -> None:
    """A possible fire that is one: the alert itself says so, whatever its severity was."""
    if "unconfirmed_since" not in alert.detail or verdict.titles != TITLES[event.condition]:
        return
    place = place_of(session, alert.device)
    alert.title, alert.title_zh = _titles(verdict, event, place.name, place.name_zh)
    alert.kind = verdict.kind
    alert.detail = {k: v for k, v in alert.detail.items() if k != "unconfirmed_since"}
    session.flush()


def _detail(event: AnyAlarm, verdict: Verdict) -> Mapping[str, Any]:
    """A clearing adds to what the activation said and takes nothing of it away."""
    if not event.active:
        told = event.model_dump(mode="json", include={"alarm_id", "condition", "since"})
        return {
            "alarm_id": told["alarm_id"],
            "condition": told["condition"],
            "cleared": told["since"],
        }
    detail = event.model_dump(mode="json", exclude_none=True, exclude={"rises"})
    if event.condition in FIRES:
        detail["during_test"] = verdict.in_test
    return detail
