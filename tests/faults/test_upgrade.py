"""An upgrade while everything runs: cloud first, then gateway by gateway, and nothing is lost.

The version before is a commit of this repository, so that it is what really ran: its agents keep
what they accepted in its outbox file, its ingest in its tables.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

import servers
from faults.city import City, Process, Size, settled
from faults.no_loss import count_points, database, expected_events, onsets, outcome, points
from vigil_cloud.database import migrate

ROOT = Path(__file__).parents[2]
BEFORE = "653b957c"
"""The last commit before gateways could be enrolled and packages were made."""
RELEASE_BEFORE = "5550edac"
"""One whose packages migrate while its services run; its tables are those of ``ITS_TABLES``."""
ITS_TABLES = "0080"
SIZE = Size(gateways=2, records=200, rate=10.0, kills=0)
FULL = Size(gateways=10, records=2000, rate=20.0, kills=0)


def unpacked(folder: Path, commit: str) -> str:
    """Where an older version's packages are, as ``PYTHONPATH``."""
    words = ["git", "archive", commit, "schemas", "edge", "cloud/vigil_cloud"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=120, check=False)
    if done.returncode:
        # No package of the machine: where the history is shallow there is no older version.
        pytest.skip(f"commit {commit} is not here: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return os.pathsep.join(str(folder / part) for part in ("schemas", "edge", "cloud"))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> str:
    return unpacked(tmp_path_factory.mktemp("before"), BEFORE)


@pytest.fixture(scope="module")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> str:
    return unpacked(tmp_path_factory.mktemp("release-before"), RELEASE_BEFORE)


class Older(City):
    """A city whose programs are those of an older version, until they are upgraded."""

    def __init__(self, folder: Path, size: Size, path: str, relational: str = "sqlite") -> None:
        super().__init__(folder, size, 11, relational)
        self.path = path
        self.cloud_env["PYTHONPATH"] = path

    def _agent(self, sonde: dict[str, Any]) -> Process:
        made = super()._agent(sonde)
        made.env["PYTHONPATH"] = self.path
        return made

    def start(self) -> None:
        """All but the last gateway, whose readings meet the new cloud alone."""
        super().start()
        self.agents[-1].kill()

    def upgrade_cloud(self) -> None:
        """As a package does: the old one ends, the tables go forward, the new one starts."""
        self.ingest.stop()
        self.migrate()
        self.restart_ingest()

    def migrate(self) -> None:
        """With this version's program."""
        env = {**os.environ, **self.cloud_env}
        del env["PYTHONPATH"]
        words = [sys.executable, "-m", "vigil_cloud", "migrate"]
        servers.run(words, env=env).check_returncode()

    def restart_ingest(self) -> None:
        """As this version's."""
        self.ingest.stop()
        del self.cloud_env["PYTHONPATH"]
        self.ingest.start()

    def upgrade_agent(self, agent: Process) -> None:
        """Killed in the midst of it, which is worse than what a package does."""
        agent.kill()
        del agent.env["PYTHONPATH"]
        agent.start()


def revision(city: City) -> str | None:
    engine = create_engine(database(city))
    try:
        return migrate.current(engine)
    finally:
        engine.dispose()


def is_older(path: str) -> bool:
    """Whether what runs under this path is not this version: it has no ``--version`` yet."""
    words = [sys.executable, "-m", "vigil_edge", "--version"]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(words, env=environment, capture_output=True, timeout=60, check=False)
    return done.returncode == 2


@pytest.mark.parametrize(
    "size", [pytest.param(SIZE, id="small"), pytest.param(FULL, id="large", marks=pytest.mark.full)]
)
def test_an_upgrade_loses_nothing(before: str, size: Size, tmp_path: Path) -> None:
    assert is_older(before)
    assert not is_older("")
    city = Older(tmp_path, size, before)
    try:
        city.start()
        servers.eventually(lambda: count_points(city), "readings in the old cloud", 240)

        city.upgrade_cloud()

        late = city.agents[-1]
        before_it = len({point[0] for point in points(city)})
        late.start()
        servers.eventually(
            lambda: len({point[0] for point in points(city)}) > before_it,
            "readings of an old gateway in the new cloud",
            240,
        )
        assert revision(city) == migrate.head()
        for agent in city.agents:
            city.upgrade_agent(agent)
        settled(lambda: count_points(city), size.gateways * size.records, patience_s=120)
        city.check_running()
        city.end_production()
        settled(lambda: len(onsets(city)), expected_events(city), patience_s=120)
        found = outcome(city, Counter(), 0.0)
    finally:
        city.stop()
    print(f"upgrade: readings {found.produced}, lost {found.lost}, events {found.events}")
    assert found.produced >= size.gateways * size.records
    assert (found.lost, found.duplicated, found.dead_letters) == (0, 0, 0)
    assert (found.events_lost, found.events_repeated) == (0, 0)


@pytest.mark.parametrize("relational", ["sqlite", "postgresql"])
def test_the_release_before_goes_on_while_the_next_migrates(
    release_before: str, relational: str, tmp_path: Path
) -> None:
    """As packages and Compose do it: ingest is restarted after the migration and not before."""
    city = Older(tmp_path, SIZE, release_before, relational)
    try:
        city.start()
        assert revision(city) == ITS_TABLES
        servers.eventually(lambda: count_points(city), "readings in the old cloud", 240)

        city.migrate()

        assert revision(city) == migrate.head()
        then = count_points(city)
        city.agents[-1].start()
        servers.eventually(
            lambda: count_points(city) > then, "the old ingest stores in the new tables", 240
        )
        city.check_running()
        city.restart_ingest()
        settled(lambda: count_points(city), SIZE.gateways * SIZE.records, patience_s=120)
        city.end_production()
        settled(lambda: len(onsets(city)), expected_events(city), patience_s=120)
        found = outcome(city, Counter(), 0.0)
    finally:
        city.stop()
    assert (found.lost, found.duplicated, found.dead_letters) == (0, 0, 0)
    assert (found.events_lost, found.events_repeated) == (0, 0)
