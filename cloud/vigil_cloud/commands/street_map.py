"""``vigil-cloud map``: the streets that the pages draw."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened

if TYPE_CHECKING:
    from vigil_cloud.street_map.models import StreetMapRow


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """import, show, remove."""
    actions = add_subject(commands, "map", "the streets that the pages draw")
    text = "draw the streets of this file from now on; the file is checked first"
    put = add_command(actions, "import", _import, text, common)
    files = "PMTiles (Protomaps' basemap), or GeoJSON of OpenStreetMap, which is made into tiles"
    put.add_argument("file", type=Path, metavar="FILE.pmtiles|FILE.geojson", help=files)
    whom = "whom the map names; without it the file's own word, else OpenStreetMap's contributors"
    put.add_argument("--attribution", default="", metavar="TEXT", help=whom)
    text = "which streets are drawn; null where none are"
    add_command(actions, "show", _show, text, common)
    text = "draw the borders of villages alone, as before the first import"
    add_command(actions, "remove", _remove, text, common)


def _import(options: argparse.Namespace) -> int:
    from vigil_cloud.street_map import service

    with opened(options) as services:
        done = service.put(
            services, options.file, by=OPERATOR, attribution=options.attribution, told=_tell
        )
    if done.guessed_attribution:
        _tell(f"the map names {done.row.attribution}; --attribution names somebody else")
    if done.left_out:
        _tell(f"{done.left_out} features are of kinds that the map does not draw")
    _print(done.row, left_out=done.left_out)
    return 0


def _show(options: argparse.Namespace) -> int:
    from vigil_cloud.street_map import service

    with opened(options) as services, services.sessions() as session:
        row = service.current(session)
        if row is None:
            print("null")
        else:
            _print(row)
    return 0


def _remove(options: argparse.Namespace) -> int:
    from vigil_cloud.street_map import service

    with opened(options) as services:
        print(json.dumps({"removed": service.remove(services, by=OPERATOR)}))
    return 0


def _tell(line: str) -> None:
    print(f"vigil-cloud: {line}", file=sys.stderr)


def _print(row: StreetMapRow, **more: int) -> None:
    said = {
        "sha256": row.sha256,
        "source": row.source,
        "bytes": row.size,
        "bounds": [row.west, row.south, row.east, row.north],
        "zooms": [row.min_zoom, row.max_zoom],
        "attribution": row.attribution,
        "imported": row.imported.isoformat(),
        **more,
    }
    print(json.dumps(said, ensure_ascii=False))
