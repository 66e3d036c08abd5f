"""The detector over what ingest has stored: a job that asks for it, and work that does it.

``FOLLOW`` looks which probes have readings that nobody has judged; each of them is a piece of work
(``WATER_DETECTION``): the minutes since the last one are read from the time series, judged in a
process of its own, and what follows is stored with the detector's new state. Ingest computes
nothing and waits for nothing. What a gateway kept through an outage is judged when it comes, in the
order of its own times, and marked.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import nan
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, not_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import NewestReadings
from vigil_cloud.jobs.port import Job, Turn
from vigil_cloud.jobs.work import LATER, WorkKind, enqueue
from vigil_cloud.services import Services
from vigil_cloud.water import anomalies
from vigil_cloud.water.detection.ledger import Anomaly, Ledger
from vigil_cloud.water.detection.station import Detector
from vigil_cloud.water.detection.verdict import Finding, Setting
from vigil_cloud.water.incidents import rules_of
from vigil_cloud.water.models import DetectorState
from vigil_schemas.senml import instant, microseconds
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import DOMAIN

WINDOW_S: Final = 60.0
"""Readings of one minute are one row of the detector's."""
WINDOW_US: Final = 60_000_000
LEARNS_FROM: Final = timedelta(days=28)
"""What a station showed before it was followed teaches, and calls nobody."""
MOST: Final = timedelta(days=2)
"""Of one piece of work."""
GONE_AFTER: Final = timedelta(days=3)
"""A parameter that gave nothing for so long is none of the station's."""
THE_SAME: Final = {
    "conductivity": "specific_conductance",
    "salinity": "specific_conductance",
    "oxygen_saturation": "dissolved_oxygen",
}
"""What says the same as another one: they would agree with each other about any fault."""
TOGETHER: Final = 50
"""Probes of one turn."""
STATE_BYTES: Final = 1_000_000
_log = structlog.get_logger(__name__)

