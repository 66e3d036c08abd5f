"""``vigil-sim city`` as a process: what it refuses, and a night again and again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import servers
from sim.test_scenario import SMALL

SEED = """
[[account]]
username = "admin"
password = "${CITY_PASSWORD}"
roles = ["administrator"]
[[gateway]]
id = "gw-one"
token = "${CITY_TOKEN}"
[[gateway]]
id = "gw-of-somebody-else"
token = "another-token"
"""
SIMULATOR = (sys.executable, "-m", "vigil_sim")
INSTALLED = (str(Path(sys.executable).with_name("vigil-sim")),)


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("v")
    small = SMALL.replace("at = [1.0, 2.0]", "at = [1.0, 2.0]\nwidth = 320\nheight = 180")
    (folder / "small.toml").write_text(
        small.replace("duration_s = 20.0", "duration_s = 20.0\nspeed = 20.0"), "utf-8"
    )
    (folder / "seed.toml").write_text(SEED, "utf-8")
    return folder


def command(files: Path, *more: str, program: tuple[str, ...] = SIMULATOR) -> list[str]:
    found = [*program, "city", "--scenario", str(files / "small.toml")]
    found += ["--seed-file", str(files / "seed.toml"), "--dir", str(files / "city")]
    return [
        *found,
        "--broker-url",
        "mqtt://127.0.0.1:1",
        "--cloud-url",
        "http://127.0.0.1:1",
        *more,
    ]


ENVIRONMENT = {"CITY_PASSWORD": "four unrelated quiet words", "CITY_TOKEN": "t" * 32}


def city(files: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return servers.run(
        command(files, *more),
        env={"PATH": os.environ["PATH"], **environment},
        text=True,
        timeout=servers.DEADLINE_S,
    )


@pytest.mark.parametrize(
    ("more", "environment", "words"),
    [
        ([], {}, "tokens-invalid: .*CITY_TOKEN is not set"),
        (["--broker-url", "127.0.0.1:1883"], ENVIRONMENT, "city-refused: .*write mqtt://"),
        (["--cloud-url", "ftp://x"], ENVIRONMENT, "city-refused: .*write http://"),
        (["--scenario", "city-night"], ENVIRONMENT, "city-refused: .*has no gateway"),
        (["--scenario", "no-such"], ENVIRONMENT, "scenario-invalid: .*no-such"),
        (["--broker-password-file", "/nowhere"], ENVIRONMENT, "city-refused: .*no file /nowhere"),
        (["--seed-file", "/nowhere"], ENVIRONMENT, "tokens-invalid: .*nowhere"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    more: list[str], environment: dict[str, str], words: str, files: Path
) -> None:
    done = city(files, *more, **environment)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.match(f"vigil-sim: {words}", line), line


@pytest.fixture
def running(files: Path) -> Iterator[list[servers.Server]]:
    found: list[servers.Server] = []
    yield found
    for server in reversed(found):
        server.stop()


def said(files: Path) -> list[dict[str, Any]]:
    lines = (files / "city.log").read_text("utf-8").splitlines()
    assert all(line.startswith("{") for line in lines), lines
    return [json.loads(line) for line in lines]


def ended(server: servers.Server) -> int:
    assert server.process is not None
    server.process.terminate()
    return server.process.wait(60)


def test_sigterm_ends_it_while_it_waits_for_the_cloud(
    files: Path, running: list[servers.Server]
) -> None:
    secret = files / "city" / "tokens.toml"
    installed = command(files, program=INSTALLED)
    server = servers.Server("city", installed, secret.exists, files / "city.log", env=ENVIRONMENT)
    running.append(server)
    server.start()
    # Secrets are written with the handlers in place.
    assert ended(server) == 0
    assert said(files) == [{"kind": "ended"}]
    assert secret.stat().st_mode & 0o077 == 0
    assert tomllib.loads(secret.read_text("utf-8")) == {"gw-one": ENVIRONMENT["CITY_TOKEN"]}


def cloud(files: Path) -> tuple[servers.Server, dict[str, str]]:
    """A cloud with the seed, and what the city is told of it."""
    http, broker = servers.free_port(), servers.free_port()
    environment = ENVIRONMENT | {
        "VIGIL_DEMO": "true",
        "VIGIL_DATA_DIR": str(files / "cloud"),
        "VIGIL_HTTP_PORT": str(http),
        "VIGIL_BROKER_LISTEN": f"127.0.0.1:{broker}",
    }
    program = (sys.executable, "-m", "vigil_cloud")
    seed = (*program, "seed", str(files / "seed.toml"))
    seeded = servers.run(seed, env=os.environ | environment, text=True)
    assert seeded.returncode == 0, seeded.stderr
    log = files / "cloud.log"
    server = servers.Server(
        "cloud", [*program, "serve"], lambda: '"ready"' in log.read_text(), log, env=environment
    )
    return server, {
        "--broker-url": f"mqtt://127.0.0.1:{broker}",
        "--cloud-url": f"http://127.0.0.1:{http}",
    }


def test_it_plays_night_after_night(files: Path, running: list[servers.Server]) -> None:
    there, addresses = cloud(files)
    running.append(there)
    there.start()
    more = [word for pair in addresses.items() for word in pair]
    server = servers.Server(
        "city",
        command(files, *more),
        lambda: True,
        files / "city.log",
        env=ENVIRONMENT | {"VIGIL_BROKER_PASSWORD": "secret of the broker"},
    )
    running.append(server)
    server.start()

    def second_night() -> bool:
        assert server.process is not None
        assert server.process.poll() is None, (files / "city.log").read_text("utf-8")
        return [line["kind"] for line in said(files)].count("night") == 2

    servers.eventually(second_night, "the second night", 180)
    key = next((files / "city/city/data/gw-one").glob("*.pem"), None)
    configuration = tomllib.loads((files / "city/city/gateways/gw-one.toml").read_text("utf-8"))
    assert ended(server) == 0
    kinds = [line["kind"] for line in said(files)]
    night = ["online", "night", "happening", "done"]
    assert kinds[: len(night) + 2] == [*night, "online", "night"]
    assert kinds[-1] == "ended"
    assert key is not None
    assert key.stat().st_mtime < (files / "city/city/city.json").stat().st_mtime
    assert configuration["cloud"]["username"] == "gw-one"
    password = Path(configuration["cloud"]["password_file"])
    assert password.read_text("utf-8") == "secret of the broker"
    assert password.stat().st_mode & 0o077 == 0
