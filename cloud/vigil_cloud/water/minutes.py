"""A probe's stored readings as minutes of signals, which is what its detector judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import nan
from typing import Final, NamedTuple

from vigil_cloud.timeseries.port import TimeSeries
from vigil_schemas.senml import instant, microseconds
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import BESIDE_THE_WATER, DOMAIN, LATITUDE

WINDOW_S: Final = 60.0
"""Readings of one minute are one row of the detector's."""
WINDOW_US: Final = 60_000_000
GONE_AFTER: Final = timedelta(days=3)
"""A parameter that gave nothing for so long is none of the station's."""
THE_SAME: Final = {
    "conductivity": "specific_conductance",
    "salinity": "specific_conductance",
    "oxygen_saturation": "dissolved_oxygen",
}
"""What says the same as another one: they would agree with each other about any fault."""


class Row(NamedTuple):
    """Of one minute."""

    at_s: float
    """Since 1970."""
    values: list[float | None]
    """Of each signal: nan where the probe gave none, ``None`` where none was due."""
    failed: frozenset[str] = frozenset()
    """Signals whose readings the gateway itself calls failed."""
    suspect: frozenset[int] = frozenset()
    """Places of those that it calls suspect."""


def begins(timeseries: TimeSeries, device: str, first_us: int, stop_us: int) -> int:
    """The first minute of which anything is stored: a new probe has no weeks to go through."""
    if first_us >= stop_us:
        return first_us
    oldest = timeseries.oldest(device, instant(first_us), instant(stop_us))
    begins_us = stop_us if oldest is None else microseconds(oldest)
    return max(first_us, begins_us // WINDOW_US * WINDOW_US)


def read(
    timeseries: TimeSeries, device: str, first_us: int, stop_us: int
) -> tuple[list[str], list[Row]]:
    """Signals that are judged, in order, and their minutes in ``[first_us, stop_us)``. Raises
    ``TimeSeriesUnavailable``."""
    latest = timeseries.latest(device)
    newest = max((one.time for one in latest.values()), default=None)
    given = {name for name, one in latest.items() if newest and newest - one.time <= GONE_AFTER}
    moves = LATITUDE in given
    given -= BESIDE_THE_WATER
    names = sorted(name for name in given if THE_SAME.get(name) not in given)
    if moves:  # it is at no station that could be learnt: its bounds call
        return names, []
    found: dict[float, dict[str, tuple[float | None, int]]] = {}
    if first_us >= stop_us:
        return names, []
    stored = timeseries.read_all(device, instant(first_us), instant(stop_us), window_s=WINDOW_S)
    for series, samples in stored.items():
        if series.parameter not in names or series.domain != DOMAIN:
            continue
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
    suspect = frozenset(
        place
        for place, name in enumerate(names)
        if name in cells and cells[name][1] == QartodFlag.SUSPECT
    )
    return Row(at, values, failed, suspect)
