"""The newest stored reading of each device, kept beside the time series for open screens.

Written by ingest in the transaction that moves the watermark, after the time series has the
readings: what is shown is stored, and what is stored is announced. Merging is idempotent and
does not depend on the order of messages; a reading of the same time replaces the one before, as
in the time series.

But for a clock that was ahead and was set right: what came from the future is shown only until
something of now comes, and not until that future has come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database import changes
from vigil_cloud.database.upsert import insert_missing, table_of
from vigil_cloud.devices.models import NewestReadings, ReadingState
from vigil_cloud.timeseries.port import Point

AHEAD_US: Final = 60_000_000
"""So far two clocks that are kept may lie apart."""
_SLIGHT_US: Final = 1_000_000
"""What is from so little a future is now before anybody has looked."""
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


class Pack(NamedTuple):
    """Points of one device that came together."""

    points: Sequence[Point]
    received_us: int
    """Microseconds since 1970, by our clock."""


def newest_of(came: Sequence[Pack]) -> tuple[dict[str, Point], int]:
    """Of one device: by parameter the point that is shown of all that came, in this order, and
    when it came."""
    received_us = max(one.received_us for one in came)
    found = _latest(point for one in came for point in one.points)
    if all(point.time_us <= received_us + _SLIGHT_US for point in found.values()):
        return found, received_us
    found = {}  # some of it is from the future: the order in which it came counts
    for one in came:
        for parameter, point in _latest(one.points).items():
            before = found.get(parameter)
            if before is None or replaces(point.time_us, before.time_us, one.received_us):
                found[parameter] = point
    return found, received_us


def replaces(time_us: int, before_us: int, received_us: int | None) -> bool:
    """Whether a reading of ``time_us`` that came at ``received_us`` is shown in the place of one
    of ``before_us``: where it is not older; and where that one is of the future, and it is of now:
    the clock was set right meanwhile."""
    if time_us >= before_us:
        return True
    if received_us is None:
        return False
    ahead_us = before_us - received_us
    off_us = time_us - received_us
    return abs(off_us) < ahead_us and off_us <= (AHEAD_US if ahead_us > AHEAD_US else 0)


def _latest(points: Iterable[Point]) -> dict[str, Point]:
    """Of one device: by parameter its latest point; of the same time the later in order."""
    # Sorted by time and folded into a dictionary by functions in C, each some tens of
    # nanoseconds for a point: a loop here costs ingest several percent. By the parameter alone: to
    # hash a whole series costs as much as the rest.
    ordered = sorted(points, key=_TIME)
    return dict(zip(map(_PARAMETER, map(_SERIES, ordered)), ordered, strict=True))


def record_newest(
    session: Session,
    found: Mapping[str, Mapping[str, Point]],
    received_us: Mapping[str, int] | None = None,
) -> None:
    """Keep what is newer than what is known, by device, and announce it with the commit.
    ``received_us``: when it came, by device, as ``newest_of`` says; without it no clock is
    doubted."""
    came = received_us or {}
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
            known_us = before[parameter][0] if parameter in before else None
            if known_us is None or replaces(point.time_us, known_us, came.get(name)):
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
