"""A network of channels as the transport of a substance sees it, read from GeoJSON. Pure.

Lines are reaches, each with a steady flow; points are stations and outfalls on them. A reach whose
velocity is below 0 flows from its end to its beginning (a gate that reverses).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from math import inf, isfinite
from pathlib import Path
from typing import Any, ClassVar, Final

from vigil_schemas.errors import VigilError

POINTS: Final = ("station", "outfall")
SHORTEST_M: Final = 1e-3
"""Places nearer to each other than this are one: rounding alone keeps them apart."""
_SHOWN: Final = 5


class BadChannels(VigilError):
    """A network that no water can be sent through. ``mistakes``: each with its feature."""

    code: ClassVar[str] = "bad-channels"
    remedy: ClassVar[str] = "Correct every place that is named: docs/water.md lists the properties."

    def __init__(self, mistakes: Sequence[str]) -> None:
        more = f" (and {len(mistakes) - _SHOWN} more)" if len(mistakes) > _SHOWN else ""
        super().__init__("; ".join(mistakes[:_SHOWN]) + more)
        self.mistakes = list(mistakes)


@dataclass(frozen=True, slots=True)
class Reach:
    """One channel of constant section, in the direction of its flow."""

    id: str
    start: str
    end: str
    length_m: float
    area_m2: float
    velocity_m_s: float
    """At its beginning; with lateral inflow it grows towards its end. Above 0."""
    dispersion_m2_s: float = 0.0
    storage_area_m2: float = 0.0
    """Cross-section of water that stands beside the stream and is exchanged with it."""
    exchange_1_s: float = 0.0
    decay_1_s: float = 0.0
    inflow_m3_s: float = 0.0
    """Clean water that joins along the reach (OTIS: lateral inflow); below 0: water that leaves."""
    turned: bool = False
    """Whether it flows against the direction in which it was drawn."""

    @property
    def flow_m3_s(self) -> float:
        """At its beginning."""
        return self.area_m2 * self.velocity_m_s


@dataclass(frozen=True, slots=True)
class Point:
    """A station or an outfall, so far from the beginning of its reach as it flows."""

    id: str
    kind: str
    reach: str
    offset_m: float


@dataclass(frozen=True, slots=True)
class Channels:
    """A network without a cycle."""

    reaches: Mapping[str, Reach]
    points: Mapping[str, Point]
    velocity_factor: Sequence[tuple[float, float]] = ()
    """Where the velocity is a series: moments (s) and how many times as fast as its reaches say
    all water runs then. Ascending; empty: always as they say."""

    def point(self, name: str, kind: str) -> Point:
        """Raises ``BadChannels`` where there is no such."""
        found = self.points.get(name)
        if found is None or found.kind != kind:
            known = ", ".join(sorted(p.id for p in self.points.values() if p.kind == kind)[:10])
            raise BadChannels([f"there is no {kind} {name!r}; there are: {known or 'none'}"])
        return found

    def parts(self) -> list[list[str]]:
        """Reaches that hang together, the largest part first: more than one are islands."""
        group = {name: name for one in self.reaches.values() for name in (one.start, one.end)}

        def root(name: str) -> str:
            while group[name] != name:
                group[name] = name = group[group[name]]
            return name

        for one in self.reaches.values():
            group[root(one.start)] = root(one.end)
        parts: dict[str, list[str]] = defaultdict(list)
        for one in self.reaches.values():
            parts[root(one.start)].append(one.id)
        return sorted(parts.values(), key=len, reverse=True)


def load(path: Path) -> Channels:
    """Raises ``BadChannels`` with every mistake, ``OSError``."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:  # also what is not UTF-8
        raise BadChannels([f"{path.name} is not JSON: {error}"]) from error
    except RecursionError as error:
        raise BadChannels([f"{path.name} is nested too deeply"]) from error
    return read(document)


def read(document: Any) -> Channels:
    """Raises ``BadChannels`` with every mistake."""
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise BadChannels(["it is no FeatureCollection"])
    reaches: dict[str, Reach] = {}
    points: dict[str, Point] = {}
    mistakes: list[str] = []
    for number, feature in enumerate(features, 1):
        try:
            _take(feature, reaches, points)
        except ValueError as error:
            mistakes.append(f"feature {number}: {error}")
    if not mistakes and not reaches:
        mistakes.append("there is no reach in it")
    mistakes += list(_misplaced(points.values(), reaches)) if not mistakes else []
    mistakes += list(_cycles(reaches.values())) if not mistakes else []
    series: list[tuple[float, float]] = []
    try:
        series = _series(document.get("velocity_factor"))
    except ValueError as error:
        mistakes.append(f"velocity_factor: {error}")
    if mistakes:
        raise BadChannels(mistakes)
    placed = {name: _along(point, reaches[point.reach]) for name, point in points.items()}
    return Channels(reaches, placed, series)


