"""Where a discharge goes once its source is suspected: when it arrives where, how sure that is, how
it moves, and which sample would tell the suspects apart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Final, NamedTuple

import numpy as np

from vigil_cloud.water.channels import Channels, Point
from vigil_cloud.water.responses import Response, Responses
from vigil_cloud.water.source_tracing import Suspect, Traced
from vigil_cloud.water.station_curves import Floats, Observed

_LEAST: Final = 0.02
"""Suspects that are less likely say nothing of where it goes."""
_MOST: Final = 6
_FIRST_SHARE: Final = 0.05
"""It has arrived when so much of it has passed."""
_LAST_SHARE: Final = 0.95
_Z90: Final = 1.6449
_APART: Final = 0.16
"""Of a time of travel: what is left of the velocities' error below the last station."""
_FRAMES: Final = 60
_GRID: Final = 2048
_SAMPLES: Final = 3
_TOLD_APART: Final = 0.05
"""Less of a bit is no reason to send somebody."""
_LATE: Final = 0.25
"""A sample where the water has passed by is worth so much of one where it is still there."""


class Arrival(NamedTuple):
    """At one place. Seconds; ``confidence``: that it comes past there at all."""

    place: str
    from_s: float
    until_s: float
    """90 % interval of its first water."""
    over_s: float
    """Nearly all of it has passed."""
    confidence: float
    peak_g_m3: float
    """The likeliest suspect's."""


class Sample(NamedTuple):
    """Where a sample would split the suspects best: at the lower end of a reach."""

    reach: str
    bits: float
    """Expected gain of knowledge, 0 to 1."""
    suspected: float
    """Probability that a sample there shows it."""
    from_s: float
    until_s: float
    """While it comes past there."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What follows from the suspects."""

    arrivals: Sequence[Arrival]
    samples: Sequence[Sample]
    frame_times_s: Sequence[float]
    frames: Mapping[str, Sequence[float]]
    """Of the likeliest suspect: g/m³ in the middle of each reach that it comes through."""
    paths: Mapping[tuple[str, str | None], Sequence[str]]
    """By reach and outfall of a suspect: its reaches down to the last station that saw it."""


class _Way(NamedTuple):
    suspect: Suspect
    responses: Mapping[str, Response]


def forecast(
    channels: Channels,
    traced: Traced,
    observed: Mapping[str, Observed],
    places: Iterable[Point] = (),
    *,
    now_s: float,
) -> Forecast:
    """``places``: gates and the like, with ids of their own. ``now_s``: samples are taken later."""
    likely = [one for one in traced.suspects if one.probability >= _LEAST][:_MOST]
    if not likely:
        return Forecast([], [], [], {}, {})
    wanted = list(places)
    asked = _asked(channels, wanted)
    period = 1.6 * _longest_s(asked, likely)
    responses = Responses(asked, set(asked.points), period_s=period, count=_GRID)
    ways = [_Way(one, responses.of(one.reach, one.offset_m)) for one in likely]
    step = responses.step_s
    onsets = {name: _onset_s(one) for name, one in observed.items()}
    arrivals = [
        found for place in wanted if (found := _arrival(place.id, ways, onsets, step)) is not None
    ]
    times, frames = _frames(channels, ways[0], step)
    return Forecast(
        sorted(arrivals, key=lambda one: one.from_s),
        _samples(channels, ways, onsets, step, now_s),
        times,
        frames,
        {(way.suspect.reach, way.suspect.outfall): _path(way) for way in ways},
    )


def _asked(channels: Channels, places: Sequence[Point]) -> Channels:
    """With a point in the middle and at the end of each reach, and at each place."""
    points = {name: one for name, one in channels.points.items() if one.kind == "station"}
    for reach in channels.reaches.values():
        for name, share in (("middle", 0.5), ("end", 1.0)):
            key = f"{name} {reach.id}"
            points[key] = Point(key, "station", reach.id, share * reach.length_m)
    for place in places:
        points[place.id] = Point(place.id, "station", place.reach, place.offset_m)
    return replace(channels, points=points, velocity_factor=())


