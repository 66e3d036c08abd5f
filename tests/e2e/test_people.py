"""The pages of the operator and the maintainer, typed as they stand, before a real cloud."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import servers
import street_file
from people_pages import blocks, page
from vigil_edge.device.health import REPORT

PASSWORD: Final = "four quiet words of an operator"
ANSWERS: Final = {
    "init": ["--no-questions", "--administrator", "admin", "--password-stdin"],
    "account add": ["--password-stdin"],
}
"""What the program asks on a terminal; here it stands in the command."""


class Machine:
    """A folder to type in, with a cloud of its own once ``serve`` was typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        port = servers.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "VIGIL_DATA_DIR": str(folder / "data"),
            "VIGIL_HTTP_PORT": str(port),
            "VIGIL_BROKER_URL": "embedded",
            "VIGIL_BROKER_LISTEN": f"127.0.0.1:{servers.free_port()}",
        }
        self.server: servers.Server | None = None

    def type(self, line: str) -> str:
        """What it says on standard output; anything but success ends the test."""
        program, *words = shlex.split(line)
        if words[0] == "serve":
            self.serve(words)
            return ""
        for command, more in ANSWERS.items():
            if words[: len(command.split())] == command.split():
                words += more
        done = servers.run(
            [sys.executable, "-m", program.replace("-", "_"), *words],
            env={**os.environ, **self.environment},
            input=f"{PASSWORD}\n",
            text=True,
            timeout=180,
            cwd=self.folder,
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return str(done.stdout)

    def serve(self, words: list[str]) -> None:
        self.server = servers.Server(
            "vigil-cloud",
            [sys.executable, "-m", "vigil_cloud", *words],
            lambda: servers.http_ok(f"{self.url}/readyz"),
            self.folder / "cloud.log",
            env=self.environment,
            cwd=self.folder,
        )
        self.server.start()

    def close(self) -> None:
        if self.server is not None:
            self.server.stop()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("people"))
    street_file.written(made.folder).rename(made.folder / "chiayi.geojson")
    yield made
    made.close()


@pytest.fixture(scope="module")
def said(machine: Machine) -> dict[str, str]:
    """What each command of the operator's page said, in the page's order."""
    lines = [line for line in blocks(page("operator")) if line.startswith("vigil-cloud ")]
    assert len(lines) >= 10
    return {line: machine.type(line) for line in lines}


def linked(data: Path) -> bool:
    """Whether an agent's newest report says that it reaches the broker."""
    try:
        report = json.loads((data / REPORT).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(report["linked"])


def of(said: dict[str, str], words: str) -> str:
    return next(text for line, text in said.items() if line.startswith(f"vigil-cloud {words}"))


def test_the_operators_page_ends_in_a_city(said: dict[str, str], machine: Machine) -> None:
    assert json.loads(of(said, "init"))["administrator"] == "admin"
    assert json.loads(of(said, "map show"))["source"] == "chiayi.geojson"
    assert of(said, "gateway list") == "", "a code is no gateway yet"
    made = json.loads(of(said, "backup"))
    checked = json.loads(of(said, "restore"))
    assert made == checked
    assert made["objects"] == 1, "the map is in it"
    assert (machine.folder / "city.zip").stat().st_mode & 0o777 == 0o600


def test_the_maintainers_page_ends_in_a_gateway(said: dict[str, str], machine: Machine) -> None:
    """From the enrolment on; packages and units have tests of their own (test_debian)."""
    lines = blocks(page("maintainer"))
    enrol = next(line for line in lines if line.startswith("vigil-cloud gateway enrol"))
    # The operator's page has made a code already; the later one counts.
    given = machine.type(f"{enrol} --config cloud.toml")
    code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", given)
    assert code is not None, given
    folder = machine.folder / "box"
    typed = next(line for line in lines if line.startswith("vigil-edge enrol"))
    typed = typed.replace("https://vigil.example", machine.url).replace(" --start", "")
    typed = re.sub(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}", code[0], typed)
    machine.type(f"{typed} --dir {folder} --data-dir {folder / 'data'}")

    ours = [line for line in lines if line.startswith("vigil-edge ") and "--config" in line]
    assert {line.split()[1] for line in ours} == {"check", "status", "doctor"}
    here = {
        line.split()[1]: line.replace("/etc/vigil-edge/gateway.toml", str(folder / "gateway.toml"))
        for line in ours  # `doctor` says what to mend of this very machine (tests/edge)
    }
    machine.type(here["check"])
    agent = servers.Server(
        "vigil-edge",
        [sys.executable, "-m", "vigil_edge", "run", "--config", str(folder / "gateway.toml")],
        # Its own report is asked and not the command: that starts an interpreter each time.
        lambda: linked(folder / "data"),
        machine.folder / "agent.log",
    )
    agent.start()
    try:
        assert "gw-canal" in machine.type(here["status"])
        listed = json.loads(machine.type("vigil-cloud gateway list --config cloud.toml"))
        assert (listed["gateway"], listed["state"]) == ("gw-canal", "online")
    finally:
        agent.stop()