def _series(given: Any) -> list[tuple[float, float]]:
    """``[[time, factor], …]``, times in seconds or all in ISO 8601. Raises ``ValueError``."""
    if given is None:
        return []
    if not isinstance(given, list) or not given:
        raise ValueError("a list of [time, factor] is wanted")
    found: list[tuple[float, float]] = []
    for one in given:
        if not isinstance(one, list) or len(one) != 2:
            raise ValueError(f"{one!r}"[:60] + ": [time, factor] is wanted")
        at = one[0]
        if isinstance(at, str):
            moment = datetime.fromisoformat(at)
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            at = moment.timestamp()
        time, factor = _number({"time": at}, "time"), _number({"factor": one[1]}, "factor")
        if factor <= 0:
            raise ValueError(f"the factor {factor:g} is not above 0")
        if found and time <= found[-1][0]:
            raise ValueError(f"the time {one[0]!r} is not later than the one before")
        found.append((time, factor))
    return found


def _take(feature: Any, reaches: dict[str, Reach], points: dict[str, Point]) -> None:
    if not isinstance(feature, dict):
        raise ValueError("it is no object")
    shape, tags = feature.get("geometry"), feature.get("properties")
    kind = shape.get("type") if isinstance(shape, dict) else None
    if not isinstance(tags, dict):
        raise ValueError("it has no properties")
    if kind == "LineString":
        reach = _reach(tags)
        if reach.id in reaches:
            raise ValueError(f"reach {reach.id!r} is there twice")
        reaches[reach.id] = reach
    elif kind == "Point":
        name, which = _name(tags, "id"), _name(tags, "kind")
        if which not in POINTS:
            return  # gates and the like take no part here
        if name in points:
            raise ValueError(f"point {name!r} is there twice")
        offset = _number(tags, "offset_m", 0.0)
        points[name] = Point(name, which, _name(tags, "reach"), offset)
    else:
        raise ValueError(f"geometry {kind!r}: LineString or Point is wanted")


def _reach(tags: Mapping[str, Any]) -> Reach:
    name, start, end = (_name(tags, key) for key in ("id", "from", "to"))
    if start == end:
        raise ValueError(f"reach {name!r} ends where it begins")
    length, area = (_above(tags, key, name) for key in ("length_m", "area_m2"))
    if length < SHORTEST_M:
        raise ValueError(
            f"reach {name!r}: length_m is {length:g}: {SHORTEST_M:g} at least is wanted"
        )
    velocity = _number(tags, "velocity_m_s")
    if velocity == 0:
        raise ValueError(f"reach {name!r}: velocity_m_s is 0: standing water carries nothing")
    keys = ("dispersion_m2_s", "storage_area_m2", "exchange_1_s", "decay_1_s")
    numbers = {key: _number(tags, key, 0.0) for key in keys}
    for key, value in numbers.items():
        if value < 0:
            raise ValueError(f"reach {name!r}: {key} is below 0")
    inflow = _number(tags, "inflow_m3_s", 0.0)
    if area * abs(velocity) + inflow <= 0:
        raise ValueError(f"reach {name!r}: more water leaves it (inflow_m3_s) than flows in it")
    turned = velocity < 0
    start, end = (end, start) if turned else (start, end)
    return Reach(
        name, start, end, length, area, abs(velocity), **numbers, inflow_m3_s=inflow, turned=turned
    )


def _name(tags: Mapping[str, Any], key: str) -> str:
    value = tags.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{key} is {value!r}: a name is wanted")
    return str(value)


def _number(tags: Mapping[str, Any], key: str, usual: float | None = None) -> float:
    value = tags.get(key, usual)
    value = usual if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is {value!r}: a number is wanted")
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        number = inf
    if not isfinite(number):
        raise ValueError(f"{key} is {value!r}"[:60] + ": a number is wanted")
    return number


def _above(tags: Mapping[str, Any], key: str, name: str) -> float:
    value = _number(tags, key)
    if value <= 0:
        raise ValueError(f"reach {name!r}: {key} is {value:g}: above 0 is wanted")
    return value


def _misplaced(points: Iterable[Point], reaches: Mapping[str, Reach]) -> Iterator[str]:
    for point in points:
        reach = reaches.get(point.reach)
        if reach is None:
            yield f"{point.kind} {point.id!r} is on reach {point.reach!r}, which is not there"
        elif not 0 <= point.offset_m <= reach.length_m:
            yield (
                f"{point.kind} {point.id!r} is {point.offset_m:g} m along reach {reach.id!r},"
                f" which is {reach.length_m:g} m long"
            )


def _along(point: Point, reach: Reach) -> Point:
    offset = reach.length_m - point.offset_m if reach.turned else point.offset_m
    return Point(point.id, point.kind, point.reach, offset)


def _cycles(reaches: Iterable[Reach]) -> Iterator[str]:
    upstream: dict[str, set[str]] = defaultdict(set)
    for reach in reaches:
        upstream[reach.end].add(reach.start)
    try:
        TopologicalSorter(upstream).prepare()
    except CycleError as error:
        around = " → ".join(reversed(error.args[1]))
        yield f"the water flows in a circle: {around}"
