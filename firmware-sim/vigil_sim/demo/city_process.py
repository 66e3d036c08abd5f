"""The simulated city as a child process: started, begun on our word, and heard."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from vigil_sim.demo.processes import START_TIMEOUT_S, Children, DemoFailed, program

_LAST_WORDS_S: Final = 5.0
"""After its output has ended, a process has this long to end itself."""


@dataclass(frozen=True, slots=True)
class CityCommand:
    """What ``vigil-sim play`` is asked for."""

    scenario: str
    directory: Path
    tokens: Path
    broker_url: str
    cloud_url: str
    speed: float | None = None
    broker_password_file: Path | None = None
    emergency_port: int | None = None

    def words(self) -> list[str]:
        """The command line."""
        found = [program("vigil-sim"), "play", self.scenario, "--wait"]
        found += ["--dir", str(self.directory), "--tokens", str(self.tokens)]
        found += ["--broker", self.broker_url, "--cloud-url", self.cloud_url]
        if self.speed is not None:
            found += ["--speed", str(self.speed)]
        if self.broker_password_file is not None:
            found += ["--broker-password-file", str(self.broker_password_file)]
        if self.emergency_port is not None:
            found += ["--emergency-port", str(self.emergency_port)]
        return found


class CityProcess:
    """One night's city. ``check`` is called while waiting, and may raise."""

    def __init__(self, children: Children, command: CityCommand, check: Callable[[], None]) -> None:
        process = children.start("city", command.words(), piped=True)
        assert process.stdout is not None  # noqa: S101 - it was started with pipes
        assert process.stdin is not None  # noqa: S101
        self._stdin = process.stdin
        self._directory = command.directory
        self._check = check
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=_hear, args=(process.stdout, self._said), daemon=True).start()

    def ready(self) -> dict[str, Any]:
        """Wait until every device listens; returns ``city.json``. Raises ``DemoFailed``."""
        said = self.next(START_TIMEOUT_S)
        if said["kind"] != "ready":
            raise DemoFailed(f"the city said {said['kind']!r} before it was ready")
        layout: dict[str, Any] = json.loads((self._directory / "city.json").read_text("utf-8"))
        return layout

    def begin(self) -> None:
        """The night begins."""
        try:
            self._stdin.write(b"begin\n")
            self._stdin.close()
        except BrokenPipeError:
            self._ended()

    def next(self, patience_s: float) -> dict[str, Any]:
        """What it says next. Raises ``DemoFailed`` where it says nothing for so long."""
        deadline = time.monotonic() + patience_s
        while (said := self.heard()) is None:
            self._check()
            if time.monotonic() > deadline:
                raise DemoFailed(f"the city said nothing for {patience_s:.0f} s")
            time.sleep(0.05)
        return said

    def heard(self) -> dict[str, Any] | None:
        """What it has said and nobody has heard yet, if anything."""
        try:
            said = self._said.get_nowait()
        except queue.Empty:
            return None
        if said is None:
            self._said.put(None)
            self._ended()
        return said

    def _ended(self) -> None:
        """Its output is over: say why."""
        deadline = time.monotonic() + _LAST_WORDS_S
        while time.monotonic() < deadline:
            self._check()
            time.sleep(0.05)
        raise DemoFailed("the city fell silent; see the log of city")


def _hear(lines: IO[bytes], said: queue.Queue[dict[str, Any] | None]) -> None:
    try:
        for line in lines:
            said.put(json.loads(line))
    except ValueError:
        pass  # not JSON, or the pipe was closed under us: either way there is no more to hear
    finally:
        said.put(None)
