"""A whole system of processes that can be killed one by one: the stage of the no-loss test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

import servers

BIN = Path(sys.executable).parent
DEMO = {"VIGIL_DEMO": "true"}


@dataclass
class Process:
    """One of our own programs; killed and started again with the same command."""

    name: str
    command: list[str]
    log: Path
    env: dict[str, str] = field(default_factory=dict)
    child: subprocess.Popen[Any] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.child = servers.spawn(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.env},
            )

    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child.wait()

    def stop(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()


@dataclass
class Size:
    """How large a run is."""

    gateways: int
    records: int
    """Per gateway."""
    rate: float
    """Records per second and gateway."""
    kills: int
    """Of each part."""


class City:
    """Sondes, agents, broker, ingest and database as processes of one run."""

    def __init__(self, folder: Path, size: Size, seed: int, relational: str) -> None:
        self.folder = folder
        self.size = size
        self.seed = seed
        self.ledger = folder / "ledger.sqlite3"
        self.mosquitto = servers.mosquitto(folder / "broker", extra="max_packet_size 300000")
        self.postgres = servers.postgres(folder / "pg") if relational == "postgresql" else None
        self.cloud_env = {
            **DEMO,
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_BROKER_URL": self.mosquitto.url,
        }
        if self.postgres is not None:
            self.cloud_env["VIGIL_DATABASE_URL"] = self.postgres.create("vigil")
        self.ingest = Process(
            "ingest",
            [sys.executable, "-m", "vigil_cloud", "ingest"],
            folder / "ingest.log",
            self.cloud_env,
        )
        self.fleet: Process | None = None
        self.agents: list[Process] = []

    def start(self) -> None:
        """Everything up; the sondes begin to measure once their ports are known."""
        migrate = [sys.executable, "-m", "vigil_cloud", "migrate"]
        servers.run(migrate, env={**os.environ, **self.cloud_env}).check_returncode()
        self.ingest.start()
        ports = self.folder / "ports.json"
        command = [sys.executable, "-m", "vigil_sim", "fleet"]
        command += ["--sondes", str(self.size.gateways), "--records", str(self.size.records)]
        command += ["--rate", str(self.size.rate), "--seed", str(self.seed)]
        command += ["--ledger", str(self.ledger), "--ports-file", str(ports)]
        self.fleet = Process("fleet", command, self.folder / "fleet.log")
        self.fleet.start()
        servers.eventually(ports.exists, "the fleet's ports")
        for sonde in json.loads(ports.read_text("utf-8"))["sondes"]:
            self.agents.append(self._agent(sonde))
        for agent in self.agents:
            agent.start()

    def _agent(self, sonde: dict[str, Any]) -> Process:
        gateway = sonde["gateway"]
        folder = self.folder / gateway
        folder.mkdir()
        configuration = folder / "gateway.toml"
        water = tomlkit.dumps({"water": [sonde["section"]]})
        configuration.write_text(
            f'[gateway]\nid = "{gateway}"\ndata_dir = "{folder}/data"\n'
            f'[cloud]\nbroker = "{self.mosquitto.url}"\n'
            f"[health]\ninterval_s = 60\n\n{water}\n",
            "utf-8",
        )
        command = [sys.executable, "-m", "vigil_edge", "run", "--config", str(configuration)]
        return Process(gateway, command, self.folder / f"{gateway}.log")

    def kill(self, part: str, which: int) -> None:
        """SIGKILL one part and start it again at once."""
        if part == "agent":
            agent = self.agents[which % len(self.agents)]
            agent.kill()
            agent.start()
        elif part == "broker":
            self.mosquitto.kill()
            self.mosquitto.start()
        elif part == "ingest":
            self.ingest.kill()
            self.ingest.start()
        elif part == "database" and self.postgres is not None:
            self.kill_postgres()
        elif part == "database":
            # SQLite lives inside ingest: to kill the database is to kill its process.
            self.ingest.kill()
            self.ingest.start()

    def kill_postgres(self) -> None:
        """SIGKILL the postmaster; its orphans leave by themselves, and then it starts again."""
        assert self.postgres is not None
        self.postgres.kill()
        deadline = time.monotonic() + 60
        while True:
            (self.postgres.data / "postmaster.pid").unlink(missing_ok=True)
            try:
                self.postgres.start(20)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    def parts(self) -> list[str]:
        return ["agent", "broker", "ingest", "database"]

    def check_running(self) -> None:
        """Nothing may have ended by itself."""
        for process in (self.ingest, *self.agents):
            assert process.running(), f"{process.name} ended: {process.log.read_text()[-2000:]}"

    def end_production(self) -> None:
        """End the sondes: what they noted last is in the ledger once they have."""
        assert self.fleet is not None
        self.fleet.stop()

    def stop(self) -> None:
        for process in (*self.agents, self.fleet, self.ingest):
            if process is not None:
                process.stop()
        if self.postgres is not None:
            self.postgres.stop()
        self.mosquitto.stop()


def settled(value: Callable[[], int], wanted: int, patience_s: float) -> int:
    """The value once it is as wanted, or after it has not moved for ``patience_s``."""
    last, moved = value(), time.monotonic()
    while last < wanted and time.monotonic() - moved < patience_s:
        time.sleep(0.25)
        now = value()
        if now != last:
            last, moved = now, time.monotonic()
    return last
