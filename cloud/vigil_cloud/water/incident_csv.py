"""All readings of an incident's probes around its time, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from vigil_cloud.services import Services
from vigil_cloud.water.incident_view import Sight, find, probes_of
from vigil_schemas.types import isoformat_utc

BEFORE: Final = timedelta(hours=1)
AFTER: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(days=3)
COLUMNS: Final = ("time", "device", "parameter", "value", "flag")
_PIECE: Final = 1000


def lines(services: Services, sight: Sight, incident_id: str) -> Iterator[str]:
    """A header and a line for each reading, of probes that the reader may see; nothing is in memory
    but one probe's parameter. Raises what ``incident_view.find`` raises, before the first line."""
    incident, _ = find(sight, incident_id)
    now = services.now()
    start = incident.started - BEFORE
    stop = min(now, (incident.ended or now) + AFTER, incident.started + LONGEST)
    devices = probes_of(sight, incident.id)
    return _written(services, devices, (start, stop))


def _written(
    services: Services, devices: list[str], span: tuple[datetime, datetime]
) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    count = 0
    for device in devices:
        for series in sorted(services.timeseries.series(device)):
            for one in services.timeseries.read(series, *span):
                value = "" if one.value is None else repr(one.value)
                writer.writerow(
                    (isoformat_utc(one.time), device, series.parameter, value, one.flag)
                )
                count += 1
                if count % _PIECE == 0:
                    yield out.getvalue()
                    out.seek(0)
                    out.truncate()
    yield out.getvalue()