Row = tuple[float, list[float | None], frozenset[str]]
"""Seconds since 1970; a value of each signal, nan where the probe gave none, ``None`` where none
was due; signals whose readings the gateway itself calls failed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a piece of work computes from."""

    device: str
    version: int
    state: bytes | None
    names: list[str]
    rows: list[Row]
    until_us: int
    """Everything before this is judged afterwards."""
    false_per_week: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What comes out of it."""

    version: int
    state: bytes
    until_us: int
    interval_s: float
    rows: int
    flags: list[dict[str, Any]]
    """What was said of the last row, signal by signal."""
    score: float
    changed: list[Anomaly]
    standing: list[Anomaly]
    error: str = ""


def follow(turn: Turn) -> None:
    """Ask for work where there is something to judge."""
    now_us = microseconds(turn.now)
    with turn.services.sessions() as session:
        devices = session.scalars(_due(now_us).limit(TOGETHER)).all()
    if not devices:
        return
    with writing(turn.services.sessions) as session:
        gone = not_(exists().where(NewestReadings.device == DetectorState.device))
        session.execute(
            delete(DetectorState).where(gone).execution_options(synchronize_session=False)
        )
        for device in devices:
            payload = {"device": device}
            enqueue(session, WATER_DETECTION, device, payload, now=turn.now, priority=LATER)
        new = [_fresh(device) for device in devices]
        insert_missing(session, DetectorState, new)
        session.execute(
            update(DetectorState)
            .where(DetectorState.device.in_(devices))
            .values(asked_us=now_us)
            .execution_options(synchronize_session=False)
        )


def waiting(session: Session, now: datetime) -> bool:
    """Whether there is anything to ask for."""
    return session.scalar(_due(microseconds(now)).limit(1)) is not None


def _due(now_us: int) -> Select[str]:
    """Probes with whole minutes that nobody has judged, asked for no later than a minute ago."""
    until = func.coalesce(DetectorState.until_us, 0)
    newest = NewestReadings.newest_us
    whole: ColumnElement[bool] = or_(newest <= now_us - WINDOW_US, newest >= until + WINDOW_US)
    asked = func.coalesce(DetectorState.asked_us, 0)
    return (
        select(NewestReadings.device)
        .outerjoin(DetectorState, DetectorState.device == NewestReadings.device)
        .where(
            and_(
                NewestReadings.domain == DOMAIN,
                newest >= until,
                until + WINDOW_US <= now_us,
                whole,
                # Asked for in the future: the clock was set back since, and nobody waits for it.
                or_(asked <= now_us - WINDOW_US, asked > now_us),
            )
        )
        .order_by(asked, NewestReadings.device)
    )


def _fresh(device: str) -> dict[str, Any]:
    return {
        "device": device,
        "version": 0,
        "until_us": 0,
        "asked_us": 0,
        "armed_us": 0,
        "interval_s": 0.0,
        "rows": 0,
        "score": 0.0,
        "flags": [],
    }


def load(services: Services, payload: Mapping[str, Any]) -> Asked:
    """The minutes of one probe that nobody has judged, of two days at most."""
    device = str(payload["device"])
    now_us = microseconds(services.now())
    with services.sessions() as session:
        row = session.get(DetectorState, device)
        newest = session.get(NewestReadings, device)
        rate = rules_of(session).false_per_week
        until_us = 0 if row is None else row.until_us
        version = 0 if row is None else row.version
        state = None if row is None else row.state
        newest_us = 0 if newest is None else newest.newest_us
    stop_us = min(now_us, newest_us + WINDOW_US) // WINDOW_US * WINDOW_US
    learns_us = newest_us - LEARNS_FROM // timedelta(microseconds=1)
    first_us = max(until_us, learns_us // WINDOW_US * WINDOW_US)
    stop_us = max(first_us, min(stop_us, first_us + MOST // timedelta(microseconds=1)))
    names, rows = _rows(services, device, first_us, stop_us)
    return Asked(device, version, state, names, rows, max(stop_us, until_us), rate)


def _rows(
    services: Services, device: str, first_us: int, stop_us: int
) -> tuple[list[str], list[Row]]:
    latest = services.timeseries.latest(device)
    newest = max((one.time for one in latest.values()), default=None)
    given = {name for name, one in latest.items() if newest and newest - one.time <= GONE_AFTER}
    names = sorted(name for name in given if THE_SAME.get(name) not in given)
    found: dict[float, dict[str, tuple[float | None, int]]] = {}
    for series in services.timeseries.series(device) if first_us < stop_us else ():
        if series.parameter not in names or series.domain != DOMAIN:
            continue
        samples = services.timeseries.read(
            series, instant(first_us), instant(stop_us), window_s=WINDOW_S
        )
        for one in samples:
            cells = found.setdefault(one.time.timestamp(), {})
            if one.value is not None or series.parameter not in cells:
                cells[series.parameter] = one.value, one.flag
    return names, [_row(at, cells, names) for at, cells in sorted(found.items())]


def _row(at: float, cells: Mapping[str, tuple[float | None, int]], names: Sequence[str]) -> Row:
    values: list[float | None] = []
    for name in names:
        value, _ = cells.get(name, (None, 0))
        values.append(nan if value is None and name in cells else value)
    failed = frozenset(
        name for name, (value, flag) in cells.items() if value is None and flag == QartodFlag.FAIL
    )
    return at, values, failed


def compute(asked: Asked) -> Judged:
    """Pure: the rows through the detector. A state that cannot be gone on with is begun anew,
    which is told: one probe must not stand still for good."""
    error = ""
    try:
        detector, ledger = _opened(asked, asked.state)
    except (ValueError, KeyError, TypeError, IndexError, zlib.error) as broken:
        error = f"{type(broken).__name__}: {broken}"[:200]
        detector, ledger = _opened(asked, None)
    flags: list[dict[str, Any]] = []
    score = 0.0
    for at, values, failed in asked.rows:
        verdict = detector.step(at, values)
        # What the gateway itself calls failed (it is being cleaned, or out of range) is known.
        findings = [
            one
            for one in verdict.findings
            if not (one.reason in ("missing", "held") and (one.signal in failed or failed))
        ]
        verdict = type(verdict)(bool(findings), verdict.score, verdict.type, findings)
        ledger.take(at, verdict, detector.lasting, dict(zip(asked.names, values, strict=True)))
        flags, score = [_flag(one) for one in findings], verdict.score if findings else 0.0
    kept = {"detector": detector.state(), "ledger": ledger.state()}
    state = zlib.compress(json.dumps(kept, allow_nan=False, separators=(",", ":")).encode())
    if len(state) > STATE_BYTES:
        raise ValueError(f"the state has {len(state)} bytes")
    return Judged(
        asked.version,
        state,
        asked.until_us,
        detector.interval_s,
        len(asked.rows),
        flags,
        min(score, 999.0),
        ledger.changed(),
        list(ledger.open),
        error,
    )


def _opened(asked: Asked, state: bytes | None) -> tuple[Detector, Ledger]:
    # A rate of 0 calls nobody; the detector goes on learning at the lowest that it knows.
    detector = Detector(asked.names, setting=Setting(max(asked.false_per_week, 0.01)))
    if state is None:
        return detector, Ledger()
    kept = json.loads(zlib.decompress(state))
    detector.restore(kept["detector"])
    return detector, Ledger(kept["ledger"])


def _flag(one: Finding) -> dict[str, Any]:
    return {
        "signal": one.signal,
        "reason": one.reason,
        "type": one.type,
        "score": round(min(one.score, 999.0), 3),
    }


def store(session: Session, payload: Mapping[str, Any], judged: Judged, now: datetime) -> None:
    """The state and what follows, or neither: only onto the state that it was computed from."""
    device = str(payload["device"])
    insert_missing(session, DetectorState, [_fresh(device)])
    row = session.get_one(DetectorState, device, with_for_update=True, populate_existing=True)
    if row.version != judged.version:
        _log.info("detection-overtaken", device=device)  # another piece of work was faster
        return
    newest = session.get(NewestReadings, device)
    # A reading ahead of our clock is waited for: nothing of it can be judged before.
    newest_us = 0 if newest is None else min(newest.newest_us, microseconds(now))
    if row.version == 0:
        row.armed_us = newest_us
    row.version += 1
    row.state, row.until_us, row.interval_s = judged.state, judged.until_us, judged.interval_s
    row.rows += judged.rows
    if judged.rows:
        row.score, row.flags = judged.score, judged.flags
    if judged.error:
        _log.error("detector-begun-anew", device=device, error=judged.error)
        row.error, row.error_at = judged.error, now
    anew = bool(judged.error)
    anomalies.follow(session, row, judged.changed, judged.standing, now, anew=anew)
    if newest_us >= row.until_us + WINDOW_US:
        enqueue(session, WATER_DETECTION, device, {"device": device}, now=now, priority=LATER)


WATER_DETECTION: Final = WorkKind("water-detection", load, compute, store)
FOLLOW: Final = Job("water-detection-followed", timedelta(seconds=20), follow, waiting=waiting)
