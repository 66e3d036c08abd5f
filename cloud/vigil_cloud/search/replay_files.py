"""The files that ``vigil-cloud search replay`` reads. Each mistake is one line that names it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import inf, isfinite
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from vigil_cloud.spreadsheets import NoTable, is_blank, named, surplus, twice, written
from vigil_schemas.errors import VigilError

CHECKIN_COLUMNS: Final = ("time", "person", "station")
MOST_STATIONS: Final = 5_000
"""Who is heard next is asked of each at thousands of places."""
STATION_COLUMNS: Final = ("station", "latitude", "longitude", "range_m")


class BadReplayInput(VigilError):
    """Check-ins or stations that no map can be drawn from."""

    code: ClassVar[str] = "bad-replay-input"
    remedy: ClassVar[str] = (
        "Check-ins: CSV with time, person, station, of one person or with --person."
        " Stations: station, latitude, longitude, range_m, and online_since, online_until,"
        " detection_per_minute where they are known; each name once."
    )


class Listed(NamedTuple):
    """A station of the file; times in seconds of the epoch."""

    name: str
    latitude: float
    longitude: float
    range_m: float
    online_since: float
    online_until: float
    detections_a_minute: float
    worked_until: float = -inf
    """Before ``online_since``; never, if that is when it began."""


class Seen(NamedTuple):
    """One check-in: seconds of the epoch, and the station's name."""

    at_s: float
    station: str


def moment(text: str) -> datetime:
    """ISO 8601; without a zone it is UTC. Raises ``ValueError``."""
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def stations(path: Path, default_rate: float) -> list[Listed]:
    """Raises ``BadReplayInput``, ``OSError``."""
    found: dict[str, Listed] = {}
    for line, row in _rows(path, STATION_COLUMNS):
        name = row["station"].strip()
        if not name:
            raise BadReplayInput(f"{path.name}, line {line}: a station without a name")
        if len(found) == MOST_STATIONS:
            raise BadReplayInput(
                f"{path.name}, line {line}: more than {MOST_STATIONS} stations; give those around"
                " where somebody is looked for"
            )
        if name in found:
            raise BadReplayInput(f"{path.name}, line {line}: a second station named {name!r}")
        try:
            found[name] = _station(name, row, default_rate)
        except ValueError as error:
            raise BadReplayInput(f"{path.name}, line {line}: {error}") from error
    if not found:
        raise BadReplayInput(f"{path.name} names no station")
    return list(found.values())


def _station(name: str, row: Mapping[str, str], default_rate: float) -> Listed:
    latitude, longitude = float(row["latitude"]), float(row["longitude"])
    range_m = float(row["range_m"])
    rate = float(row.get("detection_per_minute") or default_rate)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(f"{latitude}, {longitude} is no latitude and longitude")
    if not (isfinite(range_m) and 0 < range_m <= 10_000):
        raise ValueError(f"a range of {range_m:g} m")
    if not (isfinite(rate) and 0 <= rate <= 1_000):
        raise ValueError(f"{rate:g} detections a minute")
    since = (row.get("online_since") or "").strip()
    until = (row.get("online_until") or "").strip()
    begin = moment(since).timestamp() if since else -inf
    end = moment(until).timestamp() if until else inf
    if end < begin:
        raise ValueError("online_until is before online_since")
    return Listed(name, latitude, longitude, range_m, begin, end, rate)


def checkins(path: Path, person: str | None, known: set[str], until: datetime) -> list[Seen]:
    """One person's, up to ``until``, oldest first, in whatever order the file has them (some list
    the newest first, or one station after the other). Raises ``BadReplayInput``, ``OSError``."""
    found: list[Seen] = []
    people: dict[str, None] = {}
    for line, row in _rows(path, CHECKIN_COLUMNS):
        whose = row["person"].strip()
        people[whose] = None
        if person is not None and whose != person.strip():
            continue
        if person is None and len(people) > 1:
            raise BadReplayInput(f"{path.name} is of several people: say which with --person")
        try:
            at_s = moment(row["time"]).timestamp()
        except ValueError as error:
            raise BadReplayInput(f"{path.name}, line {line}: {error}") from error
        name = row["station"].strip()
        if name not in known:
            raise BadReplayInput(f"{path.name}, line {line}: no station is named {name!r}")
        if at_s <= until.timestamp():
            found.append(Seen(at_s, name))
    if not found:
        who = "there" if person is None else f"of {person!r} there"
        raise BadReplayInput(f"{path.name}: {who} is no check-in until {until.isoformat()}")
    return sorted(found, key=lambda one: one.at_s)


def lines(path: Path) -> list[list[tuple[float, float]]]:
    """Every LineString of a GeoJSON file. Raises ``BadReplayInput``, ``OSError``."""
    try:
        shape = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadReplayInput(f"{path.name} is not JSON: {str(error)[:80]}") from error
    found: list[list[tuple[float, float]]] = []
    waiting: list[Any] = [shape]
    try:
        while waiting:
            one = waiting.pop()
            kind = one.get("type")
            if kind == "FeatureCollection":
                waiting += one["features"]
            elif kind == "GeometryCollection":
                waiting += one["geometries"]
            elif kind == "Feature" and one.get("geometry") is not None:
                waiting.append(one["geometry"])
            elif kind == "LineString":
                found.append([(float(p[0]), float(p[1])) for p in one["coordinates"]])
            elif kind == "MultiLineString":
                found += [[(float(p[0]), float(p[1])) for p in line] for line in one["coordinates"]]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadReplayInput(f"{path.name} is no GeoJSON of lines") from error
    return found


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = written(path.read_bytes())
    except NoTable as error:
        raise BadReplayInput(f"{path.name} is {error}") from error
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    try:
        reader.fieldnames = named(reader.fieldnames)
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise BadReplayInput(f"{path.name} has no column {', '.join(missing)}")
        if again := twice(reader.fieldnames or ()):
            raise BadReplayInput(f"{path.name} has a column twice: {', '.join(again)}")
        for row in reader:
            if is_blank(row):
                continue
            if surplus(row):
                raise BadReplayInput(
                    f"{path.name}, line {reader.line_num}: more cells than columns"
                )
            if any(row.get(name) is None for name in columns):
                raise BadReplayInput(f"{path.name}, line {reader.line_num}: a cell is missing")
            yield reader.line_num, row
    except csv.Error as error:
        raise BadReplayInput(f"{path.name}, line {reader.line_num + 1}: {error}") from error
