"""The newest stored reading of each device, kept beside the time series for open screens.

Written by ingest in the transaction that moves the watermark, after the time series has the
readings: what is shown is stored, and what is stored is announced. Merging is idempotent and
does not depend on the order of messages; a reading of the same time replaces the one before, as
in the time series.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database import changes
from vigil_cloud.database.upsert import insert_missing, table_of
from vigil_cloud.devices.models import NewestReadings, ReadingState
from vigil_cloud.timeseries.port import Point

_SERIES: Final = itemgetter(0)
_TIME: Final = itemgetter(1)
_PARAMETER: Final = itemgetter(3)
_TABLE: Final = table_of(NewestReadings)
# Made once: for every batch of readings, to make a statement costs more than to run it.
_LOCKED: Final = (
    select(_TABLE.c.device, _TABLE.c.domain, _TABLE.c.readings)
    .where(_TABLE.c.device.in_(bindparam("names", expanding=True)))
    .order_by(_TABLE.c.device)
    .with_for_update()
)
_STORE: Final = (
    update(_TABLE)
    .where(_TABLE.c.device == bindparam("which"))
    .values(
        domain=bindparam("of"),
        newest_us=bindparam("newest_now"),
        readings=bindparam("readings_now", type_=_TABLE.c.readings.type),
    )
)


class Newest(NamedTuple):
    """What is known of one device: by parameter (time in µs since 1970, value, flag)."""

    domain: str
    readings: Mapping[str, list[Any]]


def newest_of(points: Iterable[Point]) -> dict[str, Point]:
    """Of one device: by parameter its newest point; of the same time the later in order."""
    # Sorted by time and folded into a dictionary by functions in C, each some tens of
    # nanoseconds for a point: a loop here costs ingest several percent. By the parameter alone: to
    # hash a whole series costs as much as the rest.
    ordered = sorted(points, key=_TIME)
    return dict(zip(map(_PARAMETER, map(_SERIES, ordered)), ordered, strict=True))


def record_newest(session: Session, found: Mapping[str, Mapping[str, Point]]) -> None:
    """Keep what is newer than what is known, and announce it with the commit."""
    if not found:
        return
    names = sorted(found)
    known = _locked(session, names)
    missing = [name for name in names if name not in known]
    if missing:
        insert_missing(
            session,
            NewestReadings,
            [
                {"device": name, "domain": _domain(found[name]), "newest_us": 0, "readings": {}}
                for name in missing
            ],
        )
        known |= _locked(session, missing)
    rows = []
    for name in names:
        domain, before = known[name]
        merged = dict(before)
        for parameter, point in found[name].items():
            if parameter not in before or point.time_us >= before[parameter][0]:
                merged[parameter] = [point.time_us, point.value, point.flag]
        if merged != before:
            newest = max(reading[0] for reading in merged.values())
            domain = _domain(found[name])
            rows.append({"which": name, "of": domain, "newest_now": newest, "readings_now": merged})
    if not rows:
        return
    session.connection().execute(_STORE, rows)
    changes.announce(session, "reading", (row["which"] for row in rows))


def newest(session: Session, devices: Collection[str]) -> dict[str, Newest]:
    """What is known of these devices, in one query."""
    columns = table_of(NewestReadings).c
    query = select(columns.device, columns.domain, columns.readings)
    rows = session.execute(query.where(columns.device.in_(list(devices))))
    return {device: Newest(domain, readings) for device, domain, readings in rows}


def forget(session: Session, devices: Collection[str]) -> None:
    """Of devices whose readings were erased."""
    names = list(devices)
    session.execute(delete(NewestReadings).where(NewestReadings.device.in_(names)))
    session.execute(delete(ReadingState).where(ReadingState.device.in_(names)))
    changes.forget(session, "reading", names)


def expire(session: Session, domain: str, before_us: int) -> int:
    """Drop what is older than the readings that are kept; how many."""
    return len(
        session.scalars(
            delete(NewestReadings)
            .where(NewestReadings.domain == domain, NewestReadings.newest_us < before_us)
            .returning(NewestReadings.device)
            .execution_options(synchronize_session=False)
        ).all()
    )


def _domain(points: Mapping[str, Point]) -> str:
    return next(iter(points.values())).series.domain


def _locked(session: Session, names: Collection[str]) -> dict[str, Newest]:
    rows = session.connection().execute(_LOCKED, {"names": list(names)})
    return {device: Newest(domain, readings) for device, domain, readings in rows}
