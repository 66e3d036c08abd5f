"""Water: excursions become incidents, and an incident is an alert: raised, amended, cleared."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.domain.aside import Aside
from vigil_cloud.domain.port import Complaint, Received
from vigil_cloud.water import incidents, onsets, source_work
from vigil_cloud.water.incidents import severity_of
from vigil_cloud.water.models import Excursion, Incident
from vigil_cloud.water.titles import titles
from vigil_schemas.water import DOMAIN, WaterExcursion, WaterExcursionV1

AnyExcursion = WaterExcursion | WaterExcursionV1


class WaterHandler:
    """Takes excursions. Onset and end may come in any order and any number of times."""

    types: frozenset[str] = frozenset({WaterExcursion.TYPE, WaterExcursionV1.TYPE})

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """One phase of an excursion: its row and its alert, whatever becomes of its incident."""
        event = message.data
        assert isinstance(event, AnyExcursion)  # noqa: S101 - ingest decodes by type
        feed.lock(session)
        now = message.received
        known = session.get(Excursion, _key(message, event))
        row = known or _row(message, event)
        _fill(row, event, message.envelope.time)
        aside = Aside(session)
        if known is None:

            def alert(active: bool, incident: str) -> AlertRow:
                return _raise(session, message, event, active=active, incident=incident)

            onsets.begin(session, row, onsets.Onset(message.marks, now, alert), aside)
            return aside.complaint
        incident = session.get(Incident, row.incident) if row.incident is not None else None
        if incident is None:  # of before there were incidents, or of a flood
            row.alert_id = _raise(session, message, event, active=row.ended is None).id
            return None
        if incident.founder == row.id:  # whether it is over, all of the incident decides
            _raise(session, message, event, active=True)
        aside.do("incident", lambda: incidents.settle(session, incident, now), None)
        aside.do("source-trace", lambda: source_work.ask(session, incident.id, now), None)
        return aside.complaint


def _raise(
    session: Session,
    message: Received,
    event: AnyExcursion,
    *,
    active: bool,
    incident: str | None = None,
) -> AlertRow:
    """The alert of this excursion: raised, or brought up to date."""
    device = message.envelope.subject
    place = place_of(session, device)
    latitude, longitude = place.latitude, place.longitude
    if isinstance(event, WaterExcursion) and event.latitude is not None:
        latitude, longitude = event.latitude, event.longitude
    title, title_zh = titles(event)
    detail = event.model_dump(mode="json", exclude_none=True)
    key = f"{DOMAIN}:{message.gateway}:{event.excursion_id}"
    standing = session.scalar(select(AlertRow).where(AlertRow.key == key))
    if incident is not None:
        detail["incident"] = incident
    return record(
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
            # What somebody has lowered meanwhile is not raised again by its own end.
            severity="major" if standing is None else severity_of(standing),
            event_time=event.started,
            active=active,
            ended=None if active else _ended(event, message.envelope.time),
            detail=detail,
            supersedes=event.phase == "end",
            marks=message.marks,
            latitude=latitude,
            longitude=longitude,
        ),
        message.received,
    )


def _ended(event: AnyExcursion, sent: datetime) -> datetime | None:
    return (event.ended or sent) if event.phase == "end" else None


def _key(message: Received, event: AnyExcursion) -> str:
    return f"{message.gateway}:{event.excursion_id}"


def _row(message: Received, event: AnyExcursion) -> Excursion:
    return Excursion(
        id=_key(message, event),
        gateway=message.gateway,
        device=message.envelope.subject,
        parameter=event.parameter,
        unit=event.unit,
        kind=event.kind,
        limit=event.limit,
        started=event.started,
        ended=None,
        incident=None,
    )


def _fill(row: Excursion, event: AnyExcursion, sent: datetime) -> None:
    ended = _ended(event, sent)
    if ended is None:
        row.onset_value = event.value
    else:
        row.extreme_value, row.ended = event.value, ended
