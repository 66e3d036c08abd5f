"""How much processor time each test costs: ``pytest -p processor_time``.

Durations tell how busy the machine was. Counted is what the test's process used while it ran the
test and its fixtures, and what its child processes had used when they ended. What serves a whole
session (Chromium, servers) is counted where it is stopped, after a process's last test: on a line
of its own, for that test has nothing to do with it. Prints the most expensive tests and the sum of
each folder; with ``-n`` too.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator
from typing import Final

import pytest

from servers.warm import used_s

SHOWN: Final = 60
_phases: Counter[str] = Counter()
"""Hundredths of a second by test."""
_seen: Final = [0.0]
"""What this process had used at the last report."""
_ends: Final = [False]
"""Whether the test at work is the last one of its process."""
SESSION: Final = "session/what served it::Chromium and servers"


def _used_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system + used_s()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(nextitem: pytest.Item | None) -> Generator[None, bool, bool]:
    _ends[:] = [nextitem is None]
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    before, now = _seen[-1], _used_s()
    _seen[:] = [now]
    # Carried from xdist's workers as they are.
    report.__dict__["processor_s"] = now - before
    report.__dict__["processor_of_session"] = _ends[-1] and report.when == "teardown"
    return report


def pytest_collection_finish() -> None:
    _seen[:] = [_used_s()]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    name = SESSION if getattr(report, "processor_of_session", False) else report.nodeid
    _phases[name] += round(100 * getattr(report, "processor_s", 0.0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _phases:
        return
    folders: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for test, used in _phases.items():
        path = test.partition("::")[0]
        files[path] += used
        folders[path.rpartition("/")[0]] += used
    terminalreporter.section("processor time")
    for title, counted in (("test", _phases), ("file", files), ("folder", folders)):
        terminalreporter.line(f"{title}s, seconds:")
        for name, used in counted.most_common(SHOWN):
            terminalreporter.line(f"{used / 100:9.2f}  {name}")
    terminalreporter.line(f"{sum(folders.values()) / 100:9.2f}  all")
