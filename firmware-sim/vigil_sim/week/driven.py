"""The cloud that the week is sent through: a process of its own whose clock we move."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final

from vigil_schemas.errors import VigilError
from vigil_schemas.types import isoformat_utc
from vigil_sim.demo.processes import Children, claim_port, program

SEED_S: Final = 1800.0
"""The start with ten thousand homes to be written may take so long on a busy machine."""
STEP_S: Final = 300.0
"""One step of the cloud may take so long."""


class CloudStuck(VigilError):
    """The cloud does not answer a step."""

    code: ClassVar[str] = "week-cloud-stuck"
    remedy: ClassVar[str] = "Look at the cloud's log in the folder that the message names."


class DrivenCloud:
    """``vigil-cloud rehearse``: real broker, ingest, API, rules and stores."""

    def __init__(self, children: Children, directory: Path, environment: Mapping[str, str]) -> None:
        self._children = children
        self._directory = directory
        self._environment = dict(environment)
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self._process: subprocess.Popen[bytes] | None = None
        self.now: datetime | None = None
        self.steps = 0
        self.last: dict[str, Any] = {}
        """What the cloud said of its newest step."""
        self.url = ""
        self.broker = ""

    def start(self, start: datetime, seed: Path) -> None:
        """Until it answers. Raises ``DemoFailed`` with its log where it ends instead."""
        environment = {
            "VIGIL_DEMO": "true",
            "VIGIL_DATA_DIR": str(self._directory / "cloud"),
            "VIGIL_HTTP_PORT": str(claim_port()),
            "VIGIL_BROKER_URL": "embedded",
            "VIGIL_BROKER_LISTEN": f"127.0.0.1:{claim_port()}",
            "VIGIL_LOG_LEVEL": "warning",
            "FORWARDED_ALLOW_IPS": "127.0.0.1",
            **self._environment,
        }
        command = [program("vigil-cloud"), "rehearse", "--start", isoformat_utc(start)]
        self._process = self._children.start(
            "cloud", [*command, "--seed", str(seed)], environment=environment, piped=True
        )
        threading.Thread(target=self._listen, name="cloud", daemon=True).start()
        ready = self._next(SEED_S)
        self.url, self.broker = ready["url"], ready["broker"]
        self.now = start

    def step(self, to: datetime) -> None:
        """Move its clock, and wait until nothing is due there. Raises ``CloudStuck``."""
        stdin = self._process.stdin if self._process is not None else None
        if stdin is None:
            raise CloudStuck("the cloud was not started")
        to = max(to, self.now or to)
        stdin.write(json.dumps({"to": isoformat_utc(to)}).encode() + b"\n")
        stdin.flush()
        said = self._next(STEP_S)
        if said["kind"] != "stepped":
            raise CloudStuck(f"the cloud refused a step: {said.get('message', said)}")
        self.now, self.last = to, said
        self.steps += 1

    def _next(self, patience_s: float) -> dict[str, Any]:
        waited = 0.0
        while waited < patience_s:
            self._children.check()
            try:
                return self._said.get(timeout=0.5)
            except queue.Empty:
                waited += 0.5
        raise CloudStuck(f"the cloud said nothing for {patience_s:.0f} s; see {self._directory}")

    def _listen(self) -> None:
        for line in (self._process and self._process.stdout) or ():
            self._said.put(json.loads(line))
