"""``vigil-cloud checkin locate``: a beacon's way through a hall, from a recording."""

from __future__ import annotations

import argparse
import csv
import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from vigil_cloud.spreadsheets import NoTable, is_blank, named, surplus, twice, written
from vigil_schemas.errors import VigilError

if TYPE_CHECKING:
    from vigil_cloud.checkin.locating import Sensor


_LONGEST_S: Final = 86_400.0
_LATEST_S: Final = 1e12
"""Of any clock that counts seconds."""
_MOST_SENSORS: Final = 500
"""In one hall; every second is compared with each at thousands of places."""
_LONGEST_AHEAD_S: Final = 7_200.0
"""Looking ahead keeps every second in memory."""


class BadTrack(VigilError):
    """A recording or a list of sensors from which nobody can be located."""

    code: ClassVar[str] = "bad-track"
    remedy: ClassVar[str] = (
        "TRACK: lines of time (seconds), sensor, beacon, RSSI (dBm), of one beacon and one day."
        " SENSORS: CSV with the columns sensor, x and y in metres, each sensor once."
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The recording and the sensors."""
    parser.add_argument("track", type=Path, metavar="TRACK", help="time,sensor,beacon,rssi,…")
    parser.add_argument("--sensors", required=True, type=Path, metavar="SENSORS.csv")
    parser.add_argument("--causal", action="store_true", help="never look ahead")


def run(options: argparse.Namespace) -> int:
    """Print one JSON object a second. Raises ``BadTrack``, ``OSError``."""
    from vigil_cloud.checkin.locating import locate

    sensors = _sensors(options.sensors)
    heard = _heard(options.track, {sensor.name: n for n, sensor in enumerate(sensors)})
    if not options.causal and heard[-1][0] - heard[0][0] > _LONGEST_AHEAD_S:
        raise BadTrack(f"{options.track.name} lasts more than two hours: cut it, or give --causal")
    for fix in locate(sensors, heard, causal=options.causal):
        shown = {"t": fix.second, "x": round(fix.x, 3), "y": round(fix.y, 3)}
        print(json.dumps({**shown, "nearest": fix.nearest}))  # noqa: T201 - a command prints
    return 0


def _lines(path: Path) -> list[str]:
    try:
        return written(path.read_bytes()).splitlines()
    except NoTable as error:
        raise BadTrack(f"{path.name} is {error}") from error


def _sensors(path: Path) -> list[Sensor]:
    reader = csv.DictReader(_lines(path), skipinitialspace=True)
    try:
        return _placed(path, reader)
    except csv.Error as error:  # a cell without an end, for one
        raise BadTrack(f"{path.name}, line {reader.line_num + 1}: {error}") from error


def _placed(path: Path, reader: csv.DictReader[str]) -> list[Sensor]:
    from vigil_cloud.checkin.locating import Sensor

    reader.fieldnames = named(reader.fieldnames)
    if missing := [name for name in ("sensor", "x", "y") if name not in (reader.fieldnames or ())]:
        raise BadTrack(f"{path.name} has no column {', '.join(missing)}")
    if again := twice(reader.fieldnames or ()):
        raise BadTrack(f"{path.name} has a column twice: {', '.join(again)}")
    found: dict[str, Sensor] = {}
    for row in reader:
        where = f"{path.name}, line {reader.line_num}"
        if is_blank(row):
            continue
        if surplus(row):
            raise BadTrack(f"{where}: more cells than columns")
        name = (row["sensor"] or "").strip()
        if name in found:
            raise BadTrack(f"{where}: a second sensor named {name!r}")
        try:
            place = float(row["x"] or "nan"), float(row["y"] or "nan")
        except ValueError as error:
            raise BadTrack(f"{where}: {error}") from error
        if not all(isfinite(one) and abs(one) < 100_000 for one in place):
            raise BadTrack(f"{where}: {name!r} has no place in metres")
        found[name] = Sensor(name, place)
    if not 2 <= len(found) <= _MOST_SENSORS:
        few = "fewer than two" if len(found) < 2 else f"more than {_MOST_SENSORS}"
        raise BadTrack(f"{path.name} names {few} sensors: give those of one hall")
    return list(found.values())


def _numbers(cells: list[str]) -> tuple[float, float] | None:
    """Time and strength."""
    try:
        return float(cells[0]), float(cells[3])
    except (ValueError, IndexError):
        return None


def _heard(path: Path, sensors: dict[str, int]) -> list[tuple[float, int, float]]:
    """Seconds, sensor and dBm in order of time; a file that was put together from the logs of
    several sensors need not be in order."""
    found: list[tuple[float, int, float]] = []
    beacons: set[str] = set()
    for line, text in enumerate(_lines(path), 1):
        if not text.strip():
            continue
        cells = [cell.strip() for cell in text.split(",")]
        where = f"{path.name}, line {line}"
        numbers = _numbers(cells)
        if numbers is None:
            if line == 1 and len(cells) > 3:  # a heading
                continue
            raise BadTrack(f"{where}: no time, sensor, beacon and strength")
        time, strength = numbers
        beacons.add(cells[2])
        if len(beacons) > 1:
            raise BadTrack(f"{where}: a second beacon; a track is of one")
        if cells[1] not in sensors:
            raise BadTrack(f"{where}: no sensor is named {cells[1]!r}")
        if not abs(time) < _LATEST_S:  # also of what is no number
            raise BadTrack(f"{where}: {cells[0]} is no time in seconds")
        if -127 < strength < 20 and strength != 0:  # 127, -127 and 0 stand for: not known
            found.append((time, sensors[cells[1]], strength))
    return _in_order(path, found)


def _in_order(path: Path, found: list[tuple[float, int, float]]) -> list[tuple[float, int, float]]:
    if not found:
        raise BadTrack(f"{path.name} holds no signal strength")
    found.sort(key=lambda one: one[0])
    if found[-1][0] - found[0][0] > _LONGEST_S:
        raise BadTrack(f"{path.name} lasts longer than a day: {found[0][0]:g} to {found[-1][0]:g}")
    return found
