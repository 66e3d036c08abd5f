"""``vigil-sim play`` as a process: ready, happenings, done, and a clean end."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import servers
from sim.test_scenario import SMALL
from vigil_sim.ledger import LedgerReader
from vigil_sim.scenario import load

PLAY = [sys.executable, "-m", "vigil_sim", "play"]
AROUND = ["--broker", "mqtt://127.0.0.1:1883", "--cloud-url", "http://127.0.0.1:8400"]


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(
        SMALL.replace("at = [1.0, 2.0]", "at = [1.0, 2.0]\nwidth = 320\nheight = 180").replace(
            "duration_s = 20.0", "duration_s = 20.0\nspeed = 20.0"
        ),
        "utf-8",
    )
    return path


class Play:
    """A running play."""

    def __init__(
        self,
        scenario: str | Path,
        folder: Path,
        *more: str,
        program: Sequence[str] = PLAY,
        folder_of_tests: Path | None = None,
    ) -> None:
        self.folder = folder
        self._errors = (folder.parent / "errors.txt").open("w+b")
        self.process = servers.spawn(
            [*program, str(scenario), "--dir", str(folder), *AROUND, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=folder_of_tests,
        )

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        assert text, self.errors()
        said: dict[str, Any] = json.loads(text)
        return said

    def rest(self) -> list[dict[str, Any]]:
        assert self.process.stdout is not None
        return [json.loads(line) for line in self.process.stdout]

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("begin\n")
        self.process.stdin.flush()

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode()

    def layout(self) -> dict[str, Any]:
        layout: dict[str, Any] = json.loads((self.folder / "city.json").read_text("utf-8"))
        return layout

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self._errors.close()


@pytest.fixture
def plays() -> Iterator[list[Play]]:
    running: list[Play] = []
    yield running
    for play in running:
        play.close()


def reachable(address: str) -> bool:
    host, port = address.split("//")[1].split("/")[0].split(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except OSError:
        return False
    return True


def test_a_night_is_played_to_its_end(scenario: Path, tmp_path: Path, plays: list[Play]) -> None:
    plays.append(play := Play(scenario, tmp_path / "city", "--exit-when-done"))
    assert play.line() == {"kind": "ready", "dir": str(tmp_path / "city")}
    happening, done = play.rest()
    assert play.process.wait(60) == 0, play.errors()
    assert happening["kind"] == "happening"
    assert happening["what"] == "passage"
    assert happening["t"] == 3.0
    assert happening["plate"] == "ABC-1234"
    assert done == {"kind": "done"}
    assert play.errors() == ""


def test_it_waits_for_a_line_and_serves_until_sigterm(
    scenario: Path, tmp_path: Path, plays: list[Play]
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('gw-one = "a-token-for-tests"\n', "utf-8")
    plays.append(play := Play(scenario, tmp_path / "city", "--wait", "--tokens", str(tokens)))
    assert play.line()["kind"] == "ready"
    device = play.layout()["devices"][0]
    assert reachable(device["addresses"]["audio"])
    play.begin()
    assert play.line()["kind"] == "happening"
    assert play.line()["kind"] == "done"
    assert reachable(device["addresses"]["camera"])
    play.process.send_signal(signal.SIGTERM)
    assert play.process.wait(60) == 0
    assert play.errors() == ""
    assert not reachable(device["addresses"]["audio"])


def test_sigterm_ends_it_while_it_waits(scenario: Path, tmp_path: Path, plays: list[Play]) -> None:
    plays.append(play := Play(scenario, tmp_path / "city", "--wait"))
    assert play.line()["kind"] == "ready"
    play.process.send_signal(signal.SIGTERM)
    assert play.process.wait(60) == 0
    assert play.rest() == []


def test_the_configuration_is_one_that_the_edge_accepts(
    scenario: Path, tmp_path: Path, plays: list[Play]
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('[[gateway]]\nid = "gw-one"\ntoken = "a-token-for-tests"\n', "utf-8")
    plays.append(play := Play(scenario, tmp_path / "city", "--wait", "--tokens", str(tokens)))
    play.line()
    path = Path(play.layout()["gateways"][0]["config"])
    assert path == tmp_path / "city" / "gateways" / "gw-one.toml"
    assert path.stat().st_mode & 0o077 == 0
    configuration = tomllib.loads(path.read_text("utf-8"))
    assert configuration["cloud"]["token"] == "a-token-for-tests"
    assert configuration["noise"][0]["audio"]["format"] == "s16le:48000:4"
    checked(path)


def checked(path: Path) -> None:
    command = [sys.executable, "-m", "vigil_edge", "check", "--config", str(path)]
    done = servers.run(command, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_whole_city_night_runs_over_its_real_protocols(
    tmp_path: Path, plays: list[Play]
) -> None:
    servers.need("dbus-daemon", "apt-get install dbus")
    night = load("city-night")
    plays.append(play := Play("city-night", tmp_path / "c", "--speed", "150", "--exit-when-done"))
    assert play.line()["kind"] == "ready"
    layout = play.layout()
    assert {gateway["id"] for gateway in layout["gateways"]} == {g.id for g in night.gateway}
    assert {device["device"] for device in layout["devices"]} == {d.device for d in night.devices}
    assert "DBUS_SYSTEM_BUS_ADDRESS" in layout["env"]["gw-market"]
    for gateway in layout["gateways"]:
        checked(Path(gateway["config"]))
    told = play.rest()
    assert play.process.wait(120) == 0, play.errors()
    assert [line["what"] for line in told[:-1]] == [
        happening.title for happening in sorted(night.schedule, key=lambda each: each.at_s)
    ]
    with LedgerReader(tmp_path / "c" / "ledger.sqlite") as ledger:
        conductance = [
            entry.value or 0.0
            for entry in ledger.entries("sample", "sonde-canal")
            if entry.parameter == "specific_conductance"
        ]
        assert max(conductance) > 0.1 > 0.05 > min(conductance)
        for station in ("station-temple", "station-market"):
            assert ledger.count("advert", station) > 0
        assert ledger.count("smoke", "smoke-lane88-kitchen") > 0


SONDE = """
[[water]]
device = "sonde-one"
gateway = "gw-one"
name = "Sonde"
name_zh = "水質"
at = [1.0, 2.0]
canal_m = 0.0
interval_s = 0.2
"""


def test_a_device_that_breaks_down_ends_the_play_with_the_reason(
    scenario: Path, tmp_path: Path, plays: list[Play]
) -> None:
    scenario.write_text(scenario.read_text("utf-8").replace("[[noise]]", SONDE + "[[noise]]"))
    plays.append(play := Play(scenario, tmp_path / "city", "--wait"))
    assert play.line()["kind"] == "ready"
    with sqlite3.connect(tmp_path / "city" / "ledger.sqlite", timeout=60) as database:
        database.execute("DROP TABLE produced")
    assert play.process.wait(60) == 2
    last = play.errors().splitlines()[-1]
    assert last.startswith("vigil-sim: device-failed: sonde-one: OperationalError('no such table")
    assert "Traceback" not in play.errors()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("at_s = 3.0", "at_s = 300.0"), "after the end of the play"),
        (('what = "passage"', 'what = "eclipse"'), "eclipse"),
        (("[[gateway]]", "[[gateway]"), "not TOML"),
    ],
)
def test_a_bad_scenario_is_refused_with_a_reason_and_exit_code_2(
    change: tuple[str, str], words: str, scenario: Path, tmp_path: Path
) -> None:
    scenario.write_text(scenario.read_text("utf-8").replace(*change), "utf-8")
    command = [*PLAY, str(scenario), "--dir", str(tmp_path / "city"), *AROUND]
    done = servers.run(command, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("vigil-sim: scenario-invalid: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "code"),
    [('gw-two = "x"\n', "scenario-invalid"), ("gw-one = \n", "tokens-invalid")],
)
def test_tokens_that_fit_no_gateway_are_refused(
    text: str, code: str, scenario: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(text, "utf-8")
    command = [
        *PLAY,
        str(scenario),
        "--dir",
        str(tmp_path / "c"),
        *AROUND,
        "--tokens",
        str(tokens),
    ]
    done = servers.run(command, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"vigil-sim: {code}: ")
    assert len(done.stderr.splitlines()) == 1
