"""``vigil-cloud conform`` as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import Any

import servers


class Watching:
    """The command as a process, its lines as they come."""

    def __init__(self, url: str, gateway: str, *more: str) -> None:
        command = [sys.executable, "-m", "vigil_cloud", "conform", gateway, "--json"]
        self.process = servers.spawn(
            [*command, "--broker", url, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lines: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def wait_for(self, kind: str, **values: Any) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            wanted = {"kind": kind, **values}.items()
            return next((one for one in list(self.lines) if wanted <= one.items()), None)

        return dict(servers.eventually(found, f"{kind} {values}"))

    def end(self) -> tuple[int, dict[str, Any]]:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(servers.DEADLINE_S)
        self._thread.join(servers.DEADLINE_S)
        return code, self.lines[-1]

    def said(self) -> str:
        assert self.process.stderr is not None
        return str(self.process.stderr.read(), "utf-8")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(servers.DEADLINE_S)
        self._thread.join(servers.DEADLINE_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
