"""Child processes that never outlive the demo."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from vigil_schemas.errors import VigilError

_PR_SET_PDEATHSIG: Final = 1


class DemoFailed(VigilError):
    """The demo cannot go on; the message says what was missing and where to look."""

    code: ClassVar[str] = "demo-failed"


def free_port(preferred: int | None = None) -> int:
    """A TCP port on loopback that is free now, the preferred one if it is."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no free TCP port on 127.0.0.1")


def program(name: str, install: str = "") -> str:
    """Full path of a program: beside this Python first, then on PATH and in ``VIGIL_SERVERS``."""
    beside = Path(sys.executable).with_name(name)
    if beside.exists():
        return str(beside)
    extra = os.environ.get("VIGIL_SERVERS", "/opt/vigil-servers/bin")
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:{extra}")
    if found is None:
        raise DemoFailed(f"{name} is not installed{': ' + install if install else ''}")
    return found


def _die_with_parent() -> None:
    # Even a killed demo must leave nothing running; Linux only, elsewhere stop() has to do.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Children:
    """Processes started together and stopped together, in the reverse order."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._logs.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        piped: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a process in its own session; its output goes to ``logs/{name}.log``.

        With ``piped`` standard input and output are pipes for the caller.
        """
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                list(command),
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone; we stop the others in order
                preexec_fn=_die_with_parent,
            )
        self._running[name] = child
        return child

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self._logs / f"{name}.log"

    def forget(self, name: str) -> None:
        """A process that was meant to end has ended."""
        self._running.pop(name, None)

    def check(self) -> None:
        """Raises ``DemoFailed`` with the end of the log where a process has ended by itself."""
        for name, child in self._running.items():
            if child.poll() is not None:
                lines = self.log(name).read_text("utf-8", "replace").strip().splitlines()
                tail = "\n  ".join(lines[-8:]) or "(it said nothing)"
                raise DemoFailed(f"{name} ended with exit code {child.returncode}:\n  {tail}")

    def stop(self) -> None:
        """Ask every process to end, newest first; those that do not within 10 s are killed."""
        for child in reversed(self._running.values()):
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + 10
        for child in reversed(self._running.values()):
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self._running.clear()
