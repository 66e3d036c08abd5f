"""Fouling and drift, taken out of a record by what a visit found. Pure.

After Wagner et al. (2006), USGS Techniques and Methods 1-D3: the sensor is read in the water
before and after it is cleaned, a second meter tells how the water itself changed meanwhile,
and then in standards of known value. What exceeds the criteria is prorated over the time
since the last visit. The raw record is never changed: corrected values stand beside it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple


class Criterion(NamedTuple):
    """A correction smaller than this is none: the greater of an amount and a share."""

    amount: float
    share: float = 0.0

    def met(self, error: float, value: float) -> bool:
        """Whether an error at this value is to be corrected."""
        return abs(error) > max(self.amount, self.share * abs(value)) * (1 - 1e-9)


CRITERIA: Final = {
    "temperature": Criterion(0.2),
    "specific_conductance": Criterion(5.0, 0.03),
    "dissolved_oxygen": Criterion(0.3),
    "pH": Criterion(0.2),
    "turbidity_FNU": Criterion(0.5, 0.05),
}
"""In °C, µS/cm, mg/L, pH and FNU (TM1-D3, table 10)."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Readings in the water: of the sensor and, if there was one, of a second meter."""

    before: float
    after: float
    meter_before: float | None = None
    meter_after: float | None = None

    @property
    def fouling(self) -> float:
        """What is to be added to the sensor's reading as it was before the cleaning."""
        changed = 0.0
        if self.meter_before is not None and self.meter_after is not None:
            changed = self.meter_after - self.meter_before
        return self.after - self.before - changed


class Standard(NamedTuple):
    """A reading in a standard, before the sensor was set."""

    value: float
    reading: float


@dataclass(frozen=True, slots=True)
class Visit:
    """What was found at one visit; ``time`` in seconds."""

    time: float
    cleaning: Cleaning | None = None
    standards: tuple[Standard, ...] = ()
    """One, two or three, such as buffers 4, 7 and 10."""


def corrected(
    times: Sequence[float],
    values: Sequence[float | None],
    visits: Sequence[Visit],
    criterion: Criterion,
) -> list[float | None]:
    """Each value with the fouling and drift that the next visit found, prorated by time.

    Times and visits in seconds and in order. Of the first visit it is prorated from the first
    value; what comes after the last visit is as it was read. Raises ``ValueError`` where visits
    are not in order.
    """
    stops = [visit.time for visit in visits]
    if any(b <= a for a, b in pairwise(stops)):
        raise ValueError("visits must be in order of time")
    return [
        None if value is None else corrected_at(time, value, times[0], stops, visits, criterion)
        for time, value in zip(times, values, strict=True)
    ]


def corrected_at(
    time: float,
    value: float,
    began: float,
    stops: Sequence[float],
    visits: Sequence[Visit],
    criterion: Criterion,
) -> float:
    """One value of a record that began then; ``stops`` are the times of the visits, in order. What
    is older than its record has drifted by nothing."""
    at = bisect_right(stops, time - 1e-9)
    if at == len(visits):
        return value
    since = stops[at - 1] if at else began
    share = 1.0 if stops[at] <= since else max(time - since, 0.0) / (stops[at] - since)
    return value + share * _error(visits[at], value, criterion)


def _error(visit: Visit, value: float, criterion: Criterion) -> float:
    """The whole correction at the visit, of a reading of this size.

    Both errors count together: it is corrected where the sum of their amounts exceeds the
    criterion, in the water or in a standard.
    """
    fouling = 0.0 if visit.cleaning is None else visit.cleaning.fouling
    drifts = sorted(visit.standards, key=lambda standard: standard.reading)
    found = [(abs(fouling) + abs(one.value - one.reading), one.value) for one in drifts]
    if visit.cleaning is not None:
        at = visit.cleaning.before
        found.append((abs(fouling) + abs(_drift(drifts, at + fouling)), at))
    if not any(criterion.met(error, at) for error, at in found):
        return 0.0
    return fouling + _drift(drifts, value + fouling)


def _drift(standards: Sequence[Standard], value: float) -> float:
    """Between two standards in proportion; beyond them as at the nearest one."""
    if not standards:
        return 0.0
    first, last = standards[0], standards[-1]
    if value <= first.reading:
        return first.value - first.reading
    for low, high in pairwise(standards):
        if value <= high.reading:
            share = (value - low.reading) / (high.reading - low.reading)
            below, above = low.value - low.reading, high.value - high.reading
            return below + share * (above - below)
    return last.value - last.reading
