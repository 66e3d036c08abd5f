"""The streets of a simulated city: a graph of crossings, and GeoJSON with OpenStreetMap's tags.

Made up, around the scenario's origin: two main roads that cross there, streets between uneven
blocks, lanes in some of them, a stretch of water along which a path runs, a railway, a park, a
market, a school and a hospital. The same seed makes the same city.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vigil_sim.scenario_model import Metres, Scenario
from vigil_sim.world import World

HALF_M: Final = 1_800.0
"""Half of the city's width."""
ATTRIBUTION: Final = "Simulated streets"
_BLOCK_M: Final = (110.0, 190.0)
_MISSING: Final = 0.12
"""Share of the streets between two crossings that nobody has built."""
_BENT_M: Final = 9.0
_LANES: Final = 0.45
"""Share of the blocks with a lane in them."""
_SOUTH_NORTH: Final = (
    ("民族路", "Minzu Road"),
    ("文化路", "Wenhua Road"),
    ("光華路", "Guanghua Road"),
    ("公明路", "Gongming Road"),
    ("共和路", "Gonghe Road"),
    ("興中街", "Xingzhong Street"),
)
_WEST_EAST: Final = (
    ("中山路", "Zhongshan Road"),
    ("垂楊路", "Chuiyang Road"),
    ("民生路", "Minsheng Road"),
    ("吳鳳路", "Wufeng Road"),
    ("東門街", "Dongmen Street"),
    ("延平街", "Yanping Street"),
)
"""Names that many towns have; in the order in which streets lie from the middle outwards."""


@dataclass(frozen=True, slots=True)
class Way:
    """A line through the city, with its tags."""

    tags: dict[str, str]
    points: tuple[Metres, ...]
    closed: bool = False
    """An area."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place with a name."""

    tags: dict[str, str]
    at: Metres


@dataclass(frozen=True, slots=True)
class Streets:
    """``crossings`` by column and row; ``edges`` join neighbours."""

    crossings: dict[tuple[int, int], Metres]
    edges: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    ways: tuple[Way, ...]
    spots: tuple[Spot, ...] = field(default_factory=tuple)


def streets(world: World) -> Streets:
    """The city of a scenario."""
    columns, rows = _lines(world, "columns"), _lines(world, "rows")
    crossings = _crossings(world, columns, rows)
    edges = tuple(_edges(world, crossings))
    ways = (*_along(crossings, edges), *_lanes(world, crossings), *_landscape())
    return Streets(crossings, edges, ways, _spots())


def geojson(world: World) -> dict[str, Any]:
    """As ``vigil-cloud map import`` takes it. Positions are degrees, longitude first."""
    city = streets(world)

    def degrees(at: Metres) -> list[float]:
        latitude, longitude = world.geographic(at)
        return [round(longitude, 6), round(latitude, 6)]

    features = []
    for way in city.ways:
        line: list[Any] = [degrees(point) for point in way.points]
        shape = "Polygon" if way.closed else "LineString"
        features.append(_feature(way.tags, shape, [[*line, line[0]]] if way.closed else line))
    features += [_feature(spot.tags, "Point", degrees(spot.at)) for spot in city.spots]
    return {"type": "FeatureCollection", "attribution": ATTRIBUTION, "features": features}


def write(scenario: Scenario, path: Path) -> int:
    """One feature a line, for `vigil-cloud map import`; how many. Raises ``OSError``."""
    found = geojson(World(scenario, scenario.seed))
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in found["features"])
    head = f'{{"type": "FeatureCollection", "attribution": "{ATTRIBUTION}", "features": ['
    path.write_text(f"{head}\n{lines}\n]}}\n", "utf-8")
    return len(found["features"])


def _feature(tags: dict[str, str], shape: str, coordinates: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": tags,
        "geometry": {"type": shape, "coordinates": coordinates},
    }


def _lines(world: World, purpose: str) -> list[float]:
    """Where streets run, metres from the middle, one of them through it."""
    random = world.random("streets", purpose)
    found = [0.0]
    while found[-1] < HALF_M:
        found.append(found[-1] + random.uniform(*_BLOCK_M))
    while found[0] > -HALF_M:
        found.insert(0, found[0] - random.uniform(*_BLOCK_M))
    return found


def _crossings(
    world: World, columns: Sequence[float], rows: Sequence[float]
) -> dict[tuple[int, int], Metres]:
    random = world.random("streets", "bends")
    middle = columns.index(0.0), rows.index(0.0)
    found = {}
    for i, east in enumerate(columns):
        for j, north in enumerate(rows):
            bent = (random.gauss(0, _BENT_M), random.gauss(0, _BENT_M))
            # The two main roads are straight: what stands at them stands at them.
            if i == middle[0] or j == middle[1]:
                bent = (0.0, 0.0)
            found[i - middle[0], j - middle[1]] = (east + bent[0], north + bent[1])
    return found


