"""What an inspection rests on, as files of its evidence: each reading as it was read and corrected,
and the chain of visits that the correction follows from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from vigil_cloud.cases.port import Facts, Record, Words
from vigil_cloud.services import Services
from vigil_cloud.water import visits
from vigil_cloud.water.incident_csv import AFTER, BEFORE, LONGEST
from vigil_cloud.water.models import Excursion, ProbeVisit
from vigil_cloud.water.titles import UNITS, unit_of
from vigil_schemas.recordings.corrections import Visit
from vigil_schemas.types import isoformat_utc

READINGS: Final = "readings.csv"
VISITS: Final = "visits.csv"
_READING: Final = ("time", "device", "parameter", "unit", "value", "flag", "corrected", "visit")
_VISIT: Final = (
    *("time", "station", "signal", "unit", "before", "after", "meter_before", "meter_after"),
    *("standard", "reading", "entered"),
)
_CHAIN: Final = timedelta(days=400)
"""Visits of so long before are part of the chain."""
_WHOLE: Final = Words("Readings, as read and corrected", "監測值（原始與校正後）")
_CUT: Final = Words(
    f"{_WHOLE.english}, of the first {LONGEST.days} days of each excursion",
    f"{_WHOLE.chinese}，每次超限之前 {LONGEST.days} 日",
)
Span = tuple[datetime, datetime]


def records(services: Services, facts: Facts) -> Sequence[Record]:
    """Nothing of a case without an excursion. Raises ``TimeSeriesUnavailable``."""
    ids = [alert.id for alert in facts.alerts]
    query = select(Excursion).where(Excursion.alert_id.in_(ids))
    found = facts.session.scalars(query).all() if ids else []
    if not found:
        return ()
    now = services.now()
    spans = _spans(found, now)
    rows = visits.rows_of(facts.session, spans)
    since = min(of[0][0] for of in spans.values()) - _CHAIN
    chain = [row for row in rows if row.at >= since]
    return (
        Record(
            READINGS,
            _CUT if any((one.ended or now) - one.started > LONGEST for one in found) else _WHOLE,
            _written(_READING, _readings(services, spans, visits.by_parameter(rows))),
        ),
        Record(
            VISITS,
            Words("Visits, cleanings and standards", "保養、清潔與標準液校正紀錄"),
            _written(_VISIT, _chain(chain)),
        ),
    )


def _spans(found: Sequence[Excursion], now: datetime) -> dict[str, list[Span]]:
    """By probe, from an hour before each excursion to half an hour after it, or ``LONGEST``; what
    overlaps is one."""
    spans: dict[str, list[Span]] = {}
    for one in sorted(found, key=lambda one: (one.device, one.started)):
        start = one.started - BEFORE
        stop = min(now, (one.ended or now) + AFTER, one.started + LONGEST)
        of = spans.setdefault(one.device, [])
        if of and start <= of[-1][1]:
            of[-1] = (of[-1][0], max(of[-1][1], stop))
        else:
            of.append((start, stop))
    return spans


def _readings(
    services: Services,
    spans: dict[str, list[Span]],
    known: dict[visits.Key, list[Visit]],
) -> Iterator[Sequence[object]]:
    for device, span in ((device, span) for device, of in spans.items() for span in of):
        series = services.timeseries.read_all(device, *span)
        for of, samples in sorted(series.items()):
            chain = known.get((device, of.parameter), [])
            for one in samples:
                found = None
                if one.value is not None:
                    found = visits.corrected(chain, of.parameter, one.time, one.value)
                yield (
                    isoformat_utc(one.time),
                    device,
                    of.parameter,
                    UNITS.get(of.parameter, ""),
                    "" if one.value is None else repr(one.value),
                    one.flag,
                    "" if found is None else repr(found.value),
                    "" if found is None else isoformat_utc(found.visit),
                )


def _chain(rows: Sequence[ProbeVisit]) -> Iterator[Sequence[object]]:
    """One line for each cleaning and standard, as ``water visits`` reads them."""
    for row in rows:
        of, entered = visits.visit_of(row), isoformat_utc(row.entered)
        head = (isoformat_utc(row.at), row.device, row.parameter, unit_of(row.parameter))
        if (one := of.cleaning) is not None:
            meter = ("" if x is None else x for x in (one.meter_before, one.meter_after))
            yield (*head, one.before, one.after, *meter, "", "", entered)
        for standard in of.standards:
            yield (*head, "", "", "", "", standard.value, standard.reading, entered)


def _written(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return out.getvalue().encode()
