"""A velocity that is a series: times are counted in how far the water has come. Pure.

Where all velocities of a network rise and fall together (rain, a pump, a sluice far above), the
water passes the same places in the same order, only sooner or later, and dispersion grows with it.
So there is a clock on which the flow is steady: it runs faster while the water does. On it what
changes is how much a release gives in a second. (The exchange with standing water follows that
clock too, which is an approximation.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from vigil_cloud.water.channels import Channels
from vigil_cloud.water.source_tracing import Prior, Traced, trace
from vigil_cloud.water.station_curves import Floats, Observed
from vigil_cloud.water.transport import (
    Discharge,
    Inflow,
    Pulse,
    Source,
    Transport,
    concentrations,
)

_PARTS: Final = 48
"""Of a release on a clock that does not run evenly."""
_EVEN: Final = 8192
"""Values on the water's clock, at least: between them lines are straight, whatever the step is that
was asked for."""


class Pace:
    """How many times as fast as usual all water runs, piecewise linear between moments; before the
    first and after the last as at these."""

    def __init__(self, times_s: Sequence[float], factors: Sequence[float]) -> None:
        """Times ascend, factors are above 0. Raises ``ValueError``."""
        times, values = np.asarray(times_s, float), np.asarray(factors, float)
        if len(times) == 0 or len(times) != len(values):
            raise ValueError("as many factors as times are wanted, one at least")
        if not (np.isfinite(times).all() and np.isfinite(values).all()):
            raise ValueError("a time or a factor is no number")
        if (np.diff(times) <= 0).any() or (values <= 0).any():
            raise ValueError("times have to ascend, and factors to be above 0")
        self._times, self._factors = times, values
        steps = np.diff(times) * (values[1:] + values[:-1]) / 2
        self._water = times[0] + np.concatenate(([0.0], np.cumsum(steps)))

    def factor(self, times_s: Floats) -> Floats:
        """At moments."""
        return np.asarray(np.interp(times_s, self._times, self._factors))

    def water_s(self, times_s: Floats | float) -> Floats:
        """What the water's clock shows at moments."""
        times = np.asarray(times_s, float)
        first, last = self._times[0], self._times[-1]
        inside = np.clip(times, first, last)
        cell = np.clip(np.searchsorted(self._times, inside, "right") - 1, 0, len(self._times) - 1)
        since = inside - self._times[cell]
        begun = self._factors[cell]
        shown = self._water[cell] + since * (begun + self.factor(inside)) / 2
        return np.asarray(
            shown
            + np.minimum(times - first, 0.0) * self._factors[0]
            + np.maximum(times - last, 0.0) * self._factors[-1]
        )

    def clock_s(self, water_s: Floats | float) -> Floats:
        """The moments at which the water's clock shows this."""
        wanted = np.asarray(water_s, float)
        last = len(self._times) - 1
        cell = np.clip(np.searchsorted(self._water, wanted, "right") - 1, 0, max(last - 1, 0))
        a = self._factors[cell]
        b = self._factors[np.minimum(cell + 1, last)]
        width = self._times[np.minimum(cell + 1, last)] - self._times[cell]
        bend = np.divide(b - a, width, out=np.zeros_like(a), where=width > 0)
        gone = np.clip(wanted - self._water[cell], 0.0, None)
        root = np.sqrt(np.maximum(a * a + 2 * bend * gone, 0.0))
        inside = self._times[cell] + 2 * gone / (a + root)
        before = self._times[0] + (wanted - self._water[0]) / self._factors[0]
        after = self._times[-1] + (wanted - self._water[-1]) / self._factors[-1]
        found = np.where(wanted < self._water[0], before, inside)
        return np.asarray(np.where(wanted > self._water[-1], after, found))

    def observed(self, given: Observed) -> Observed:
        """As it would have been seen in the usual flow."""
        return Observed(self.water_s(given.times_s), given.values, given.timing_only)


def pace_of(channels: Channels) -> Pace | None:
    """``None`` where the velocity is no series."""
    if not channels.velocity_factor:
        return None
    return Pace(*zip(*channels.velocity_factor, strict=True))


def beside(channels: Channels, first_s: float, last_s: float) -> str | None:
    """What is odd where the velocity is a series of quite another time, in words."""
    series = channels.velocity_factor
    if not series or (series[0][0] <= last_s and first_s <= series[-1][0]) or len(series) == 1:
        return None
    return (
        "velocity_factor says nothing of the time that is asked for (are its times in seconds, and"
        " the others in ISO 8601?): its nearest value counts throughout"
    )


def trace_in(
    channels: Channels,
    observed: Mapping[str, Observed],
    prior: Prior | None = None,
    lasting_s: tuple[float, float] | None = None,
    spare: Callable[[], bool] = lambda: True,
) -> Traced:
    """``trace`` where the velocity may be a series; times are clock times again."""
    pace = pace_of(channels)
    if pace is None:
        return trace(channels, observed, prior, spare, lasting_s)
    on_water = {name: pace.observed(one) for name, one in observed.items()}
    traced = trace(channels, on_water, prior, spare, lasting_s)
    return traced._replace(
        suspects=[
            replace(one, start_s=(float(pace.clock_s(one.start_s[0])),
                                  float(pace.clock_s(one.start_s[1]))))
            for one in traced.suspects
        ]
    )  # fmt: skip


def concentrations_in(
    channels: Channels,
    transport: Transport,
    times_s: Floats,
    sources: Sequence[Source],
    inflows: Sequence[Inflow],
) -> Floats:
    """``transport.concentrations`` where the velocity may be a series."""
    pace = pace_of(channels)
    if pace is None:
        return concentrations(transport, times_s, sources, inflows)
    water = pace.water_s(times_s)
    even = np.linspace(float(water[0]), float(water[-1]), max(2 * len(water), _EVEN))
    found = concentrations(
        transport,
        even,
        [part for one in sources for part in _slowed(one, pace)],
        [
            Inflow(
                one.concentration, float(pace.water_s(one.from_s)), float(pace.water_s(one.until_s))
            )
            for one in inflows
        ],
    )
    return np.asarray(np.interp(water, even, found))


def _slowed(source: Source, pace: Pace) -> Iterator[Source]:
    """On the water's clock, in parts of an even rate."""
    if isinstance(source, Pulse):
        yield Pulse(source.outfall, source.mass_g, float(pace.water_s(source.at_s)))
        return
    for begin, end, length in _parts(source.from_s, source.until_s, pace):
        rate = source.rate_g_s * length / max(end - begin, 1e-9)
        yield Discharge(source.outfall, rate, begin, end)


def _parts(from_s: float, until_s: float, pace: Pace) -> Iterator[tuple[float, float, float]]:
    """Begin and end on the water's clock, and the length by the clock."""
    edges = np.linspace(from_s, until_s, _PARTS + 1)
    water = pace.water_s(edges)
    for begin, end in pairwise(range(len(edges))):
        yield float(water[begin]), float(water[end]), float(edges[end] - edges[begin])
