"""SIGTERM at any moment of a start ends a process in order: nothing is left running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import servers
from revisions import tables_in

DRIVER = Path(__file__).with_name("signals_itself.py")
STEPS = {
    "before the database": ("serve", "await_database"),
    "before the broker": ("serve", "running_broker"),
    "before ingest": ("serve", "running_ingest"),
    "subscribed, before the jobs": ("serve", "running_jobs"),
    "before the API": ("serve", "serve_api"),
    "as the API is put together": ("serve", "create_app"),
    "as its guard is made": ("serve", "build_guard"),
    "as it is ready": ("serve", "say"),
    "as it has ended": ("serve", "say,ended"),
    "ingest alone, subscribed": ("ingest", "running_jobs"),
    "ingest alone, ready": ("ingest", "say"),
    "the API alone": ("api", "create_app"),
    "the broker alone, ready": ("broker", "say"),
}


@pytest.mark.parametrize(("command", "point"), STEPS.values(), ids=STEPS)
def test_a_signal_at_any_step_of_the_start_ends_it_in_order(
    tmp_path: Path, command: str, point: str
) -> None:
    done, port = run(tmp_path, command, point, "SIGTERM")

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert not servers.listening(port), "its broker has ended with it"


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_second_signal_does_not_end_the_ending(tmp_path: Path, number: str) -> None:
    done, port = run(tmp_path, "serve", "serve_api", number, often=3)

    assert done.returncode == 0, done.stderr
    assert not servers.listening(port)


def run(
    folder: Path, command: str, point: str, number: str, often: int = 1
) -> tuple[subprocess.CompletedProcess[str], int]:
    port, http = servers.free_port(), servers.free_port()
    if point != "await_database":  # that one migrates, as a first start does
        tables_in(folder / "data")
    environment = {
        "VIGIL_DATA_DIR": str(folder / "data"),
        "VIGIL_SECRET_KEY": "a test's own secret of more than thirty-two characters",
        "VIGIL_BROKER_LISTEN": f"127.0.0.1:{port}",
        "VIGIL_HTTP_PORT": str(http),
        "PATH": "/usr/bin:/bin",
    }
    done = servers.run(
        [sys.executable, str(DRIVER), command, point, number, str(often)],
        env=environment,
        text=True,
        timeout=servers.DEADLINE_S,
        cwd=folder,
    )
    return done, port
