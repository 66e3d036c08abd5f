"""What follows from what the detector says: a water event calls inspectors, a fault of the sensor
is a notice for whoever maintains it.

A water event is an excursion of its own kind: part of an incident that is there, or the first of
one. A sensor's fault is an alert of the platform, told once it has lasted, and never a call of
inspectors'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.platform import clear_platform, raise_platform
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.devices.models import Device
from vigil_cloud.domain.aside import Aside
from vigil_cloud.water import incidents, onsets
from vigil_cloud.water.detection.ledger import Anomaly
from vigil_cloud.water.incidents import rules_of, severity_of
from vigil_cloud.water.models import AnomalyRow, DetectorState, Excursion, Incident
from vigil_cloud.water.titles import PARAMETERS, UNITS, titles
from vigil_schemas.types import isoformat_utc
from vigil_schemas.water import DOMAIN

KIND: Final = "anomaly"
"""Of an excursion that no bound was crossed in."""
LATE: Final = timedelta(minutes=15)
"""What is found so long after it was measured was caught up with."""
_LASTS: Final = {
    "stuck": timedelta(),
    "noise": timedelta(hours=1),
    "empty": timedelta(hours=1),
    "collapsed": timedelta(hours=1),
}
"""So long a fault lasts before somebody is told; a visit is shorter."""
_OTHERS_LAST: Final = timedelta(hours=6)
_RECURS: Final = 6
"""Faults of a day that are told though each is over at once."""
_RECENT: Final = timedelta(days=1)
"""What was last seen longer ago is history: it is written down, and sends nobody."""
_AFTER_US: Final = 3_600_000_000
"""What late readings lead to may be found so long after them."""
_SAME_EVENT: Final = timedelta(hours=1)
"""So far apart two findings of a signal are of one event."""
_LONGEST_NAME: Final = 130
_LONGEST_SUBJECT: Final = 60
_WORDS: Final = {
    "missing": ("no reading", "無讀值"),
    "empty": ("not in the water", "離水"),
    "held": ("held by the logger", "記錄器重複舊值"),
    "stuck": ("stands still", "讀值不變"),
    "spike": ("spikes", "突波"),
    "step": ("steps", "階躍"),
    "collapsed": ("collapsed", "讀值驟降"),
    "noise": ("noisy", "雜訊"),
    "drift": ("drifts", "漂移"),
}


@dataclass(frozen=True, slots=True)
class _Station:
    """Whose anomalies they are."""

    device: str
    gateway: str
    name: str
    name_zh: str


def follow(
    session: Session,
    state: DetectorState,
    changed: Sequence[Anomaly],
    standing: Sequence[Anomaly],
    now: datetime,
    *,
    caught_up: bool = False,
) -> None:
    """Write down what changed, tell what is to be told, in the caller's transaction.

    ``caught_up``: all that was judged before has been judged anew. What is open and was not found
    again is over then: an alert must not stand for good.
    """
    known = session.get(Device, state.device)
    station = _Station(
        state.device,
        "" if known is None else known.gateway,
        state.device if known is None else known.name or state.device,
        state.device if known is None else known.name_zh or known.name or state.device,
    )
    if changed or caught_up:
        feed.lock(session)
    calls = rules_of(session).false_per_week > 0
    again = {_name(state.device, one) for one in (*changed, *standing)}
    for one in changed:
        row = _written(session, state, one, now)
        if row is not None and one.type == "water":
            may_call = calls and one.found_s * 1e6 > state.armed_us and not _before(state, one)
            _adopt(session, state, one, row, again)
            _event(session, station, one, row, now, may_call=may_call)
    if caught_up:
        _found_again(session, station, state, standing, now)
        _not_lost(session, station, state, standing, now, calls=calls)
    if known is not None:
        _notice(session, station, standing, now)


def _before(state: DetectorState, one: Anomaly) -> bool:
    """Whether it was found in what had been judged before and is judged anew: what it called then
    it called. What late readings bring among it is new."""
    found_us = one.found_s * 1e6
    new = state.rejudged_from_us <= found_us <= state.rejudged_until_us + _AFTER_US
    return found_us <= state.anew_us and not new


def _written(
    session: Session, state: DetectorState, one: Anomaly, now: datetime
) -> AnomalyRow | None:
    """``None``: it is of what was judged before, which stays as it was written down."""
    row = session.get(AnomalyRow, _name(state.device, one))
    if _before(state, one) and (row is None or row.ended is not None):
        return None
    if row is None:
        row = _row(state, one, now)
        session.add(row)
    row.last, row.score = _time(one.last_s), one.score
    row.by, row.extreme_value = one.by, one.extreme
    row.ended = row.last if one.over else None
    session.flush()
    return row


def _name(device: str, one: Anomaly) -> str:
    return f"{device}:{one.key}"[:190]


def _row(state: DetectorState, one: Anomaly, now: datetime) -> AnomalyRow:
    found = _time(one.found_s)
    return AnomalyRow(
        id=_name(state.device, one),
        device=state.device,
        parameter=one.signal,
        type=one.type,
        reason=one.reason,
        started=_time(one.since_s),
        found=found,
        onset_value=one.value,
        last=_time(one.last_s),
        ended=None,
        score=one.score,
        by=one.by,
        extreme_value=one.extreme,
        late=now - found > LATE,
        learning=one.found_s * 1e6 <= state.armed_us,
    )


def _event(
    session: Session,
    station: _Station,
    one: Anomaly,
    row: AnomalyRow,
    now: datetime,
    *,
    may_call: bool,
) -> None:
    """``may_call``: what goes on is brought up to date whether new ones call or not."""
    name = row.excursion or excursion_name(station.gateway, station.device, one)
    excursion = session.get(Excursion, name)
    if excursion is None:
        if not may_call:
            return
        excursion = Excursion(
            id=name,
            gateway=station.gateway,
            device=station.device,
            parameter=one.signal,
            unit=UNITS.get(one.signal),
            kind=KIND,
            limit=None,
            onset_value=one.value,
            started=row.started,
            ended=row.ended,
            incident=None,
        )
        row.excursion = name
        told, aside = _Told(session, station, row, excursion, now), Aside(session)
        onsets.begin(session, excursion, onsets.Onset({}, now, told.alert), aside)
        _tell_failed(session, station, aside, now)
        return
    excursion.extreme_value = one.extreme
    if one.over:
        _end(session, station, row, excursion, now)


def excursion_name(gateway: str, device: str, one: Anomaly) -> str:
    """The same whenever it is worked out. Cut off, a name would lose its time, and a later event
    would be taken for this one."""
    name = f"{gateway}:detector-{device}-{one.key}"
    return name if len(name) <= _LONGEST_NAME else f"{gateway}:detector-{_short(name)}"


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _end(
    session: Session, station: _Station, row: AnomalyRow, excursion: Excursion, now: datetime
) -> None:
    if excursion.ended is not None:
        return
    excursion.ended = row.ended
    incident = None if excursion.incident is None else session.get(Incident, excursion.incident)
    told = _Told(session, station, row, excursion, now)
    if incident is None:
        told.alert(active=False, incident=None)
        return
    if incident.founder == excursion.id:  # whether it is over, all of the incident decides
        told.alert(active=True, incident=incident.id)
    incidents.settle(session, incident, now)


def _found_again(
    session: Session,
    station: _Station,
    state: DetectorState,
    standing: Sequence[Anomaly],
    now: datetime,
) -> None:
    """What is open goes on in what the detector now knows of the same signal, or ends where it was
    last seen."""
    query = select(AnomalyRow).where(
        AnomalyRow.device == station.device, AnomalyRow.ended.is_(None)
    )
    known = {_name(state.device, one): one for one in standing}
    of_signal: dict[tuple[str, str], Anomaly] = {(one.signal, one.type): one for one in standing}
    for row in session.scalars(query).all():
        if row.id in known:
            continue
        row.ended = row.last
        other = of_signal.get((row.parameter, row.type))
        if other is not None:  # the same event, found at another moment
            name = _name(state.device, other)
            heir = session.get(AnomalyRow, name)
            if heir is None:
                heir = _row(state, other, now)
                session.add(heir)
            if heir.excursion is None:
                heir.excursion, row.excursion = row.excursion, None
                continue
        excursion = None if row.excursion is None else session.get(Excursion, row.excursion)
        if excursion is not None:
            _end(session, station, row, excursion, now)


def _adopt(
    session: Session, state: DetectorState, one: Anomaly, row: AnomalyRow, again: Collection[str]
) -> None:
    """What is judged anew may find the same event at another minute: inspectors were called for it
    then. ``again``: rows that it finds as they were."""
    if row.excursion is not None or one.found_s * 1e6 > state.anew_us:
        return
    other = session.scalar(
        select(AnomalyRow)
        .where(
            AnomalyRow.device == row.device,
            AnomalyRow.parameter == row.parameter,
            AnomalyRow.type == row.type,
            AnomalyRow.id.not_in({row.id, *again}),
            AnomalyRow.excursion.is_not(None),
            AnomalyRow.started <= row.last + _SAME_EVENT,
            AnomalyRow.last >= row.started - _SAME_EVENT,
        )
        .order_by(AnomalyRow.found.desc())
        .limit(1)
    )
    if other is None:
        return
    row.excursion = other.excursion
    if other.ended is None:  # it goes on in this one, which alone may end it
        other.excursion = None


def _not_lost(
    session: Session,
    station: _Station,
    state: DetectorState,
    standing: Sequence[Anomaly],
    now: datetime,
    *,
    calls: bool,
) -> None:
    """What goes on now, though what had been judged before knew nothing of it, is written down and
    calls: nothing later would."""
    again = {_name(state.device, one) for one in standing}
    for one in standing:
        if one.type != "water" or session.get(AnomalyRow, _name(state.device, one)) is not None:
            continue
        row = _row(state, one, now)
        session.add(row)
        session.flush()
        _adopt(session, state, one, row, again)
        may_call = calls and one.found_s * 1e6 > state.armed_us
        _event(session, station, one, row, now, may_call=may_call)


def _tell_failed(session: Session, station: _Station, aside: Aside, now: datetime) -> None:
    """People were called; whoever maintains the cloud hears what else went wrong, until an event of
    this probe goes through."""
    subject = subject_of("incident", station.device)
    complaint = aside.complaint
    if complaint is None:
        clear_platform(session, "incident-failed", subject, now=now)
        return
    raise_platform(
        session,
        "incident-failed",
        subject,
        severity="major",
        title=f"{station.name}: an event was told, but its incident failed",
        title_zh=f"{station.name_zh}：事件已通知，但事故處理失敗",
        device=station.device,
        detail={"explanation": complaint.detail},
        now=now,
    )


def subject_of(what: str, device: str) -> str:
    """Of at most 60 characters, by which alerts are told apart."""
    subject = f"{what}:{device}"
    return subject if len(subject) <= _LONGEST_SUBJECT else f"{what}:{_short(device)}"


@dataclass(frozen=True, slots=True)
class _Told:
    """One water event, as an alert of its own."""

    session: Session
    station: _Station
    row: AnomalyRow
    excursion: Excursion
    now: datetime

    def alert(self, active: bool, incident: str | None) -> AlertRow:
        """Raised, or brought up to date."""
        excursion, row, station = self.excursion, self.row, self.station
        place = place_of(self.session, excursion.device)
        title, title_zh = titles(excursion)
        reference = excursion.id.partition(":")[2]
        key = f"{DOMAIN}:{station.gateway}:{reference}"
        standing = self.session.scalar(select(AlertRow).where(AlertRow.key == key))
        detail = {
            "parameter": excursion.parameter,
            "unit": excursion.unit,
            "value": row.onset_value,
            "by": row.by,
            "score": row.score,
            "started": isoformat_utc(row.started),
            "ended": None if row.ended is None else isoformat_utc(row.ended),
            "late": row.late,
        }
        if incident is not None:
            detail["incident"] = incident
        return record(
            self.session,
            Occurrence(
                domain=DOMAIN,
                reference=reference,
                kind=KIND,
                gateway=station.gateway,
                device=excursion.device,
                parameter=excursion.parameter,
                title=title,
                title_zh=title_zh,
                severity="major" if standing is None else severity_of(standing),
                event_time=excursion.started,
                active=active,
                ended=None if active else excursion.ended,
                detail=detail,
                supersedes=excursion.ended is not None,
                latitude=place.latitude,
                longitude=place.longitude,
            ),
            self.now,
        )


def _notice(
    session: Session, station: _Station, standing: Sequence[Anomaly], now: datetime
) -> None:
    """Raise the maintainer's notice, or clear it."""
    wrong = {
        one.signal: one.reason
        for one in standing
        if one.type == "sensor"
        and _time(one.last_s) > now - _RECENT
        and _lasts(one) >= _LASTS.get(one.reason, _OTHERS_LAST)
    }
    recent = select(AnomalyRow.parameter, AnomalyRow.reason).where(
        AnomalyRow.device == station.device,
        AnomalyRow.type == "sensor",
        AnomalyRow.found > now - _RECENT,
    )
    often: dict[str, list[str]] = {}
    for parameter, reason in session.execute(recent.order_by(AnomalyRow.found)):
        often.setdefault(parameter, []).append(reason)
    wrong |= {
        parameter: reasons[-1]
        for parameter, reasons in often.items()
        if len(reasons) >= _RECURS and parameter not in wrong
    }
    subject = subject_of("sensor", station.device)
    if not wrong:
        clear_platform(session, "sensor-fault", subject, gateway=station.gateway, now=now)
        return
    raise_platform(
        session,
        "sensor-fault",
        subject,
        severity="minor",
        title=f"{station.name}: {_said(wrong, 0, ' ', ', ')}",
        title_zh=f"{station.name_zh}：{_said(wrong, 1, '', '、')}",
        gateway=station.gateway,
        device=station.device,
        detail={"code": "sensor-fault", "explanation": _said(wrong, 0, " ", ", ")},
        now=now,
    )


def _said(wrong: Mapping[str, str], language: int, between: str, comma: str) -> str:
    names = {one: PARAMETERS.get(one, (one, one))[language] for one in wrong}
    words = {why: _WORDS.get(why, (why, why))[language] for why in wrong.values()}
    return comma.join(f"{names[one]}{between}{words[why]}" for one, why in sorted(wrong.items()))


def _lasts(one: Anomaly) -> timedelta:
    return timedelta(seconds=one.last_s - one.since_s)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
