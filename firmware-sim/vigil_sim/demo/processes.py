"""Child processes that never outlive the demo."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import ClassVar, Final

import httpx

from vigil_schemas.errors import VigilError

START_TIMEOUT_S: Final = 180.0
"""For one part of the system to come up, also on a machine with much else to do."""
_PR_SET_PDEATHSIG: Final = 1
_PATIENCE_S: Final = 10.0
_OURS: Final = "VIGIL_"
_SERVERS: Final = "VIGIL_SERVERS"
_claims: dict[int, socket.socket] = {}


class DemoFailed(VigilError):
    """The demo cannot go on; the message says what was missing and where to look."""

    code: ClassVar[str] = "demo-failed"
    remedy: ClassVar[str] = (
        "Do what the message says; the processes' logs are in the folder that it names."
    )


def claim_port(preferred: int | None = None) -> int:
    """A TCP port on loopback that is free now, the preferred one if it is.

    It is ours until this process ends: two demos started at once take different ones.
    """
    for port in (preferred, *([0] * 20)):
        if port is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
        if found not in _claims and _claimed(found):
            return found
    raise DemoFailed("no free TCP port on 127.0.0.1")


def _claimed(port: int) -> bool:
    # A name in Linux's abstract namespace belongs to one process and ends with it, however it
    # ends. Elsewhere there is no such thing, and two demos started in the same second collide.
    if sys.platform != "linux":
        return True
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0vigil-demo-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True


def program(name: str, install: str = "") -> str:
    """Full path of a program: beside this Python first, then on PATH and in ``VIGIL_SERVERS``."""
    beside = Path(sys.executable).with_name(name)
    if beside.exists():
        return str(beside)
    extra = os.environ.get(_SERVERS, "/opt/vigil-servers/bin")
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:{extra}")
    if found is None:
        raise DemoFailed(f"{name} is not installed{': ' + install if install else ''}")
    return found


class Interrupts:
    """Ctrl-C, SIGTERM and a closed terminal: the first of them raises ``KeyboardInterrupt``.

    Those that follow, and all while ``held``, are only counted: an exception while processes
    are being started or stopped would leave some of them running. ``check`` raises what was held
    back, or what Python had to ignore (in a destructor, say).
    """

    def __init__(self) -> None:
        self.count = 0
        self._held = False

    def install(self) -> None:
        """From here on."""
        # Also where a shell started us in the background and had SIGINT ignored.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._handle)

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count == 1 and not self._held:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is raised in here."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def check(self) -> None:
        """Raises ``KeyboardInterrupt`` once there was any."""
        if self.count:
            raise KeyboardInterrupt


interrupts: Final = Interrupts()
"""Of this process."""


def wait_until(what: str, ready: Callable[[], bool], check: Callable[[], None]) -> None:
    """Ask until it is ready; what does not answer yet may still be starting.

    ``check`` is called meanwhile. Raises ``DemoFailed`` after ``START_TIMEOUT_S``.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        check()
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what} did not come up within {START_TIMEOUT_S:.0f} s")
        time.sleep(0.2)


def _die_with_parent() -> None:
    # Even a killed demo must leave nothing running; Linux only, elsewhere stop() has to do.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Children:
    """Processes started together and stopped together, in the reverse order.

    They inherit our environment but for Vigil's own settings: a database that an operator's
    shell names must never get the accounts of a demo. ``environment`` is added for all.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str] | None = None) -> None:
        self._logs = logs
        self._logs.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_OURS) or name == _SERVERS
        }
        self._environment = inherited | dict(environment or {})

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
        with self.log(name).open("ab") as log, interrupts.held():
            try:
                child = subprocess.Popen(
                    list(command),
                    env={**self._environment, **(environment or {})},
                    stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if piped else log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C reaches us alone; we stop them in order
                    preexec_fn=_die_with_parent,
                )
            except OSError as error:
                raise DemoFailed(f"{command[0]} cannot be run: {error}") from error
            self._running[name] = child
        interrupts.check()
        return child

    def finish(self, name: str) -> None:
        """Wait for a process that is meant to end by itself. Raises ``DemoFailed``."""
        child = self._running[name]
        deadline = time.monotonic() + START_TIMEOUT_S
        while child.poll() is None:
            self.check()
            if time.monotonic() > deadline:
                raise DemoFailed(f"{name} did not end within {START_TIMEOUT_S:.0f} s")
            time.sleep(0.05)
        if child.returncode != 0:
            self.check()
        del self._running[name]

    def kill(self, name: str) -> None:
        """End it at once, with those that it started; it may be started again."""
        with interrupts.held():
            _end(self._running.pop(name))
        interrupts.check()

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self._logs / f"{name}.log"

    def check(self) -> None:
        """Raises ``DemoFailed`` with the end of the log where a process has ended by itself.

        Raises ``KeyboardInterrupt`` after Ctrl-C.
        """
        interrupts.check()
        for name, child in self._running.items():
            if child.poll() is not None:
                lines = self.log(name).read_text("utf-8", "replace").strip().splitlines()
                tail = "\n  ".join(lines[-8:]) or "(it said nothing)"
                raise DemoFailed(f"{name} ended {_how(child.returncode)}:\n  {tail}")

    def stop(self) -> None:
        """Ask every process to end, newest first; those that do not within 10 s are killed.

        A second Ctrl-C does not wait any longer.
        """
        with interrupts.held():
            for child in reversed(self._running.values()):
                if child.poll() is None:
                    child.terminate()
            deadline = time.monotonic() + _PATIENCE_S
            for child in reversed(self._running.values()):
                while child.poll() is None and interrupts.count < 2 and time.monotonic() < deadline:
                    time.sleep(0.02)
                _end(child)
            self._running.clear()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill a process that still runs, with those that it started itself; close its pipes."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None and not pipe.closed:
            pipe.close()


def _how(code: int) -> str:
    return f"with exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"