def _longest_s(channels: Channels, suspects: Sequence[Suspect]) -> float:
    """Down to the last outlet by the nominal velocities, with what dispersion adds."""
    outs: dict[str, list[str]] = {}
    for one in channels.reaches.values():
        outs.setdefault(one.start, []).append(one.id)
    longest = 0.0
    waiting = [(one.reach, 0.0) for one in suspects]
    seen: dict[str, float] = {}
    while waiting:
        name, before = waiting.pop()
        reach = channels.reaches[name]
        slow = min(reach.flow_m3_s, reach.flow_m3_s + reach.inflow_m3_s) / reach.area_m2
        after = before + reach.length_m / slow * (1 + reach.storage_area_m2 / reach.area_m2)
        if after <= seen.get(name, -1.0):
            continue
        seen[name] = after
        longest = max(longest, after)
        waiting += [(one, after) for one in outs.get(reach.end, ())]
    return longest + 7200.0


def _onset_s(observed: Observed) -> float | None:
    """When a share of what the station saw had passed; ``None`` where it saw nothing."""
    if len(observed.times_s) < 3:
        return None
    values = np.where(observed.values > 0.05 * observed.values.max(), observed.values, 0.0)
    passed = np.cumsum(values * np.gradient(observed.times_s))
    if passed[-1] <= 0:
        return None
    return float(np.interp(_FIRST_SHARE, passed / passed[-1], observed.times_s))


def _quantile_s(response: Response, share: float, lasting: float, step: float) -> float:
    """After the start of a release that lasts, on the nominal time."""
    grid = np.arange(len(response.cumulated)) * step
    total = response.cumulated
    summed = np.concatenate(([0.0], np.cumsum((total[1:] + total[:-1]) / 2))) * step
    width = max(lasting, step)
    passed = (summed - np.interp(grid - width, grid, summed, left=0.0)) / width
    return float(np.interp(share * passed[-1], passed, grid)) if passed[-1] > 0 else float(grid[-1])


def _arrival(
    place: str, ways: Sequence[_Way], onsets: Mapping[str, float | None], step: float
) -> Arrival | None:
    """Counted from the last station above that saw it, else from the release."""
    weighed = []
    for suspect, responses in ways:
        response = responses.get(place)
        if response is None or not response.passes:
            continue
        lasting = suspect.duration_s / suspect.slower
        first = _quantile_s(response, _FIRST_SHARE, lasting, step)
        last = _quantile_s(response, _LAST_SHARE, lasting, step)
        begin, since = (suspect.start_s[0] + suspect.start_s[1]) / 2, 0.0
        spread = (suspect.start_s[1] - suspect.start_s[0]) / 2 / _Z90
        for name in suspect.explains:
            above, onset = responses.get(name), onsets.get(name)
            if above is None or onset is None or above.mean_s > response.mean_s:
                continue
            at = _quantile_s(above, _FIRST_SHARE, lasting, step)
            if at > since:
                begin, since, spread = onset, at, 0.0
        expected = begin + suspect.slower * (first - since)
        sd = float(np.hypot(_APART * max(first - since, 0.0), spread)) + 60.0
        peak = float(np.diff(response.cumulated).max() / step) * _mass_g(suspect)
        weighed.append((suspect.probability, expected, sd,
                        expected + suspect.slower * (last - first), peak))  # fmt: skip
    if not weighed:
        return None
    confidence = sum(one[0] for one in weighed)
    expected = sum(one[0] * one[1] for one in weighed) / confidence
    variance = sum(one[0] * (one[2] ** 2 + (one[1] - expected) ** 2) for one in weighed)
    sd = float(np.sqrt(variance / confidence))
    over = sum(one[0] * one[3] for one in weighed) / confidence
    return Arrival(
        place, expected - _Z90 * sd, expected + _Z90 * sd, over, min(confidence, 1.0), weighed[0][4]
    )


