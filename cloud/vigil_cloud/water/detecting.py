"""The detector over what ingest has stored: one probe at a time, as work in the background.

A piece of work (``WATER_DETECTION``) reads the minutes since the last one from the time series,
judges them in a process of its own, and stores what follows with the detector's new state. Ingest
computes nothing and waits for nothing. What a gateway kept through an outage is judged when it
comes, in the order of its own times, and marked. Readings that come after their minute was judged,
and a state that cannot be read, lead to the same: all that is stored of the last weeks is judged
anew, which calls nobody for what was judged before. Who asks for it: ``following``.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import NewestReadings
from vigil_cloud.jobs.work import LATER, WorkKind, enqueue
from vigil_cloud.services import Services
from vigil_cloud.timeseries.port import TimeSeries
from vigil_cloud.water import anomalies
from vigil_cloud.water.detection.kinds import Kind, in_unit, kind_of
from vigil_cloud.water.detection.ledger import Anomaly, Ledger
from vigil_cloud.water.detection.station import Detector
from vigil_cloud.water.detection.verdict import Finding, Setting, verdict_of
from vigil_cloud.water.incidents import rules_of
from vigil_cloud.water.minutes import WINDOW_US, Row, begins, read
from vigil_cloud.water.models import DetectorState
from vigil_schemas.senml import microseconds

LEARNS_FROM: Final = timedelta(days=28)
"""What a station showed before it was followed teaches, and calls nobody."""
MOST: Final = timedelta(days=2)
"""Of one piece of work."""
STORED_IN: Final = {"dissolved_oxygen": 1e-3}
"""Times mg/L: oxygen is stored in kg/m³."""
LEARNS: Final = timedelta(days=3)
"""So long a detector learns before it calls anybody: its thresholds rest on daily maxima."""
ANEW_EVERY: Final = timedelta(hours=1)
"""Late readings of one probe are judged no more often: each time weeks are gone through."""
GRACE_US: Final = 15_000_000
"""So long after its end a minute is waited for: readings of one moment come in several messages,
and from several gateways."""
FAILS_S: Final = 6 * 3600.0
"""For longer no single signal is failed by a visit: that it gives nothing is told."""
STATE_BYTES: Final = 1_000_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a piece of work computes from. The minutes themselves are read where they are judged:
    weeks of them cost the asking process as much as their ingest did."""

    device: str
    version: int
    state: bytes | None
    timeseries: TimeSeries
    first_us: int
    stop_us: int
    until_us: int
    """Everything before this is judged already."""
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
    began_s: float
    """Since when the detector has learnt."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Instead: the state of this version cannot be gone on with."""

    version: int
    error: str


def fresh(device: str) -> dict[str, Any]:
    """The row of a probe that nothing is known of."""
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
        "anew_us": 0,
        "late_from_us": 0,
        "late_until_us": 0,
        "rejudged_from_us": 0,
        "rejudged_until_us": 0,
        "unjudged_us": 0,
    }


