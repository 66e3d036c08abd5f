"""The agent as a process of its own, with a stand-in for one domain, and a cloud that listens."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import servers
from edge.ingest_stand_in import IngestStandIn
from vigil_schemas.senml import unpack

PROGRAM = Path(__file__).with_name("counting_agent.py")


@dataclass
class Agent:
    """One agent process on one folder, and the cloud that listens to it."""

    folder: Path
    gateway: str
    listener: IngestStandIn | None
    """``None`` until a cloud listens."""
    program: Path = PROGRAM
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def cloud(self) -> IngestStandIn:
        assert self.listener is not None, "no cloud listens yet"
        return self.listener

    def configure(
        self, port: int, sections: str, *, url: str | None = None, interval_s: float = 1
    ) -> None:
        upload = "" if url is None else f'url = "{url}"\ntoken = "s3cret"\n'
        (self.folder / "gateway.toml").write_text(
            f'[gateway]\nid = "{self.gateway}"\ndata_dir = "data"\n'
            f'[cloud]\nbroker = "mqtt://127.0.0.1:{port}"\n{upload}'
            f"[health]\ninterval_s = {interval_s}\n{sections}"
        )

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "agent.log").open("ab") as log:
            process = servers.spawn(
                [
                    *(sys.executable, str(self.program), "run"),
                    *("--config", str(self.folder / "gateway.toml")),
                ],
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    @contextmanager
    def listened_to(self, port: int) -> Iterator[None]:
        """From now on by a cloud that was not there before."""
        self.listener = IngestStandIn(port, self.gateway)
        yield

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(60)
        if self.listener is not None:
            self.listener.close()

    def log(self) -> str:
        return (self.folder / "agent.log").read_text()


@contextmanager
def agent_on(port: int, folder: Path, *, program: Path = PROGRAM) -> Iterator[Agent]:
    gateway = f"gw-{uuid.uuid4().hex[:12]}"
    made = Agent(folder, gateway, IngestStandIn(port, gateway), program)
    try:
        yield made
    finally:
        made.close()


def values(cloud: IngestStandIn) -> list[float]:
    """Every reading that arrived, by number of its message."""
    messages = [each.data for each in cloud.messages("observation") if isinstance(each.data, list)]
    return [each.value or 0.0 for data in messages for each in unpack(data)[1]]
