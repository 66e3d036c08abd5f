"""A child process with a readiness check, ended by process id; and the one way to wait."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .warm import spawn

DEADLINE_S = 60.0
_running: set[subprocess.Popen[Any]] = set()


@atexit.register
def _end_what_is_left() -> None:
    """What a test or a fixture that failed half-way has not ended."""
    for process in _running:
        process.kill()
        process.wait(60)


def eventually(
    condition: Callable[[], Any], what: str = "condition", deadline_s: float = DEADLINE_S
) -> Any:
    """Poll until the condition is truthy and return its value; fails after the deadline."""
    began = time.monotonic()
    end = began + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {deadline_s:.0f} s")
        time.sleep(_pause_s(began))


def _pause_s(began: float) -> float:
    """Until it is asked again. To ask costs a processor that others wait for: what takes seconds
    is asked ten times a second and not fifty times."""
    return min(0.1, max(0.02, (time.monotonic() - began) / 20))


@dataclass
class Server:
    """One child process that can be killed, stopped and started again with the same command."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    log: Path
    env: Mapping[str, str] | None = None
    user: str | None = None
    cwd: Path | None = None
    process: subprocess.Popen[Any] | None = None
    _logs: list[Any] = field(default_factory=list)

    def start(self, deadline_s: float = DEADLINE_S) -> None:
        """Raises ``RuntimeError`` with the end of its log where it does not become ready."""
        output = self.log.open("ab")
        self._logs.append(output)
        self.process = spawn(
            list(self.command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if self.env is None else {**os.environ, **self.env},
            user=self.user,
            cwd=self.cwd,
        )
        _running.add(self.process)
        began = time.monotonic()
        end = began + deadline_s
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start:\n{tail}")
            time.sleep(_pause_s(began))

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self.process.pid

    def kill(self) -> None:
        """As a power failure would: SIGKILL."""
        self._end(signal.SIGKILL, 10)

    def stop(self, deadline_s: float = 15.0) -> None:
        """As an operator would: SIGTERM, then SIGKILL where that is ignored."""
        self._end(signal.SIGTERM, deadline_s)

    def _end(self, number: signal.Signals, deadline_s: float) -> None:
        process, self.process = self.process, None
        if process is not None:
            if process.poll() is None:
                process.send_signal(number)
            try:
                process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(60)
            _running.discard(process)
        for output in self._logs:
            output.close()
        self._logs.clear()
