"""A restore that is killed (SIGKILL) anywhere is given again and fills the same city."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloud_city import NOON, SECRET, City, exceedance, sealed, visit
from vigil_cloud.backup import making, restoring, tables
from vigil_cloud.config import load
from vigil_cloud.stores import build_services
from vigil_cloud.timeseries.port import Point, Series

KILLED = """
import os, signal, sys
from pathlib import Path
from vigil_cloud.backup import restoring
from vigil_cloud.config import load
from vigil_cloud.stores import build_services

folder, backup, secret, word, count = sys.argv[1:]
left = int(count)

def told(line):
    global left
    left -= word in line
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

services = build_services(load(None, data_dir=Path(folder), secret_key=secret))
restoring.restore(services, Path(backup), by="operator", told=told)
"""
SERIES = Series("water", "gw-east", "probe-1", "pH")


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    city = City(folder)
    try:
        city.birth()
        city.send(exceedance(NOON), "mic-1")
        city.send(visit(NOON), "station-1")
        for number in range(3):
            (folder / "package").write_bytes(sealed({"plate.png": b"a picture"})[1])
            city.services.objects.put(f"evidence/gw-a/{number}.zip", folder / "package")
        points = [Point(SERIES, 1_700_000_000_000_000 + n, n / 7, 1) for n in range(20_000)]
        city.services.timeseries.write(points)
        (city.settings.data_dir / "streets.geojson").write_text("{}", "utf-8")
        path = folder / "city.zip"
        making.make(city.services, path, by="operator")
    finally:
        city.close()
    return path


def contents(folder: Path) -> dict[str, Any]:
    """Everything but what the restore itself notes."""
    services = build_services(load(None, data_dir=folder, secret_key=SECRET))
    try:
        with services.engine.connect() as connection:
            rows = {
                table.name: sorted(str(json.loads(one)) for one in tables.lines(connection, table))
                for table in tables.ordered()
                if table.name not in ("audit_log", "audit_head", "certificate_authority")
            }
        objects = {n: b"".join(services.objects.read(n)) for n in services.objects.names()}
        readings = [point for some in services.timeseries.everything() for point in some]
        others = sorted(path.name for path in folder.iterdir() if "sqlite3" not in path.name)
        return {"rows": rows, "objects": objects, "readings": readings, "files": others}
    finally:
        services.close()


def restored(folder: Path, backup: Path) -> None:
    services = build_services(load(None, data_dir=folder, secret_key=SECRET))
    try:
        restoring.restore(services, backup, by="operator")
    finally:
        services.close()


@pytest.mark.parametrize(
    ("word", "count"),
    [("readings", 1), ("readings", 2), ("objects", 2), ("table ", 1), ("table ", 60)],
)
def test_given_again_it_fills_the_same_city(
    backup: Path, tmp_path: Path, word: str, count: int
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    restored(whole, backup)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(killed), str(backup), SECRET, word, str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr

    restored(killed, backup)

    assert contents(killed) == contents(whole)
