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
from unicodedata import category

from vigil_cloud.water.source_input import Note
from vigil_schemas.errors import VigilError

POINTS: Final = ("station", "outfall")
SHORTEST_M: Final = 1e-3
"""Places nearer to each other than this are one: rounding alone keeps them apart."""
_LARGEST: Final = 64 * 2**20  # bytes
_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "length_m": (SHORTEST_M, 1e7),
    "area_m2": (1e-4, 1e6),
    "velocity_m_s": (1e-6, 20.0),
    "dispersion_m2_s": (0.0, 1e5),
    "storage_area_m2": (0.0, 1e7),
    "exchange_1_s": (0.0, 10.0),
    "decay_1_s": (0.0, 10.0),
    "inflow_m3_s": (0.0, 1e6),
    "slope": (0.0, 1.0),
}
"""Without signs, and far beyond what waterways have: whatever lies outside is of another unit."""
_SLOWER: Final = 1e-3
_LONGEST_S: Final = 1e13
_NOTHING: Final = 1e-9
"""Of what may be 0: less is 0."""
_SHOWN: Final = 5
_WITHIN: Final = 0.2
_LEAST_OFF: Final = 0.001
"""Nothing is known better: below it the search for a source would divide by nearly nothing."""


class BadChannels(VigilError):
    """A network that no water can be sent through. ``mistakes``: each with its feature."""

    code: ClassVar[str] = "bad-channels"
    remedy: ClassVar[str] = "Correct every place that is named: docs/water.md lists the properties."

    def __init__(self, mistakes: Sequence[Note]) -> None:
        left = len(mistakes) - _SHOWN
        more, more_zh = (f" (and {left} more)", f"（另有 {left} 項）") if left > 0 else ("", "")
        super().__init__("; ".join(one.english for one in mistakes[:_SHOWN]) + more)
        self.mistakes = list(mistakes)
        self.chinese = "；".join(one.chinese for one in mistakes[:_SHOWN]) + more_zh


