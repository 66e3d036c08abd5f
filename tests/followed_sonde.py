"""A sonde in a canal that the detector follows in service."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from cloud_city import GATEWAY, NOON, City
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform import standing
from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.newest import record_newest
from vigil_cloud.domain.port import Readings
from vigil_cloud.jobs.models import WorkRow
from vigil_cloud.jobs.port import Turn
from vigil_cloud.jobs.worker import Worker
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water import following
from vigil_cloud.water.detecting import WATER_DETECTION
from vigil_cloud.water.models import AnomalyRow
from vigil_schemas.senml import microseconds
from vigil_schemas.types import QartodFlag

NAMES = ("temperature", "specific_conductance", "pH", "dissolved_oxygen")


SONDE = "sonde-1"


QUARTER = timedelta(minutes=15)


DAY = 96


LEARNT = 6 * DAY


FOLLOWED = NOON - QUARTER + timedelta(minutes=2)


Floats = NDArray[np.float64]


def canal(rows: int, seed: int = 5) -> Floats:
    """A daily course and noise, in the units that are stored."""
    random = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(rows) / DAY
    return np.stack(
        [
            18 + 2 * np.sin(phase) + random.normal(0, 0.02, rows),
            (430 + 6 * np.sin(phase / 2) + random.normal(0, 0.5, rows)) * 1e-4,
            7.9 + 0.15 * np.sin(phase) + random.normal(0, 0.006, rows),
            (8.5 + 0.8 * np.sin(phase) + random.normal(0, 0.03, rows)) * 1e-3,
        ],
        axis=1,
    )


def stored(
    city: City,
    values: Floats,
    first: datetime,
    flags: dict[tuple[int, str], QartodFlag] | None = None,
) -> None:
    """As ingest leaves them: in the time series, and the newest beside it."""
    points = []
    for number, row in enumerate(values.tolist()):
        at = microseconds(first + number * QUARTER)
        for name, value in zip(NAMES, row, strict=True):
            flag = (flags or {}).get((number, name), QartodFlag.GOOD)
            gone = isnan(value)
            points.append(
                Point(
                    Series("water", GATEWAY, SONDE, name),
                    at,
                    None if gone else value,
                    QartodFlag.MISSING if gone else flag,
                )
            )
    city.services.timeseries.write(points)
    newest = {one.series.parameter: one for one in points}
    with writing(city.services.sessions) as session:
        record_newest(session, {SONDE: newest})


def judged(city: City) -> int:
    """Everything that can be judged now is; how many pieces of work that took."""
    worker, done = Worker(city.services, [WATER_DETECTION], "worker", processes=0), 0
    while True:
        with city.services.sessions() as session:
            if not following.waiting(session, city.time) and not session.scalar(
                select(WorkRow.id).where(
                    WorkRow.kind == WATER_DETECTION.name, WorkRow.due <= city.time
                )
            ):
                return done
        following.follow(Turn(city.services, city.time))
        while worker.do_one():
            done += 1


def found(city: City) -> list[AnomalyRow]:
    with city.services.sessions() as session:
        return list(session.scalars(select(AnomalyRow).order_by(AnomalyRow.found, AnomalyRow.id)))


def water(city: City) -> list[dict[str, Any]]:
    return city.alerts("inspector", domain="water")


def told(city: City, kind: PlatformKind) -> list[AlertRow]:
    with city.services.sessions() as session:
        return standing(session, kind)


def detection(city: City) -> dict[str, Any]:
    shown: dict[str, Any] = (
        city.client("inspector").get(f"/api/v1/water/probes/{SONDE}/detection").json()
    )
    return shown


def faults(city: City) -> list[str]:
    with city.services.sessions() as session:
        return [one.title for one in standing(session, "sensor-fault")]


def course() -> Floats:
    """What the probe shows, from the first reading on."""
    return canal(LEARNT + 3 * DAY)


def goes_on(city: City, values: Floats, together: int = 1) -> None:
    """So many readings after the other, judged a minute after they came."""
    for first in range(0, len(values), together):
        some = values[first : first + together]
        stored(city, some, city.time - timedelta(minutes=2) + QUARTER)
        city.time += len(some) * QUARTER
        judged(city)


def failing(*_: object) -> None:
    raise ValueError("the register is torn")


def calls(city: City) -> int:
    """Alerts of the water; sessions do not last for the days that pass here."""
    with city.services.sessions() as session:
        return len(session.scalars(select(AlertRow).where(AlertRow.domain == "water")).all())


def late(city: City, first: datetime, last: datetime) -> None:
    """As ingest tells the domain."""
    points = [
        Point(Series("water", GATEWAY, SONDE, "pH"), microseconds(at), 7.9, 1)
        for at in (first, last)
    ]
    told = Readings(SONDE, "water", points, city.time, catching_up=True)
    folded = following.LateReadings(lambda: city.time).fold(told, None)
    assert folded is not None
    assert folded.together is not None
    with writing(city.services.sessions) as session:
        folded.together.write(session, [folded.together.of])
    assert WATER_DETECTION.name not in due(city), "it waits for more of the same probe"
    city.time += following.SETTLES


def due(city: City) -> list[str]:
    with city.services.sessions() as session:
        return list(session.scalars(select(WorkRow.kind).where(WorkRow.due <= city.time)))
