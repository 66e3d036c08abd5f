"""Processes of our own programs that need not read a thousand modules each: forked by a nursery,
a process that has loaded the program's package already.

Each is a process like any other, with a pid, signals, environment, standard streams and folder of
its own; it runs the program as ``python -m`` does and ends as an interpreter ends. Only what it
imports is there already. A start from nothing is tested once for each program.
"""

from __future__ import annotations

import array
import atexit
import inspect
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_TESTS: Final = Path(__file__).parents[1]
_ROOMS: Final = ("noise", "water", "checkin", "smoke", "aed")
_DOMAINS: Final = (*_ROOMS, "search", "irrigation")
_COMMANDS: Final = _TESTS.parent / "cloud" / "vigil_cloud" / "commands"
PRELOADED: Final[Mapping[str, Sequence[str]]] = {
    "vigil_cloud": (
        *("vigil_cloud.serving", "vigil_cloud.cli", "vigil_cloud.notify.sending"),
        *("vigil_cloud.database.migrate", "alembic.op", "vigil_cloud.stores"),
        # What is loaded by name, when it is first asked for: two seconds of each process.
        *(f"vigil_cloud.{domain}.domain" for domain in _DOMAINS),
        *("vigil_cloud.objects.folder", "vigil_cloud.timeseries.sqlite", "sqlite3"),
        *("sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql", "psycopg"),
        *(f"vigil_cloud.commands.{file.stem}" for file in sorted(_COMMANDS.glob("[!_]*.py"))),
        # A command line loads those of all domains, a process that starts the network of streets.
        *(f"vigil_cloud.{domain}.cli" for domain in (*_ROOMS, "search")),
        *("vigil_cloud.aed.streets", "vigil_cloud.database.migrations.numbering"),
        *("uvicorn", "anyio._backends._asyncio", "read_routes"),
    ),
    "vigil_edge": (
        *("vigil_edge.cli", "vigil_edge.process", "cv2", "scipy.signal", "pymodbus.client"),
        *(f"vigil_edge.{room}.pipeline" for room in _ROOMS),
    ),
    "vigil_sim": (
        *("vigil_sim.cli", "vigil_sim.play", "vigil_sim.noise.street", "vigil_sim.noise.render"),
        *("vigil_sim.demo.main", "vigil_sim.demo.city_command", "vigil_sim.week.command"),
    ),
}
"""What a nursery loads, by the package whose programs it starts."""
_NURSERY: Final = Path(__file__).with_name("nursery.py")
_AT_ITS_START: Final = ("PYTHON", "LD_", "LC_", "LANG")
"""An interpreter and its libraries read what begins so when they start, and never again."""
_INDIFFERENT: Final = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
_UNDERSTOOD: Final = {
    *("stdin", "stdout", "stderr", "env", "cwd", "bufsize"),
    *("text", "universal_newlines", "encoding", "errors"),
}
"""Options that mean the same here; with any other one a process is started plainly."""
_OF_A_CHILD: Final = (
    *("self", "args", "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env"),
    *("startupinfo", "creationflags", "shell"),
    *("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"),
)
"""How ``Popen._execute_child`` begins in Python 3.11 to 3.13: it is no public interface."""
_nurseries: Final[dict[str, _Nursery]] = {}
_used: Final = [0.0]


def used_s() -> float:
    """Processor time of all that have ended: they are no children of this process."""
    return _used[0]