class _Wrong(ValueError):
    """One mistake, in both languages."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.note = Note(english, chinese)

    def at(self, english: str, chinese: str) -> Note:
        """Behind the place where it is."""
        return Note(f"{english}: {self.note.english}", f"{chinese}：{self.note.chinese}")


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
    slope: float | None = None
    """Fall of its bed per length, in the direction of its flow; ``None``: not known."""
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
    velocity_within: float = _WITHIN
    """The share by which velocities may be off, in common and each by itself."""
    dispersion_within: float = _WITHIN
    """The same of dispersion."""

    def point(self, name: str, kind: str) -> Point:
        """Raises ``BadChannels`` where there is no such."""
        found = self.points.get(name)
        if found is None or found.kind != kind:
            known = ", ".join(sorted(p.id for p in self.points.values() if p.kind == kind)[:10])
            raise BadChannels(
                [
                    Note(
                        f"there is no {kind} {name!r}; there are: {known or 'none'}",
                        f"沒有 {kind} {name!r}；現有：{known or '無'}",
                    )
                ]
            )
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

    def apart(self) -> list[str]:
        """Of each island, the names of some reaches, to be told."""
        return [", ".join(sorted(names)[:_SHOWN]) for names in self.parts()[1:]]


def load(path: Path) -> Channels:
    """Raises ``BadChannels`` with every mistake, ``OSError``."""
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        most = f"{_LARGEST // 2**20} MiB"
        raise BadChannels([Note(f"{path.name} holds more than {most}", f"{path.name} 超過 {most}")])
    try:
        document = json.loads(content)
    except ValueError as error:  # also what is not UTF-8
        note = Note(f"{path.name} is not JSON: {error}", f"{path.name} 不是 JSON：{error}")
        raise BadChannels([note]) from error
    except RecursionError as error:
        note = Note(f"{path.name} is nested too deeply", f"{path.name} 巢狀過深")
        raise BadChannels([note]) from error
    return read(document)


def read(document: Any) -> Channels:
    """Raises ``BadChannels`` with every mistake."""
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise BadChannels([Note("it is no FeatureCollection", "不是 FeatureCollection")])
    reaches: dict[str, Reach] = {}
    points: dict[str, Point] = {}
    mistakes: list[Note] = []
    for number, feature in enumerate(features, 1):
        try:
            _take(feature, reaches, points)
        except _Wrong as error:
            mistakes.append(error.at(f"feature {number}", f"第 {number} 個物件"))
    if not mistakes and not reaches:
        mistakes.append(Note("there is no reach in it", "其中沒有河段"))
    mistakes += list(_misplaced(points.values(), reaches)) if not mistakes else []
    mistakes += list(_cycles(reaches.values())) if not mistakes else []
    series: list[tuple[float, float]] = []
    try:
        series = _series(document.get("velocity_factor"))
    except _Wrong as error:
        mistakes.append(error.at("velocity_factor", "velocity_factor"))
    within: dict[str, float] = {}
    for key in ("velocity_within", "dispersion_within"):
        try:
            within[key] = _share(document, key)
        except _Wrong as error:
            mistakes.append(error.note)
    if mistakes:
        raise BadChannels(mistakes)
    placed = {name: _along(point, reaches[point.reach]) for name, point in points.items()}
    return Channels(reaches, placed, series, **within)


def _share(document: Mapping[str, Any], key: str) -> float:
    value = _number(document, key, _WITHIN)
    if not _LEAST_OFF <= value <= 1:
        raise _Wrong(
            f"{key} is {value:g}: a share from {_LEAST_OFF:g} to 1 is wanted",
            f"{key} 為 {value:g}，應為 {_LEAST_OFF:g} 到 1 的比例",
        )
    return value


def _series(given: Any) -> list[tuple[float, float]]:
    """``[[time, factor], …]``, times in seconds or all in ISO 8601. Raises ``ValueError``."""
    if given is None:
        return []
    if not isinstance(given, list) or not given:
        raise _Wrong("a list of [time, factor] is wanted", "應為 [時間, 倍數] 的清單")
    found: list[tuple[float, float]] = []
    for one in given:
        if not isinstance(one, list) or len(one) != 2:
            shown = f"{one!r}"[:60]
            raise _Wrong(f"{shown}: [time, factor] is wanted", f"{shown}：應為 [時間, 倍數]")
        at = one[0]
        if isinstance(at, str):
            try:
                moment = datetime.fromisoformat(at)
            except ValueError as error:
                raise _Wrong(str(error), f"{at!r} 不是 ISO 8601 時間") from error
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            at = moment.timestamp()
        time, factor = _number({"time": at}, "time"), _number({"factor": one[1]}, "factor")
        if not _SLOWER <= factor <= 1 / _SLOWER or abs(time) > _LONGEST_S:
            said = f"[{time:g}, {factor:g}]", f"{_SLOWER:g} – {1 / _SLOWER:g}", f"{_LONGEST_S:g}"
            raise _Wrong(
                "{}: a factor of {} and at most {} seconds are wanted".format(*said),
                "{}：倍數應為 {}，秒數不超過 {}".format(*said),
            )
        if found and time <= found[-1][0]:
            raise _Wrong(
                f"the time {one[0]!r} is not later than the one before",
                f"時間 {one[0]!r} 不晚於前一個",
            )
        found.append((time, factor))
    return found


def _take(feature: Any, reaches: dict[str, Reach], points: dict[str, Point]) -> None:
    if not isinstance(feature, dict):
        raise _Wrong("it is no object", "不是物件")
    shape, tags = feature.get("geometry"), feature.get("properties")
    kind = shape.get("type") if isinstance(shape, dict) else None
    if not isinstance(tags, dict):
        raise _Wrong("it has no properties", "沒有 properties")
    if kind == "LineString":
        reach = _reach(tags)
        if reach.id in reaches:
            raise _Wrong(f"reach {reach.id!r} is there twice", f"河段 {reach.id!r} 重複")
        reaches[reach.id] = reach
    elif kind == "Point":
        name, which = _name(tags, "id"), _name(tags, "kind")
        if which not in POINTS:
            return  # gates and the like take no part here
        if name in points:
            raise _Wrong(f"point {name!r} is there twice", f"點 {name!r} 重複")
        offset = _number(tags, "offset_m", 0.0)
        points[name] = Point(name, which, _name(tags, "reach"), offset)
    else:
        raise _Wrong(
            f"geometry {kind!r}: LineString or Point is wanted",
            f"幾何 {kind!r}：應為 LineString 或 Point",
        )


def _reach(tags: Mapping[str, Any]) -> Reach:
    name, start, end = (_name(tags, key) for key in ("id", "from", "to"))
    if start == end:
        raise _Wrong(f"reach {name!r} ends where it begins", f"河段 {name!r} 的起點與終點相同")
    length, area = (_above(tags, key, name) for key in ("length_m", "area_m2"))
    velocity = _number(tags, "velocity_m_s")
    if velocity == 0:
        raise _Wrong(
            f"reach {name!r}: velocity_m_s is 0: standing water carries nothing",
            f"河段 {name!r}：velocity_m_s 為 0，靜止的水不會輸送物質",
        )
    _bounded("velocity_m_s", velocity, name)
    keys = ("dispersion_m2_s", "storage_area_m2", "exchange_1_s", "decay_1_s")
    numbers = {key: _bounded(key, _number(tags, key, 0.0), name) for key in keys}
    for key, value in numbers.items():
        if value < 0:
            raise _Wrong(f"reach {name!r}: {key} is below 0", f"河段 {name!r}：{key} 小於 0")
    inflow = _bounded("inflow_m3_s", _number(tags, "inflow_m3_s", 0.0), name)
    if area * abs(velocity) + inflow <= 0:
        raise _Wrong(
            f"reach {name!r}: more water leaves it (inflow_m3_s) than flows in it",
            f"河段 {name!r}：流出的水（inflow_m3_s）多於流入的水",
        )
    turned = velocity < 0
    slope = None if tags.get("slope") is None else _bounded("slope", _number(tags, "slope"), name)
    if slope is not None and turned:
        slope = -slope
    start, end = (end, start) if turned else (start, end)
    return Reach(
        name, start, end, length, area, abs(velocity), **numbers,
        inflow_m3_s=inflow, slope=slope, turned=turned,
    )  # fmt: skip


def _name(tags: Mapping[str, Any], key: str) -> str:
    value = tags.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise _Wrong(f"{key} is {value!r}: a name is wanted", f"{key} 為 {value!r}：應為名稱")
    if any(category(one) in ("Cc", "Cs") for one in str(value)):
        raise _Wrong(f"{key} is {value!r}: no line of text", f"{key} 為 {value!r}：不是一行文字")
    return str(value)


def _number(tags: Mapping[str, Any], key: str, usual: float | None = None) -> float:
    value = tags.get(key, usual)
    value = usual if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"{key} is {value!r}: a number is wanted", f"{key} 為 {value!r}：應為數字")
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        number = inf
    if not isfinite(number):
        shown = f"{value!r}"[:50]
        raise _Wrong(f"{key} is {shown}: a number is wanted", f"{key} 為 {shown}：應為數字")
    return number


def _above(tags: Mapping[str, Any], key: str, name: str) -> float:
    value = _number(tags, key)
    if value <= 0:
        raise _Wrong(
            f"reach {name!r}: {key} is {value:g}: above 0 is wanted",
            f"河段 {name!r}：{key} 為 {value:g}，應大於 0",
        )
    return _bounded(key, value, name)


def _bounded(key: str, value: float, name: str) -> float:
    """What is next to nothing is 0, where that may be."""
    low, high = _BOUNDS[key]
    if low == 0 and abs(value) < _NOTHING:
        return 0.0
    if not low <= abs(value) <= high:
        raise _Wrong(
            f"reach {name!r}: {key} is {value:g}: {low:g} to {high:g} is wanted (another unit?)",
            f"河段 {name!r}：{key} 為 {value:g}，應為 {low:g} 到 {high:g}（單位不同？）",
        )
    return value


def _misplaced(points: Iterable[Point], reaches: Mapping[str, Reach]) -> Iterator[Note]:
    for point in points:
        reach = reaches.get(point.reach)
        if reach is None:
            yield Note(
                f"{point.kind} {point.id!r} is on reach {point.reach!r}, which is not there",
                f"{point.kind} {point.id!r} 所在的河段 {point.reach!r} 不存在",
            )
        elif not 0 <= point.offset_m <= reach.length_m:
            yield Note(
                f"{point.kind} {point.id!r} is {point.offset_m:g} m along reach {reach.id!r},"
                f" which is {reach.length_m:g} m long",
                f"{point.kind} {point.id!r} 位於河段 {reach.id!r} 的 {point.offset_m:g} 公尺處，"
                f"而該河段長 {reach.length_m:g} 公尺",
            )


def _along(point: Point, reach: Reach) -> Point:
    offset = reach.length_m - point.offset_m if reach.turned else point.offset_m
    return Point(point.id, point.kind, point.reach, offset)


def _cycles(reaches: Iterable[Reach]) -> Iterator[Note]:
    upstream: dict[str, set[str]] = defaultdict(set)
    for reach in reaches:
        upstream[reach.end].add(reach.start)
    try:
        TopologicalSorter(upstream).prepare()
    except CycleError as error:
        around = " → ".join(reversed(error.args[1]))
        yield Note(f"the water flows in a circle: {around}", f"水流成環：{around}")
