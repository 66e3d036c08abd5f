"""`vigil-cloud ingest` as processes of their own."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import servers
from revisions import tables_in
from vigil_cloud.timeseries.port import TimeSeries
from vigil_cloud.timeseries.sqlite import SqliteTimeSeries


class Cloud:
    """`vigil-cloud ingest` processes over one set of stores."""

    def __init__(self, folder: Path, broker_port: int, **variables: str) -> None:
        self.folder = folder
        self.env = {
            "VIGIL_DEMO": "true",
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_BROKER_URL": f"mqtt://127.0.0.1:{broker_port}",
            **variables,
        }
        if "VIGIL_DATABASE_URL" not in variables:
            tables_in(folder / "cloud")
        self.running: list[servers.Server] = []
        self._started = 0

    def start(self, **variables: str) -> servers.Server:
        """One more ingest process: subscribed, and listening to signals."""
        self._started += 1
        log = self.folder / f"ingest-{self._started}.log"

        def started() -> bool:
            said = log.read_text() if log.exists() else ""
            return said.count('"event": "subscribed"') == 3 and '"kind": "ready"' in said

        process = servers.Server(
            "ingest",
            [sys.executable, "-m", "vigil_cloud.cli", "ingest"],
            started,
            log,
            env={**self.env, **variables},
        )
        process.start()
        self.running.append(process)
        return process

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / "cloud" / "vigil.sqlite3", timeout=60)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def count(self, query: str, *values: Any) -> int:
        return int(self.rows(query, *values)[0][0])

    def timeseries(self) -> TimeSeries:
        return SqliteTimeSeries(self.folder / "cloud" / "timeseries.sqlite3")
