"""Levels by the hour, for figures over months: worked out from the time series, once an hour is
over, and anew where readings of it come late. Readings themselves are kept as long as the operator
says; the hours stay for as long as what was measured then."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert
from vigil_cloud.domain.port import Folded, Readings
from vigil_cloud.jobs.port import Job, Turn
from vigil_cloud.noise.models import LevelHour
from vigil_cloud.services import Services
from vigil_cloud.timeseries.port import Sample
from vigil_schemas.noise import DOMAIN
from vigil_schemas.senml import instant, microseconds
from vigil_schemas.types import QartodFlag

HOUR: Final = timedelta(hours=1)
SETTLED: Final = timedelta(minutes=5)
"""So long after its end an hour is worked out: most readings have come."""
AT_ONCE: Final = 200
"""Hours of one turn: a backlog does not keep the worker from everything else."""
MOST_MISSED: Final = 24 * 31
"""Hours that are asked for after the handler failed."""
_HOUR_US: Final = 3_600_000_000
_USABLE: Final = frozenset({QartodFlag.GOOD, QartodFlag.NOT_EVALUATED})
"""What was not calibrated is left in: before and since are heard by the same microphone."""


class LevelHours:
    """Asks for the hours that readings belong to. An hour that goes on is asked for once; one that
    is over, or older than the newest, each time: it may have been worked out already."""

    name: Final = "noise-level-hours"
    domains: Final = frozenset({DOMAIN})

    def fold(self, readings: Readings, state: Mapping[str, Any] | None) -> Folded | None:
        """See ``domain.port.ReadingHandler``. State: the newest hour that was asked for."""
        hours = {point.time_us // _HOUR_US for point in readings.points}
        if readings.missed_since is not None:
            first = microseconds(readings.missed_since) // _HOUR_US
            last = max(hours)
            hours |= set(range(max(first, last - MOST_MISSED), last))
        newest = -1 if state is None else int(state["newest"])
        received = microseconds(readings.received) // _HOUR_US
        asked = sorted(hour for hour in hours if hour > newest or hour < received or hour < newest)
        if not asked:
            return None

        def ask(session: Session) -> None:
            for hour in asked:
                row = insert(session, LevelHour).values(
                    device=readings.device,
                    hour=instant(hour * _HOUR_US),
                    asked=1,
                    done=0,
                    seconds=0,
                )
                session.execute(
                    row.on_conflict_do_update(
                        index_elements=["device", "hour"], set_={"asked": LevelHour.asked + 1}
                    )
                )

        return Folded({"newest": max(newest, *asked)}, ask)


def _due(now: datetime) -> Any:
    return select(LevelHour.id).where(
        LevelHour.asked > LevelHour.done, LevelHour.hour <= now - HOUR - SETTLED
    )


def _waiting(session: Session, now: datetime) -> bool:
    return session.scalar(_due(now).limit(1)) is not None


def fill(turn: Turn) -> int:
    """Work out what is due; how many hours. The time series is asked outside of transactions."""
    services = turn.services
    with services.sessions() as session:
        query = select(LevelHour.id, LevelHour.device, LevelHour.hour, LevelHour.asked).where(
            LevelHour.id.in_(_due(turn.now).order_by(LevelHour.hour).limit(AT_ONCE))
        )
        due = session.execute(query).all()
    done = 0
    for key, device, hour, asked in due:
        if turn.stopping.is_set():
            break
        found = _levels(services, device, hour)
        with writing(services.sessions) as session:
            session.execute(
                update(LevelHour).where(LevelHour.id == key).values(done=asked, **found)
            )
        done += 1
    return done


def _levels(services: Services, device: str, hour: datetime) -> dict[str, Any]:
    store = services.timeseries
    found: dict[str, list[float]] = {"LAeq": [], "LAFmax": []}
    for series in store.series(device):
        if series.domain == DOMAIN and series.parameter in found:
            found[series.parameter] += _usable(store.read(series, hour, hour + HOUR))
    return {
        "seconds": len(found["LAeq"]),
        "LAeq": energy_mean(found["LAeq"]),
        "LAFmax": max(found["LAFmax"], default=None),
    }


def _usable(samples: Iterable[Sample]) -> list[float]:
    return [one.value for one in samples if one.value is not None and one.flag in _USABLE]


def energy_mean(levels: Iterable[float]) -> float | None:
    """Of levels in dB, each for the same time; ``None`` of none."""
    energies = [10.0 ** (level / 10.0) for level in levels]
    return 10.0 * math.log10(sum(energies) / len(energies)) if energies else None


LEVEL_HOURS: Final = Job("noise-level-hours", timedelta(minutes=5), fill, waiting=_waiting)