def _mass_g(suspect: Suspect) -> float:
    return float(np.sqrt(suspect.mass_g[0] * suspect.mass_g[1]))


def _concentration(way: _Way, response: Response, times: Floats, step: float) -> Floats:
    suspect = way.suspect
    start = (suspect.start_s[0] + suspect.start_s[1]) / 2
    grid = np.arange(len(response.cumulated)) * step
    since = (times - start) / suspect.slower
    until = since - suspect.duration_s / suspect.slower
    passed = np.interp(since, grid, response.cumulated) - np.interp(until, grid, response.cumulated)
    rate = _mass_g(suspect) / max(suspect.duration_s, 1.0)
    return np.asarray(rate * suspect.slower * passed)


def _frames(
    channels: Channels, way: _Way, step: float
) -> tuple[list[float], dict[str, list[float]]]:
    suspect = way.suspect
    start = (suspect.start_s[0] + suspect.start_s[1]) / 2
    ends = [
        suspect.slower * _quantile_s(one, 0.98, suspect.duration_s, step)
        for name, one in way.responses.items()
        if name.startswith("end ") and one.passes
    ]
    times = np.linspace(start, start + max(ends, default=3600.0) + suspect.duration_s, _FRAMES)
    frames = {
        name: [
            float(f"{value:.4g}")
            for value in _concentration(way, way.responses[f"middle {name}"], times, step)
        ]
        for name in channels.reaches
        if f"middle {name}" in way.responses
    }
    # The suspect's own reach is passed from the outfall on, where that lies below its middle.
    if suspect.reach not in frames and (own := way.responses.get(f"end {suspect.reach}")):
        values = _concentration(way, own, times, step)
        frames[suspect.reach] = [float(f"{value:.4g}") for value in values]
    return times.tolist(), frames


def _samples(
    channels: Channels,
    ways: Sequence[_Way],
    onsets: Mapping[str, float | None],
    step: float,
    now_s: float,
) -> list[Sample]:
    """Entropy of a sample that shows it or not. Reaches that pass the same suspects are one place:
    the one where it stays longest."""
    whole = sum(way.suspect.probability for way in ways)
    best: dict[frozenset[int], tuple[float, Sample]] = {}
    for reach in channels.reaches:
        place = f"end {reach}"
        passing = frozenset(
            number
            for number, way in enumerate(ways)
            if place in way.responses and way.responses[place].passes
        )
        share = sum(ways[number].suspect.probability for number in passing) / whole
        if not passing or share > 1 - 1e-9:
            continue
        bits = -share * log2(share) - (1 - share) * log2(1 - share)
        arrival = _arrival(place, [ways[number] for number in sorted(passing)], onsets, step)
        if arrival is None or bits < _TOLD_APART:
            continue
        worth = bits * (1.0 if arrival.over_s > now_s else _LATE)
        found = Sample(reach, bits, share, arrival.from_s, arrival.over_s)
        known = best.get(passing)
        if known is None or (worth, found.until_s) > (known[0], known[1].until_s):
            best[passing] = (worth, found)
    ranked = sorted(best.values(), key=lambda one: -one[0])
    return [sample for _, sample in ranked[:_SAMPLES]]


def _path(way: _Way) -> list[str]:
    """Reaches from the source down to the last station that it explains, in the water's order."""
    responses = way.responses
    lowest = max(
        (name for name in way.suspect.explains if name in responses),
        key=lambda name: responses[name].mean_s,
        default=None,
    )
    if lowest is None:
        return [way.suspect.reach]

    def place(reach: str) -> float:
        end = responses.get(f"end {reach}")
        return 0.0 if end is None else end.mean_s

    return sorted(responses[lowest].travel_s, key=place)