def spawn(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """As ``subprocess.Popen``, warm where the command is one of our programs and this Python's
    ``subprocess`` is made as we know it."""
    package = _package(command, options.get("env"))
    asked = {name for name, value in options.items() if value is not None}
    if package is None or not asked <= _UNDERSTOOD or not is_as_known(subprocess.Popen):
        return subprocess.Popen(command, **options)
    return _Warm(package, command, **options)


def is_as_known(popen: type) -> bool:
    """Whether ``_Warm`` can stand on this class."""
    child = getattr(popen, "_execute_child", None)
    rest = ("_close_pipe_fds", "_internal_poll", "_wait")
    if child is None or not all(hasattr(popen, name) for name in rest):
        return False
    return tuple(inspect.signature(child).parameters)[: len(_OF_A_CHILD)] == _OF_A_CHILD


def run(
    command: Sequence[str], *, input: Any = None, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """As ``subprocess.run`` with its output captured."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _package(command: Sequence[str], environment: Mapping[str, str] | None) -> str | None:
    """Whose nursery starts it: by its module, or by the folder of tests that its file is in."""
    if len(command) < 2 or command[0] != sys.executable or not _is_plain(environment):
        return None
    word = command[2].partition(".")[0] if command[1] == "-m" else ""
    if (file := Path(command[1])).is_relative_to(_TESTS):
        word = file.relative_to(_TESTS).parts[0]
    return next((one for one in (word, f"vigil_{word}") if one in PRELOADED), None)


def _is_plain(environment: Mapping[str, str] | None) -> bool:
    return all(
        os.environ.get(name) == value
        for name, value in (environment or {}).items()
        if name.startswith(_AT_ITS_START) and name not in _INDIFFERENT
    )


class _Nursery:
    """The process that has loaded a package, and forks."""

    def __init__(self, package: str) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {k: v for k, v in os.environ.items() if k not in _INDIFFERENT}
        # A library for linear algebra starts threads when it is loaded, and threads do not fork.
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_NURSERY), str(theirs.fileno()), *PRELOADED[package]],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=environment,
            )

    def fork(self, request: Mapping[str, Any], files: Sequence[int]) -> int | None:
        """The new process' pid; ``None``: the nursery has ended, or has threads."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
        try:
            self._socket.sendmsg([json.dumps(request).encode()], [rights])
            answer = self._socket.recv(100)
        except OSError:
            return None
        return int(answer) if answer and int(answer) > 0 else None

    def close(self) -> None:
        """Processes that are left go on."""
        self._socket.close()
        self._process.wait(60)


@atexit.register
def _close() -> None:
    for one in _nurseries.values():
        one.close()


class _Warm(subprocess.Popen[Any]):
    """Only the start, and how its end is learned of, are other than in the standard library."""

    def __init__(self, package: str, command: Sequence[str], **options: Any) -> None:
        self._package = package
        self._told: int | None = None
        """Where the end of a process that was forked is read; ``None``: it is a child of ours."""
        self._ending = threading.Lock()
        super().__init__(command, **options)

    def _execute_child(self, command: Sequence[str], *rest: Any) -> None:
        folder, environment = rest[4], rest[5]
        theirs_in, ours_in, ours_out, theirs_out, ours_err, theirs_err = rest[9:15]
        is_module = command[1] == "-m"
        request = {
            "module": command[2] if is_module else None,
            "file": None if is_module else command[1],
            "arguments": [str(word) for word in command[3 if is_module else 2 :]],
            "environment": dict(os.environ if environment is None else environment),
            "folder": str(folder or Path.cwd()),
        }
        streams = [
            own if file == -1 else file
            for own, file in enumerate((theirs_in, theirs_out, theirs_err))
        ]
        if self._package not in _nurseries:
            _nurseries[self._package] = _Nursery(self._package)
        told, tell = os.pipe2(os.O_CLOEXEC)
        pid = _nurseries[self._package].fork(request, [*streams, tell])
        os.close(tell)
        if pid is None:
            os.close(told)
            super()._execute_child(command, *rest)  # type: ignore[misc]  # private, as below
            return
        self.pid, self._told = pid, told
        self._close_pipe_fds(theirs_in, ours_in, ours_out, theirs_out, ours_err, theirs_err)  # type: ignore[attr-defined]  # as the original
        self._child_created = True

    def _internal_poll(self, *rest: Any, **more: Any) -> int | None:
        if self._told is None:
            code: int | None = super()._internal_poll(*rest, **more)  # type: ignore[misc]  # private
            return code
        return self._ended(self._told, 0)

    def _wait(self, timeout: float | None) -> int | None:
        if self._told is None:
            own: int | None = super()._wait(timeout)  # type: ignore[misc]  # private
            return own
        code = self._ended(self._told, timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def _ended(self, told: int, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([told], [], [], timeout)[0]:
            with self._ending:  # one thread may poll while another waits
                if self.returncode is None:
                    said = os.read(told, 1000)
                    # Nothing: the nursery was killed, and nobody knows how this one ended.
                    end = json.loads(said) if said else {"code": -signal.SIGKILL, "used_s": 0.0}
                    _used[0] += end["used_s"]
                    self.returncode = end["code"]
        code: int | None = self.returncode
        return code

    def __del__(self, *rest: Any) -> None:
        super().__del__(*rest)  # may ask once more how it ended
        if self.returncode is not None and self._told is not None:
            os.close(self._told)
