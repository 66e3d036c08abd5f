"""Excursions that belong together are one incident: one alert, one call, one inspection.

What belongs together: all parameters of one probe whose excursions overlap in time or lie a
window apart; and those of its neighbours along the water that the water explains: the lower one
begins about as much later as the water takes. That an excursion still lasts explains nothing (a
sensor may be stuck). A further excursion amends the alert and calls nobody; one after the end,
within its own window, opens it again. What somebody put aside joins only what is put aside. What
everybody believed to be in hand or done, and what comes long after the last that was told, is told
again: an incident never hides a call that is due.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import flood
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.alerts.service import Occurrence, record, reopen, state_of, tell_again
from vigil_cloud.alerts.work import SEVERITIES
from vigil_cloud.api_errors import ApiError
from vigil_cloud.cases.models import CaseAlert, CaseRow
from vigil_cloud.devices import shelves
from vigil_cloud.identity import audit
from vigil_cloud.water import register
from vigil_cloud.water.models import Excursion, Incident, IncidentRules, WaterPoint
from vigil_cloud.water.network import Way
from vigil_cloud.water.titles import titles
from vigil_schemas.errors import VigilError
from vigil_schemas.water import DOMAIN

_NAMESPACE: Final = uuid.UUID("0d0c1be4-7a44-5f0e-9d1a-6c3f5f1b7a10")
ALSO: Final = "also"
"""Why people are told again: another excursion of the same water."""
_DONE: Final = ("decided", "referred", "closed")
"""Of a case: what comes afterwards is another matter."""
NOTICED: Final = timedelta(minutes=15)
"""By so much two probes may differ in when they notice the same water."""
SLOWER: Final = 2
"""The water may be so many times slower than its reach says: low water, a gate half open."""
MOST_CANDIDATES: Final = 50
MOST_DEVICES: Final = 50


_MOST: Final = {
    "join_minutes": 1440.0,
    "reopen_minutes": 2880.0,
    "neighbour_m": 50_000.0,
    "longest_hours": 168.0,
    "false_per_week": 10.0,
}


class BadRule(VigilError):
    """A rule of incidents outside of its bounds."""

    code: ClassVar[str] = "bad-incident-rule"
    remedy: ClassVar[str] = "Give a number within the bounds that the message names."


@dataclass(frozen=True, slots=True)
class Rules:
    """What belongs together."""

    join: timedelta = timedelta(minutes=60)
    """So far apart, beside the time that the water takes, excursions are one incident."""
    reopen: timedelta = timedelta(minutes=120)
    """So long after its end an incident is opened again."""
    neighbour_m: float = 5000.0
    """Probes within this distance along the water are neighbours."""
    longest: timedelta = timedelta(hours=24)
    """What begins later after the first onset calls anew, whatever still lasts: a sensor that is
    stuck out of bounds must not hide the next discharge."""
    false_per_week: float = 0.4
    """False alarms of the detector per probe and week that are granted; 0: it calls nobody."""


class Span(NamedTuple):
    """From an onset to an end; ``None`` while it lasts."""

    started: datetime
    ended: datetime | None


def belongs(incident: Span, excursion: Span, travel: timedelta, rules: Rules) -> bool:
    """Whether an excursion goes on with another one of the same water. ``travel``: of the water
    between them. Pure."""
    if abs(excursion.started - incident.started) > rules.longest:
        return False
    if incident.ended is not None and excursion.started > incident.ended:
        return excursion.started - incident.ended <= max(rules.reopen, rules.join) + travel
    if excursion.ended is not None and excursion.ended < incident.started:
        return incident.started - excursion.ended <= rules.join + travel
    return True


def explained(upper: datetime, lower: datetime, travel: timedelta, rules: Rules) -> bool:
    """Whether the water may have carried what began at the upper of two probes to the lower one:
    neither before it could be noticed, nor long after it has come by. Pure."""
    delay = lower - upper
    return -min(rules.join, NOTICED) <= delay <= travel * SLOWER + rules.join


def rules_of(session: Session) -> Rules:
    """As the city has decided."""
    row = session.get(IncidentRules, 1)
    if row is None:
        return Rules()
    return Rules(
        timedelta(minutes=row.join_minutes),
        timedelta(minutes=row.reopen_minutes),
        row.neighbour_m,
        timedelta(hours=row.longest_hours),
        row.false_per_week,
    )


def in_numbers(rules: Rules) -> dict[str, float]:
    """As the city writes them: minutes, metres, hours, a number per week."""
    return {
        "join_minutes": rules.join / timedelta(minutes=1),
        "reopen_minutes": rules.reopen / timedelta(minutes=1),
        "neighbour_m": rules.neighbour_m,
        "longest_hours": rules.longest / timedelta(hours=1),
        "false_per_week": rules.false_per_week,
    }


class RulesChanged(ApiError):
    """Somebody else changed the rules since they were looked at."""

    code: ClassVar[str] = "water-rules-changed"
    remedy: ClassVar[str] = "Look at the rules as they are now, and decide again."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("Somebody changed these rules since you looked at them.")


def version_of(rules: Rules) -> str:
    """What tells two states of the rules apart."""
    return hashlib.sha256(repr(sorted(in_numbers(rules).items())).encode()).hexdigest()[:16]


def set_rules(
    session: Session,
    given: Mapping[str, float],
    by: str,
    now: datetime,
    *,
    version: str | None = None,
) -> None:
    """Change some of them. ``version``: of those that the writer looked at; ``None``: of whatever
    stands. Raises ``BadRule``, ``RulesChanged``."""
    audit.lock(session)  # two writers at once: the second compares with what the first wrote
    if version is not None and version != version_of(rules_of(session)):
        raise RulesChanged
    for name, value in given.items():
        if not 0 <= value <= _MOST[name]:
            raise BadRule(f"{name} lies between 0 and {_MOST[name]:g}.")
    row = session.get(IncidentRules, 1) or IncidentRules(id=1, **in_numbers(rules_of(session)))
    for name, value in given.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()
    audit.append(
        session,
        at=now,
        account=by,
        action="water.rules-changed",
        subject="rules",
        detail=dict(given),
    )


def find(session: Session, row: Excursion, now: datetime) -> Incident | None:
    """The incident that a new excursion is part of; its own probe's before a neighbour's, the
    nearest in time first."""
    rules = rules_of(session)
    ways = _ways(session, row.device, rules)
    margin = max(rules.join, rules.reopen) + SLOWER * max(
        travel for ways_to in ways.values() for _, travel in ways_to
    )
    query = (
        select(Incident)
        .where(
            Incident.started >= row.started - rules.longest,
            Incident.started <= row.started + rules.longest,
            or_(Incident.ended.is_(None), Incident.ended >= row.started - margin),
        )
        .order_by(Incident.started.desc())
        .limit(MOST_CANDIDATES)
    )
    put_aside = shelves.covering(session, row.device, row.parameter, now) is not None
    found: list[tuple[bool, timedelta, str, Incident]] = []
    for incident in session.scalars(query):
        parts = excursions_of(session, incident.id)
        if abs(row.started - incident.started) > rules.longest:
            continue
        if not any(_together(one, row, ways.get(one.device, ()), rules) for one in parts):
            continue
        if not _may_join(session, incident, put_aside, now):
            continue
        away = abs(row.started - incident.started)
        foreign = all(one.device != row.device for one in parts)
        found.append((foreign, away, incident.id, incident))
    return min(found, key=lambda one: one[:3])[3] if found else None


Direction = Literal["here", "above", "below"]


def _together(
    one: Excursion, row: Excursion, ways: Sequence[tuple[Direction, timedelta]], rules: Rules
) -> bool:
    """``ways``: where the probe of ``one`` lies from that of ``row``, and how far."""
    for direction, travel in ways:
        if direction == "here":
            spans = Span(one.started, one.ended), Span(row.started, row.ended)
            if belongs(*spans, travel, rules):
                return True
        else:
            upper, lower = (one, row) if direction == "above" else (row, one)
            if explained(upper.started, lower.started, travel, rules):
                return True
    return False


def _ways(
    session: Session, device: str, rules: Rules
) -> dict[str, list[tuple[Direction, timedelta]]]:
    """The device and its neighbours, where they lie along the water, and how long that takes. On
    a reach that turns a neighbour lies both above and below."""
    found: dict[str, list[tuple[Direction, timedelta]]] = {device: [("here", timedelta())]}
    station = register.station_of(session, device)
    if station is None:
        return found
    network = register.load(session)
    query = select(WaterPoint.id, WaterPoint.device).where(WaterPoint.device.is_not(None))
    devices = {spot: other for spot, other in session.execute(query) if other != device}
    sides: tuple[tuple[Direction, list[Way]], ...] = (
        ("above", network.upstream(station.id, rules.neighbour_m)),
        ("below", network.downstream(station.id, rules.neighbour_m)),
    )
    for direction, ways in sides:
        for way in ways:
            if (other := devices.get(way.spot)) is not None:
                travel = timedelta(seconds=way.travel_s)
                found.setdefault(other, []).append((direction, travel))
    return found


def _may_join(session: Session, incident: Incident, put_aside: bool, now: datetime) -> bool:
    alert = session.get(AlertRow, incident.alert_id)
    if alert is None or alert.kind == flood.MANY:
        return False
    held = state_of(alert).held(now) or state_of(alert).out_of_service
    if held != put_aside:
        return False
    case = (
        select(CaseRow.state)
        .join(CaseAlert, CaseAlert.case_id == CaseRow.id)
        .where(CaseAlert.alert_id == alert.id)
    )
    return session.scalar(case) not in _DONE


def found(session: Session, row: Excursion) -> Incident:
    """A new one, with the alert that was raised for its first excursion. The caller sets
    ``alert_id`` once that is there."""
    name = incident_id(row.id)
    incident = session.get(Incident, name)
    if incident is None:
        incident = Incident(id=name, alert_id="", founder=row.id)
        session.add(incident)
    incident.started, incident.ended = row.started, row.ended
    row.incident = incident.id
    return incident


def incident_id(founder: str) -> str:
    """Follows from its first excursion: told twice, it is one."""
    return str(uuid.uuid5(_NAMESPACE, founder))


def join(
    session: Session,
    incident: Incident,
    row: Excursion,
    marks: Mapping[str, Any],
    now: datetime,
) -> None:
    """The excursion is part of it from now on: the alert says so, and is open again where it was
    over."""
    row.incident, row.alert_id = incident.id, incident.alert_id
    session.flush()
    alert = session.get_one(AlertRow, incident.alert_id)
    rows = excursions_of(session, incident.id)
    others = [one.started for one in rows if one.id != row.id]
    in_hand = alert.acknowledged or alert.confirmed or state_of(alert).shelved(now)
    # After so long whoever was told of the others does not expect it any more.
    late = bool(others) and row.started - max(others) > rules_of(session).join
    if row.ended is None and not alert.active:
        reopen(session, alert, now)
        incident.ended = None
    _say(session, incident, alert, rows, marks, now)
    if in_hand or late:
        # Their people are told, once for each excursion; until somebody has it in hand again,
        # what follows soon calls nobody.
        tell_again(session, alert, f"{ALSO} {row.parameter[:20]} #{row.id[-12:]}", now)


def settle(session: Session, incident: Incident, now: datetime) -> None:
    """After one of its excursions has changed: what it says, and whether it is over."""
    alert = session.get(AlertRow, incident.alert_id)
    if alert is None:
        return
    rows = excursions_of(session, incident.id)
    incident.started = min(row.started for row in rows)
    ends = [row.ended for row in rows if row.ended is not None]
    incident.ended = max(ends) if len(ends) == len(rows) else None
    session.flush()
    if incident.ended is not None and alert.active:
        record(session, _of(alert, active=False, ended=incident.ended), now)


def excursions_of(session: Session, incident: str) -> Sequence[Excursion]:
    """In the order of their onsets."""
    query = select(Excursion).where(Excursion.incident == incident)
    return session.scalars(query.order_by(Excursion.started, Excursion.id)).all()


def _say(
    session: Session,
    incident: Incident,
    alert: AlertRow,
    rows: Sequence[Excursion],
    marks: Mapping[str, Any],
    now: datetime,
) -> None:
    devices = list(dict.fromkeys(row.device for row in rows))
    first = next((row for row in rows if row.id == incident.founder), rows[0])
    english, chinese = titles(first)
    more = len(rows) - 1
    if more:
        english += f", and {more} more"
        chinese += f"等 {more + 1} 項"
    if len(devices) > 1:
        english += f" at {len(devices)} probes"
        chinese += f"（{len(devices)} 個測站）"
    amendment = Amendment(
        title=english,
        title_zh=chinese,
        detail={
            "incident": incident.id,
            "excursions": len(rows),
            "devices": devices[:MOST_DEVICES],
            **marks,
        },
        reason="another excursion of the same incident",
    )
    amend(session, alert.id, amendment, now)


def _of(alert: AlertRow, *, active: bool, ended: datetime | None = None) -> Occurrence:
    """The alert that is there, as an occurrence."""
    return Occurrence(
        domain=DOMAIN,
        reference=alert.key.split(":", 2)[2],
        kind=alert.kind,
        gateway=alert.gateway,
        device=alert.device,
        parameter=alert.parameter,
        title=alert.title,
        title_zh=alert.title_zh,
        severity=severity_of(alert),
        event_time=alert.event_time,
        active=active,
        ended=ended,
    )


def severity_of(alert: AlertRow) -> Severity:
    """The word, checked."""
    return next(one for one in SEVERITIES if one == alert.severity)