def load(services: Services, payload: Mapping[str, Any]) -> Asked:
    """Which minutes of one probe nobody has judged, and what its detector knows."""
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
    # Of a gateway that hands in a backlog the newest minute may be cut in two. Judged now, its
    # other half would be late, and weeks gone through again: it is judged once no more comes.
    ends_us = newest_us if payload.get("late_from_us") else newest_us + WINDOW_US
    stop_us = min(now_us - GRACE_US, ends_us) // WINDOW_US * WINDOW_US
    learns_us = newest_us - _microseconds(LEARNS_FROM)
    first_us = max(until_us, learns_us // WINDOW_US * WINDOW_US)
    return Asked(device, version, state, services.timeseries, first_us, stop_us, until_us, rate)


def minutes(asked: Asked) -> tuple[list[str], list[Row], int]:
    """Signals and minutes to be judged, of two days at most, and up to when they are. Raises
    ``TimeSeriesUnavailable``."""
    first_us, stop_us = asked.first_us, asked.stop_us
    if asked.state is None:
        first_us = begins(asked.timeseries, asked.device, first_us, stop_us)
    stop_us = max(first_us, min(stop_us, first_us + _microseconds(MOST)))
    names, rows = read(asked.timeseries, asked.device, first_us, stop_us)
    return names, rows, max(stop_us, asked.until_us)


def compute(asked: Asked) -> Judged | Unreadable:
    """The minutes through the detector."""
    return judge(asked, *minutes(asked))


def judge(
    asked: Asked, names: Sequence[str], rows: Sequence[Row], until_us: int
) -> Judged | Unreadable:
    """Pure. A state that cannot be gone on with is begun anew, which is told: one probe must not
    stand still for good."""
    try:
        detector, ledger = _opened(asked, names)
    except (ValueError, KeyError, TypeError, IndexError, zlib.error) as broken:
        return Unreadable(asked.version, f"{type(broken).__name__}: {broken}"[:200])
    flags: list[dict[str, Any]] = []
    score = 0.0
    for at, values, failed, suspect in rows:
        verdict = detector.step(at, values, suspect)
        # What the gateway itself calls failed (it is being cleaned, or out of range) is known.
        visit = bool(failed) and all(x is None or not isfinite(x) for x in values)
        findings = [
            one
            for one in verdict.findings
            if one.reason not in ("missing", "held")
            or not (visit or (one.signal in failed and at - one.since_s < FAILS_S))
        ]
        verdict = verdict_of(findings)
        ledger.take(at, verdict, detector.lasting, dict(zip(names, values, strict=True)))
        flags, score = [_flag(one) for one in findings], verdict.score
    kept = {"detector": detector.state(), "ledger": ledger.state()}
    state = zlib.compress(json.dumps(kept, allow_nan=False, separators=(",", ":")).encode())
    if len(state) > STATE_BYTES:
        raise ValueError(f"the state has {len(state)} bytes")
    return Judged(
        asked.version,
        state,
        until_us,
        detector.interval_s,
        len(rows),
        flags,
        min(score, 999.0),
        ledger.changed(),
        list(ledger.open),
        detector.began_s,
    )


def _opened(asked: Asked, names: Sequence[str]) -> tuple[Detector, Ledger]:
    # A rate of 0 calls nobody; the detector goes on learning at the lowest that it knows.
    setting = Setting(max(asked.false_per_week, 0.01))
    detector = Detector(names, setting=setting, kinds=_kinds(names))
    if asked.state is None:
        return detector, Ledger()
    kept = json.loads(zlib.decompress(asked.state))
    detector.restore(kept["detector"])
    return detector, Ledger(kept["ledger"])


def _kinds(names: Sequence[str]) -> list[Kind]:
    """What each measures, in the units in which readings are stored."""
    return [in_unit(kind_of(name), STORED_IN.get(name, 1.0)) for name in names]


def _flag(one: Finding) -> dict[str, Any]:
    return {
        "signal": one.signal,
        "reason": one.reason,
        "type": one.type,
        "score": round(min(one.score, 999.0), 3),
    }


def store(
    session: Session, payload: Mapping[str, Any], judged: Judged | Unreadable, now: datetime
) -> None:
    """The state and what follows, or neither: only onto the state that it was computed from."""
    device = str(payload["device"])
    insert_missing(session, DetectorState, [fresh(device)])
    row = session.get_one(DetectorState, device, with_for_update=True, populate_existing=True)
    _note_late(row, payload, now)
    if row.version != judged.version:
        _log.info("detection-overtaken", device=device)  # another piece of work was faster
        return
    newest = session.get(NewestReadings, device)
    # A reading ahead of our clock is waited for: nothing of it can be judged before.
    newest_us = 0 if newest is None else min(newest.newest_us, microseconds(now))
    if row.version == 0:
        row.armed_us = newest_us
    row.version += 1
    if isinstance(judged, Unreadable):
        _unreadable(session, row, judged, now)
    else:
        _go_on(session, row, judged, now)
    if late_is_due(row, now):
        _judge_late(row, now)
    over_us = min(newest_us, microseconds(now) - GRACE_US)
    if over_us >= row.until_us + WINDOW_US or row.until_us < min(row.anew_us, newest_us + 1):
        enqueue(session, WATER_DETECTION, device, {"device": device}, now=now, priority=LATER)


def _go_on(session: Session, row: DetectorState, judged: Judged, now: datetime) -> None:
    behind = row.until_us < row.anew_us
    row.state, row.until_us, row.interval_s = judged.state, judged.until_us, judged.interval_s
    row.rows += judged.rows
    if judged.rows:
        row.score, row.flags = judged.score, judged.flags
    if isfinite(judged.began_s):
        row.armed_us = max(row.armed_us, round(judged.began_s * 1e6) + _microseconds(LEARNS))
    caught_up = behind and row.until_us >= row.anew_us
    anomalies.follow(session, row, judged.changed, judged.standing, now, caught_up=caught_up)
    if row.error is not None and row.until_us >= max(row.anew_us, row.armed_us):
        row.error = row.error_at = None
        clear_platform(session, "detector-anew", _subject(row.device), now=now)


def _unreadable(session: Session, row: DetectorState, broken: Unreadable, now: datetime) -> None:
    """What is stored of the last weeks teaches it again; what it calls begins where it stood."""
    _log.error("detector-begun-anew", device=row.device, error=broken.error)
    row.error, row.error_at = broken.error, now
    if row.until_us >= row.anew_us:  # late readings of an earlier time are judged already
        row.rejudged_from_us = row.rejudged_until_us = 0
    _begin_anew(row)
    raise_platform(
        session,
        "detector-anew",
        _subject(row.device),
        severity="minor",
        title=f"{row.device}: the detector could not go on and learns anew"[:200],
        title_zh=f"{row.device}：偵測器無法延續，正在重新學習"[:200],
        device=row.device,
        detail={"code": "detector-anew", "explanation": broken.error},
        now=now,
    )


def _begin_anew(row: DetectorState) -> None:
    row.anew_us = max(row.anew_us, row.until_us)
    row.state, row.until_us = None, 0


def _note_late(row: DetectorState, payload: Mapping[str, Any], now: datetime) -> None:
    """Of the readings that the payload tells, those behind what was judged wait."""
    first_us, last_us = int(payload.get("late_from_us", 0)), int(payload.get("late_until_us", 0))
    if not 0 < first_us < max(row.until_us, row.anew_us):
        return
    oldest_us = microseconds(now) - _microseconds(LEARNS_FROM)
    if first_us < oldest_us:
        row.unjudged_us = max(row.unjudged_us, min(last_us, oldest_us))
        first_us = oldest_us
    last_us = min(last_us, max(row.until_us, row.anew_us) - 1)
    if last_us < first_us:
        return
    if first_us < row.until_us:
        row.late_from_us = min(row.late_from_us or first_us, first_us)
        row.late_until_us = max(row.late_until_us, last_us)
    else:  # what is being judged anew will come to them
        row.rejudged_from_us = min(row.rejudged_from_us or first_us, first_us)
        row.rejudged_until_us = max(row.rejudged_until_us, last_us)


def late_is_due(row: DetectorState, now: datetime) -> bool:
    """Whether late readings wait and may be judged by now."""
    if not row.late_from_us or row.until_us < row.anew_us:
        return False
    last = row.rejudged_at
    return last is None or not last <= now < last + ANEW_EVERY


def _judge_late(row: DetectorState, now: datetime) -> None:
    row.rejudged_from_us, row.rejudged_until_us = row.late_from_us, row.late_until_us
    row.late_from_us = row.late_until_us = 0
    row.rejudged_at = now
    _begin_anew(row)


def _microseconds(time: timedelta) -> int:
    return time // timedelta(microseconds=1)


def _subject(device: str) -> str:
    return anomalies.subject_of("detector", device)


def _both(waiting: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """Late readings of both."""
    late = [one for one in (waiting, new) if one.get("late_from_us")]
    if not late:
        return new
    return {
        "device": new["device"],
        "late_from_us": min(one["late_from_us"] for one in late),
        "late_until_us": max(one["late_until_us"] for one in late),
    }


WATER_DETECTION: Final = WorkKind("water-detection", load, compute, store, merge=_both)
