"""Loads the modules that its arguments name, then forks a process for each request: see warm.py."""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

Request = dict[str, Any]


def serve(control: socket.socket) -> Request | None:
    """Until the other end is closed; in each forked process: what it is to run."""
    ended: dict[int, int] = {}  # by pid: where to tell how it has ended
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asked, and for the forked
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_of_the_ended(ended)
        if control.fileno() not in ready:
            continue
        words, files, _, _ = socket.recv_fds(control, 1 << 20, 4)
        if not words:
            return None
        alone = len(list(Path("/proc/self/task").iterdir())) == 1
        pid = os.fork() if alone else -1
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for file in (woken, wake, *ended.values(), files[3]):
                os.close(file)
            control.close()
            for number, file in enumerate(files[:3]):
                os.dup2(file, number)
                os.close(file)
            request: Request = json.loads(words)
            return request
        ended[pid] = files[3]
        for file in files[:3]:
            os.close(file)
        control.send(b"%d" % pid)


def _tell_of_the_ended(ended: dict[int, int]) -> None:
    while ended:
        pid, status, used = os.wait4(-1, os.WNOHANG)
        if pid == 0:
            return
        told = {"code": os.waitstatus_to_exitcode(status), "used_s": used.ru_utime + used.ru_stime}
        file = ended.pop(pid)
        os.write(file, json.dumps(told).encode())
        os.close(file)


def open_streams() -> None:
    """Anew: whether a stream may seek or is a terminal is asked when it is opened."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before: io.TextIOWrapper = getattr(sys, name)
        binary = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115 - to the end
        stream = io.TextIOWrapper(
            binary, before.encoding, before.errors, line_buffering=number == 2 or binary.isatty()
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def run(request: Request) -> None:
    """As ``python -m MODULE`` or ``python FILE`` would."""
    open_streams()
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = [request["file"] or request["module"], *request["arguments"]]
    if request["file"]:
        sys.path.insert(0, str(Path(request["file"]).resolve().parent))
        runpy.run_path(request["file"], run_name="__main__")
    else:
        sys.path.insert(0, str(Path.cwd()))
        if not hasattr(sys.modules.get(request["module"]), "__path__"):
            sys.modules.pop(request["module"], None)  # a package runs its ``__main__``
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # the tests' own modules, while it loads
    door = socket.socket(fileno=int(sys.argv[1]))
    door.set_inheritable(False)
    for name in sys.argv[2:]:
        importlib.import_module(name)
    del sys.path[0]
    gc.collect()
    gc.freeze()  # what is looked through is copied
    if (wanted := serve(door)) is not None:
        run(wanted)