def _edges(
    world: World, crossings: dict[tuple[int, int], Metres]
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    random = world.random("streets", "built")
    for i, j in sorted(crossings):
        for other in ((i + 1, j), (i, j + 1)):
            if other not in crossings:
                continue
            along = j if other[1] == j else i
            if _rank(along) != "residential" or random.random() > _MISSING:
                yield (i, j), other


def _rank(number: int) -> str:
    """A street's class by how many streets it lies from the middle."""
    if number == 0:
        return "primary"
    if number % 6 == 0:
        return "secondary"
    return "tertiary" if number % 3 == 0 else "residential"


def _tags(number: int, names: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Of the street that lies so many streets from the middle."""
    tags = {"highway": _rank(number)}
    if number % 3 == 0:
        # From the middle outwards, on both sides in turn: 0, 3, -3, 6, -6, …
        order = 0 if number == 0 else 2 * (abs(number) // 3) - (number > 0)
        if order < len(names):
            tags["name"], tags["name:en"] = names[order]
            return tags
    side = 2 * abs(number) + (number > 0)
    kind, kind_en = ("街", "Street") if names is _WEST_EAST else ("巷", "Lane")
    tags["name"], tags["name:en"] = f"第{side}{kind}", f"{kind_en} {side}"
    return tags


def _along(
    crossings: dict[tuple[int, int], Metres],
    edges: Sequence[tuple[tuple[int, int], tuple[int, int]]],
) -> Iterator[Way]:
    """Edges in a row are one way, as long as nothing is missing between them."""
    built = set(edges)
    for axis, names in ((0, _WEST_EAST), (1, _SOUTH_NORTH)):
        numbers = sorted({key[1 - axis] for key in crossings})
        steps = sorted({key[axis] for key in crossings})
        for number in numbers:
            run: list[Metres] = []
            for step in steps:
                here = (step, number) if axis == 0 else (number, step)
                before = (step - 1, number) if axis == 0 else (number, step - 1)
                if (before, here) not in built and run:
                    yield from _way(run, _tags(number, names))
                    run = []
                run.append(crossings[here])
            yield from _way(run, _tags(number, names))


def _way(run: Sequence[Metres], tags: dict[str, str]) -> Iterator[Way]:
    if len(run) > 1:
        yield Way(tags, tuple(run))


def _lanes(world: World, crossings: dict[tuple[int, int], Metres]) -> Iterator[Way]:
    """A lane from the middle of one side of a block into it."""
    random = world.random("streets", "lanes")
    for i, j in sorted(crossings):
        corners = [crossings.get(key) for key in ((i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1))]
        if None in corners or random.random() > _LANES:
            continue
        one, other, third, fourth = (corner for corner in corners if corner is not None)
        along = random.uniform(0.3, 0.7)
        begin = _between(one, other, along)
        end = _between(begin, _between(third, fourth, along), random.uniform(0.5, 0.85))
        number = random.randrange(3, 199)
        tags = {"highway": "service", "name": f"{number}巷", "name:en": f"Lane {number}"}
        yield Way(tags, (begin, end))


def _between(one: Metres, other: Metres, part: float) -> Metres:
    return one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part


def _landscape() -> Iterator[Way]:
    """What is no street: the water past the sonde of the night, a railway, greens, buildings."""
    bank = ((-1800.0, -520.0), (-700.0, -470.0), (80.0, -455.0), (628.0, -402.0), (1800.0, -180.0))
    yield Way({"waterway": "canal", "name": "道將圳", "name:en": "Daojiang canal"}, bank)
    beside = tuple((east, north + 16.0) for east, north in bank)
    yield Way({"highway": "footway", "name": "圳邊步道", "name:en": "Waterside path"}, beside)
    rail = ((-1450.0, -1800.0), (-1180.0, -600.0), (-1060.0, 400.0), (-980.0, 1800.0))
    yield Way({"railway": "rail"}, rail)
    market = ((190.0, 138.0), (248.0, 149.0), (320.0, 178.0), (397.0, 208.0), (470.0, 236.0))
    yield Way({"highway": "pedestrian", "name": "東市街", "name:en": "East Market Street"}, market)
    for tags, (west, south, east, north) in _GROUNDS:
        corners = ((west, south), (east, south), (east, north), (west, north))
        yield Way(tags, corners, closed=True)


_GROUNDS: Final = (
    (
        {"leisure": "park", "name": "中正公園", "name:en": "Zhongzheng Park"},
        (700.0, 380.0, 1120.0, 760.0),
    ),
    (
        {"leisure": "park", "name": "河濱綠地", "name:en": "Riverside green"},
        (-620.0, -620.0, -180.0, -500.0),
    ),
    (
        {"amenity": "school", "name": "東市國小", "name:en": "East Market Primary School"},
        (412.0, 214.0, 560.0, 330.0),
    ),
    (
        {"amenity": "hospital", "name": "市立醫院", "name:en": "City Hospital"},
        (-900.0, 520.0, -740.0, 660.0),
    ),
    ({"building": "retail", "name": "東市場"}, (346.0, 184.0, 386.0, 206.0)),
    ({"building": "apartments"}, (-372.0, 232.0, -344.0, 256.0)),
    ({"building": "train_station"}, (-1050.0, -40.0, -1010.0, 60.0)),
)


def _spots() -> tuple[Spot, ...]:
    return (
        Spot(
            {"amenity": "place_of_worship", "name": "城隍廟", "name:en": "Chenghuang Temple"},
            (252.0, 156.0),
        ),
        Spot(
            {"amenity": "marketplace", "name": "東市場", "name:en": "East Market"}, (366.0, 195.0)
        ),
        Spot(
            {"amenity": "fire_station", "name": "西區分隊", "name:en": "West Fire Station"},
            (-540.0, -130.0),
        ),
        Spot(
            {"amenity": "police", "name": "第一分局", "name:en": "First Precinct"}, (180.0, -240.0)
        ),
        Spot({"railway": "station", "name": "車站", "name:en": "Station"}, (-1030.0, 10.0)),
    )
