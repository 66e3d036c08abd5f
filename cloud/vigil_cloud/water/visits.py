"""What was found at visits to probes, as evidence needs it: fouling and drift that USGS TM1-D3
takes out of what was read, with the readings in standards that say so.

A register: a finding that is there is not written over unless somebody says so, and the audit log
has each file's digest. What is stored as a reading is never changed.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device
from vigil_cloud.identity import audit
from vigil_cloud.water.models import ProbeVisit
from vigil_cloud.water.titles import factor_of
from vigil_schemas.recordings.corrections import (
    CRITERIA,
    Cleaning,
    Standard,
    Visit,
    corrected_at,
)
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.options import offset_of
from vigil_schemas.recordings.visits import VisitTable

_AHEAD: Final = timedelta(minutes=10)
_SHOWN: Final = 5
Key = tuple[str, str]
"""Device and parameter."""


class Corrected(NamedTuple):
    """A value, in the unit that it is stored in, and the visit that says so."""

    value: float
    visit: datetime


class Taken(NamedTuple):
    """What a file brought."""

    visits: int
    known: int
    """Of these, findings that were there already."""


def read(path: Path, utc_offset: str = "UTC") -> dict[Key, list[Visit]]:
    """A table with the columns ``time``, ``station`` (the probe), ``signal`` (the parameter) and
    those of a cleaning or a standard, in °C, µS/cm, mg/L, pH and FNU. ``utc_offset``: of times that
    state none. Raises ``OptionWrong`` and what ``Recording`` does."""
    table = VisitTable(path, "FILE", CRITERIA, f"the parameters {', '.join(CRITERIA)}")
    found = table.visits(offset_of(utc_offset))
    named = {(device, parameter): of for (device, parameter), of in found.items() if device}
    if len(named) < len(found):
        raise OptionWrong(f"FILE {path.name}: each row names its probe in a column station")
    return named


def put(
    session: Session,
    path: Path,
    given: Mapping[Key, Sequence[Visit]],
    by: str,
    now: datetime,
    *,
    replace: bool = False,
) -> Taken:
    """All or nothing. ``replace``: a finding of the same probe, parameter and time counts instead
    of the one that is there. Raises ``OptionWrong``."""
    rows = [(*key, visit) for key, of in given.items() for visit in of]
    new, known = [], 0
    mistakes = list(_mistakes(session, given, now))
    for device, parameter, visit in rows:
        at, found = datetime.fromtimestamp(visit.time, UTC), _stored(visit)
        row = session.get(ProbeVisit, (device, parameter, at))
        if row is None:
            new.append(
                ProbeVisit(device=device, parameter=parameter, at=at, found=found, entered=now)
            )
        elif row.found == found:
            known += 1
        elif replace:
            row.found, row.entered = found, now
        else:
            mistakes.append(
                f"{device} {parameter} {at.isoformat()}: another finding is there (--replace)"
            )
    if mistakes:
        more = f" (and {len(mistakes) - _SHOWN} more)" if len(mistakes) > _SHOWN else ""
        raise OptionWrong(f"FILE {path.name}: {'; '.join(mistakes[:_SHOWN])}{more}")
    session.add_all(new)
    audit.append(
        session,
        at=now,
        account=by,
        action="water.visits-imported",
        subject="visits",
        detail={
            "file": hashlib.sha256(path.read_bytes()).hexdigest(),
            "visits": len(rows),
            "known": known,
            "replace": replace,
            "probes": sorted({device for device, _ in given})[:50],
        },
    )
    return Taken(len(rows), known)


def _mistakes(
    session: Session, given: Mapping[Key, Sequence[Visit]], now: datetime
) -> Iterator[str]:
    for device in sorted({device for device, _ in given}):
        if session.get(Device, device) is None:
            yield f"there is no probe {device!r}"
    for (device, parameter), of in given.items():
        if (last := datetime.fromtimestamp(of[-1].time, UTC)) > now + _AHEAD:
            yield f"{device} {parameter} {last.isoformat()} lies ahead"


def _stored(visit: Visit) -> dict[str, Any]:
    return {
        "cleaning": None if visit.cleaning is None else list(astuple(visit.cleaning)),
        "standards": [list(one) for one in visit.standards],
    }


def visit_of(row: ProbeVisit) -> Visit:
    """As it is worked with; numbers in the unit that inspectors read."""
    cleaning = row.found["cleaning"]
    return Visit(
        row.at.timestamp(),
        None if cleaning is None else Cleaning(*cleaning),
        tuple(Standard(*one) for one in row.found["standards"]),
    )


def rows_of(session: Session, devices: Collection[str]) -> Sequence[ProbeVisit]:
    """Of these probes, in order of probe, parameter and time."""
    query = select(ProbeVisit).where(ProbeVisit.device.in_(devices))
    order = (ProbeVisit.device, ProbeVisit.parameter, ProbeVisit.at)
    return session.scalars(query.order_by(*order)).all()


def by_parameter(rows: Sequence[ProbeVisit]) -> dict[Key, list[Visit]]:
    """In order of time."""
    found: dict[Key, list[Visit]] = defaultdict(list)
    for row in rows:
        found[row.device, row.parameter].append(visit_of(row))
    return dict(found)


def corrected(
    visits: Sequence[Visit], parameter: str, at: datetime, value: float
) -> Corrected | None:
    """What a reading is without the fouling and drift that the next visit found, prorated since the
    one before it. ``None`` where it does not lie between two visits: then nobody knows."""
    stops, time = [one.time for one in visits], at.timestamp()
    place = bisect_right(stops, time - 1e-9)
    if not 0 < place < len(stops):
        return None
    factor = factor_of(parameter)
    found = corrected_at(time, value * factor, stops[0], stops, visits, CRITERIA[parameter])
    return Corrected(float(f"{found / factor:.9g}"), datetime.fromtimestamp(stops[place], UTC))
