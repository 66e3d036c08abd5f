"""The onset of an excursion: part of an incident that is there, or the first of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from vigil_cloud.alerts import flood
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.domain.aside import Aside
from vigil_cloud.water import incidents, source_work
from vigil_cloud.water.models import Excursion

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Onset:
    """Beside the excursion's row: what is doubtful of it, when it came, and how its own alert is
    raised where it joins no other."""

    marks: Mapping[str, Any]
    now: datetime
    alert: Callable[[bool, str], AlertRow]
    """Given whether it lasts, and the incident that it begins."""


def begin(session: Session, row: Excursion, onset: Onset, aside: Aside) -> None:
    """The row is stored, and somebody is told; what else failed is in ``aside``."""
    if _joined(session, row, onset, aside):
        _trace(session, row, onset, aside)
        return
    alert = onset.alert(row.ended is None, incidents.incident_id(row.id))
    row.alert_id = alert.id
    session.add(row)
    session.flush()
    if alert.kind != flood.MANY:
        aside.do("incident", lambda: _found(session, row, alert.id), None)
        _trace(session, row, onset, aside)


def _trace(session: Session, row: Excursion, onset: Onset, aside: Aside) -> None:
    """Where it came from is calculated later, and costs the alarm nothing."""
    if (incident := row.incident) is not None:
        aside.do("source-trace", lambda: source_work.ask(session, incident, onset.now), None)


def _found(session: Session, row: Excursion, alert_id: str) -> None:
    incidents.found(session, row).alert_id = alert_id
    session.flush()


def _joined(session: Session, row: Excursion, onset: Onset, aside: Aside) -> bool:
    """Whether it is part of an incident from now on. Where that cannot be told it is not: what
    belongs together is a convenience, and no reason to lose an alarm. ``aside`` says that it
    failed, to whoever can mend it."""
    try:
        with session.begin_nested():
            incident = incidents.find(session, row, onset.now)
            if incident is None:
                return False
            row.alert_id = incident.alert_id
            session.add(row)
            incidents.join(session, incident, row, onset.marks, onset.now)
            incidents.settle(session, incident, onset.now)
    except SQLAlchemyError:  # ingest tries again, or waits for the database
        raise
    except Exception as error:  # noqa: BLE001 - an alarm is not lost for it
        _log.exception("incident-not-told", excursion=row.id)
        aside.failed.append(f"join: {type(error).__name__}: {error}")
        row.incident = None
        return False
    return True
