"""Ingest that kills itself within a group of messages that a handler writes at once.

``killed_ingest.py STEP REPORT``: SIGKILL at the STEP-th step after smoke alarms were first taken
together; a step is each statement of that thread, each commit that is about to be, and each that
was. REPORT is told which it was.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from vigil_cloud.domain.port import Group, Received
from vigil_cloud.smoke.service import SmokeHandler


class Killer:
    """Counts the steps of the one thread that takes events."""

    def __init__(self, step: int, report: Path) -> None:
        self._left, self._report = step, report
        self._thread: int | None = None
        self._take = SmokeHandler.group

    def group(self, handler: SmokeHandler, session: Session, messages: Sequence[Received]) -> Group:
        self._thread = threading.get_ident()
        return self._take(handler, session, messages)

    def step(self, what: str) -> None:
        if threading.get_ident() != self._thread:
            return
        self._left -= 1
        if self._left < 0:
            self._report.write_text(what, "utf-8")
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    step, report = sys.argv[1:]
    killer = Killer(int(step), Path(report))

    def group(self: SmokeHandler, session: Session, messages: Sequence[Received]) -> Group:
        return killer.group(self, session, messages)

    def statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        killer.step(text)

    SmokeHandler.group = group  # type: ignore[method-assign]
    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", lambda _connection: killer.step("before the commit"))
    event.listen(Session, "after_commit", lambda _session: killer.step("after the commit"))
    sys.argv = ["vigil-cloud", "ingest"]
    runpy.run_module("vigil_cloud", run_name="__main__")


if __name__ == "__main__":
    main()
