"""How a probe does: its readings hour by hour, worked out from the time series.

``ProbeCondition`` follows the readings and only notices which hours are complete, or were
completed later by what a gateway kept through an outage; the hours themselves are computed as
work, from what is stored, so that repetitions and reorderings change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from sqlalchemy import delete
from sqlalchemy.orm import Session

from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.upsert import insert
from vigil_cloud.domain.port import Folded, Readings, Together
from vigil_cloud.jobs.work import LATER, WorkKind, enqueue_all
from vigil_cloud.services import Services
from vigil_cloud.timeseries.port import TimeSeries
from vigil_cloud.water.models import ProbeHour
from vigil_schemas.senml import instant, microseconds
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import BESIDE_THE_WATER, DOMAIN

HOUR_US: Final = 3_600_000_000
MOST_HOURS: Final = 48
"""Of one piece of work; what lies further back is left as it is."""
KEPT: Final = timedelta(days=30)
WINDOW_S: Final = 10.0
"""Means of so many seconds are looked at: a probe that reads ten times a second says no more."""
FLAT_LEAST: Final = 30
"""Windows of an hour that have to hold the same value for the parameter to count as flat
(QARTOD flat line test; a sensor that is stuck, or has fallen dry)."""


class Asked(NamedTuple):
    """Which hours of one probe, and where they are stored."""

    device: str
    first_us: int
    stop_us: int
    timeseries: TimeSeries


class Hours(NamedTuple):
    """Windows of one probe: by parameter (start in µs since 1970, value, flag)."""

    first_us: int
    stop_us: int
    windows: Mapping[str, list[tuple[int, float | None, int]]]


class Hour(NamedTuple):
    """One hour of one probe."""

    start_us: int
    readings: int
    good: int
    longest_gap_s: float
    flat: list[str]


class ProbeCondition:
    """Follows water probes; see ``domain.port.ReadingHandler`` for what is promised."""

    name: Final = "water-probe-condition"
    domains: Final = frozenset({DOMAIN})

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:
        """State: ``hour_us``, the start of the newest hour that was begun."""
        known_us: int | None = state["hour_us"] if state else None
        hours = _hours(readings)
        newest_us = max(hours) if known_us is None else max(known_us, *hours)
        over = {hour for hour in hours if hour < newest_us}
        if known_us is not None and known_us < newest_us:
            over.add(known_us)
        if readings.missed_since is not None:
            over.add(min(newest_us, microseconds(readings.missed_since) // HOUR_US * HOUR_US))
        if newest_us == known_us and not over:
            return None
        payload = {"device": readings.device, "from_us": min(over, default=0), "to_us": newest_us}
        return Folded({"hour_us": newest_us}, None, Together(self._ask, payload) if over else None)

    def _ask(self, session: Session, payloads: Sequence[Mapping[str, Any]]) -> None:
        enqueue_all(
            session,
            PROBE_HOURS,
            {payload["device"]: payload for payload in payloads},
            now=self._now(),
            priority=LATER,
        )


def load(services: Services, payload: Mapping[str, Any]) -> Asked:
    """Which hours; they are read where they are counted."""
    stop_us = int(payload["to_us"])
    first_us = max(int(payload["from_us"]), stop_us - MOST_HOURS * HOUR_US)
    return Asked(str(payload["device"]), first_us, stop_us, services.timeseries)


def compute(asked: Asked) -> list[Hour]:
    """Each hour's windows counted. Raises ``TimeSeriesUnavailable``."""
    found: dict[str, list[tuple[int, float | None, int]]] = {}
    stored = asked.timeseries.read_all(
        asked.device, instant(asked.first_us), instant(asked.stop_us), window_s=WINDOW_S
    )
    for series, samples in stored.items():
        if series.parameter in BESIDE_THE_WATER:
            continue
        windows = found.setdefault(series.parameter, [])
        windows += [(microseconds(one.time), one.value, one.flag) for one in samples]
    return counted(Hours(asked.first_us, asked.stop_us, found))


def counted(hours: Hours) -> list[Hour]:
    """Pure. An hour without a window is there as well: it is what an outage looks like."""
    found = []
    for start_us in range(hours.first_us, hours.stop_us, HOUR_US):
        end_us = start_us + HOUR_US
        of_hour = {
            parameter: sorted(one for one in windows if start_us <= one[0] < end_us)
            for parameter, windows in hours.windows.items()
        }
        every = [one for windows in of_hour.values() for one in windows]
        times = sorted({one[0] for one in every})
        edges = [start_us, *times, end_us]
        gap_us = max(b - a for a, b in pairwise(edges))
        good = sum(flag == QartodFlag.GOOD for _, _, flag in every)
        flat = sorted(parameter for parameter, windows in of_hour.items() if _flat(windows))
        found.append(Hour(start_us, len(every), good, gap_us / 1e6, flat))
    return found


def _hours(readings: Readings) -> set[int]:
    """The starts of the hours that hold any of them."""
    first = readings.points[0].time_us // HOUR_US * HOUR_US
    if readings.points[-1].time_us < first + HOUR_US:
        return {first}  # nearly always: they are in order
    return {point.time_us // HOUR_US * HOUR_US for point in readings.points}


def _flat(windows: list[tuple[int, float | None, int]]) -> bool:
    values = [value for _, value, _ in windows if value is not None]
    return len(values) >= FLAT_LEAST and min(values) == max(values)


def store(session: Session, payload: Mapping[str, Any], hours: list[Hour], now: datetime) -> None:
    """Each hour replaces what was known of it."""
    device = str(payload["device"])
    statement = insert(session, ProbeHour)
    changed = ("readings", "good", "longest_gap_s", "flat")
    if hours:
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["device", "hour"],
                set_={name: statement.excluded[name] for name in changed},
            ),
            [
                {
                    "device": device,
                    "hour": instant(hour.start_us),
                    "readings": hour.readings,
                    "good": hour.good,
                    "longest_gap_s": hour.longest_gap_s,
                    "flat": hour.flat,
                }
                for hour in hours
            ],
        )
    if not ages_hold(session, now):
        return
    old = (ProbeHour.device == device) & (ProbeHour.hour < now - KEPT)
    session.execute(delete(ProbeHour).where(old).execution_options(synchronize_session=False))


def _both(waiting: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "device": new["device"],
        "from_us": min(waiting["from_us"], new["from_us"]),
        "to_us": max(waiting["to_us"], new["to_us"]),
    }


PROBE_HOURS: Final = WorkKind(
    "water-probe-hours", load, compute, store, merge=_both, settle=timedelta(minutes=5)
)
"""Not at once: a gateway that was away hands in many hours one after the other, and a city's probes
begin their hours together, while their readings are on the way."""
