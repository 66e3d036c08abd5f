"""``vigil-cloud search``: a map from files without a running city, and the city's streets."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vigil_cloud.commands.opening import Commands, add_command, add_subject, opened
from vigil_cloud.commands.output import beside, written

if TYPE_CHECKING:
    from vigil_cloud.search.probability_map import SearchMap


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """``replay``, which opens no database, and ``streets``."""
    actions = add_subject(commands, "search", "searches for people")
    text = "where somebody was at a time, from their check-ins; one JSON object"
    replay = add_command(actions, "replay", _replay, text)
    replay.add_argument("checkins", type=Path, metavar="CHECKINS.csv", help="time,person,station")
    stations = "station,latitude,longitude,range_m,online_since,online_until"
    replay.add_argument("--stations", required=True, type=Path, metavar="FILE", help=stations)
    replay.add_argument(
        "--at", required=True, metavar="TIME", help="ISO 8601; later rows are unused"
    )
    free = "GeoJSON lines; without it people walk on free ground"
    replay.add_argument("--streets", type=Path, metavar="STREETS.geojson", help=free)
    replay.add_argument("--out", required=True, type=Path, metavar="MAP.geojson")
    replay.add_argument("--person", help="whose, where the file is of several")
    cells = "x,y,p: longitude, latitude and probability of every cell of 50 m"
    replay.add_argument("--cells", type=Path, metavar="FILE.csv", help=cells)
    rings = "koester: the rings of distances alone, for comparison"
    replay.add_argument("--prior", choices=("filter", "koester"), default="filter", help=rings)
    text = "the streets on which people are searched for, in place of those before"
    streets = add_command(actions, "streets", _streets, text, common)
    streets.add_argument("file", type=Path, metavar="STREETS.geojson")


def _streets(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.search import ground, likely, replay_files

    lines = replay_files.lines(options.file)
    found = ground.streets(lines)
    for note in found.notes:
        sys.stderr.write(f"vigil-cloud: {note.text}\n")
    with opened(options) as services, writing(services.sessions) as session:
        likely.put_streets(session, lines, services.now())
    length_km = float(found.length_m.sum()) / 2_000
    print(f"{len(lines)} streets, {length_km:.1f} km; maps of searches follow them from now on")
    return 0


def _replay(options: argparse.Namespace) -> int:
    from vigil_cloud.search import probability_map, replay_files
    from vigil_cloud.search.reach import DETECTIONS_A_MINUTE

    at = _moment(options.at)
    stations = replay_files.stations(options.stations, DETECTIONS_A_MINUTE)
    names = {station.name for station in stations}
    seen = replay_files.checkins(options.checkins, options.person, names, at)
    lines = None if options.streets is None else replay_files.lines(options.streets)
    found = probability_map.draw(stations, seen, at.timestamp(), lines, options.prior)
    for note in found.notes:
        sys.stderr.write(f"vigil-cloud: {note.text}\n")
    features = found.geojson()
    for feature in features["features"]:
        feature["properties"]["time"] = at.isoformat()
    with written(options.out) as file:
        file.write(json.dumps(features))
    if options.cells is not None:
        _write_cells(options.cells, found)
    shown = {
        "time": at.isoformat(),
        "contours": found.contours(),
        "next_stations": [
            {"station": name, "probability": round(p, 6)} for name, p in found.next_stations
        ],
    }
    print(json.dumps(shown, ensure_ascii=False), file=beside(options.out, options.cells))
    return 0


def _moment(text: str) -> datetime:
    from vigil_cloud.search import replay_files

    try:
        return replay_files.moment(text)
    except ValueError as error:
        raise replay_files.BadReplayInput(f"--at: {error}") from error


def _write_cells(path: Path, found: SearchMap) -> None:
    places, mass = found.cells()
    with written(path) as file:
        file.write("x,y,p\n")
        file.writelines(
            f"{x:.6f},{y:.6f},{p:.6g}\n"
            for (x, y), p in zip(places.tolist(), mass.tolist(), strict=True)
        )
