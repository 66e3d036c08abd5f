"""A gateway installed with the extra of what it does, and no more: how large it is, and that it
works on its device's real protocol."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import servers
from edge.agent_process import values
from edge.ingest_stand_in import IngestStandIn
from installed import Environment, build_gateway_wheel, probe

HEAD = '[gateway]\nid = "gw-1"\ndata_dir = "data"\n[cloud]\nbroker = "mqtt://127.0.0.1:{port}"\n'
SECTIONS = {
    "water": """[[water]]
device = "canal-1"
driver = "modbus-tcp"
address = "{address}"
interval_s = 1
[[water.signal]]
name = "temperature"
unit = "Cel"
register = 0
type = "float32"
""",
    "checkin": '[[checkin]]\ndevice = "temple-1"\ndriver = "ble"\n',
    "smoke": """[[smoke]]
device = "bridge-1"
driver = "zigbee2mqtt"
broker = "mqtt://127.0.0.1:1883"
[[smoke.alarm]]
friendly_name = "kitchen"
device = "smoke-kitchen"
""",
    "noise": """[[noise]]
device = "street-1"
threshold_db = 80
[noise.audio]
source = "sounddevice"
full_scale_peak_db = 120
""",
    "aed": """[[aed]]
device = "aed-hall"
driver = "modbus-tcp"
address = "127.0.0.1:5021"
inputs = { door = 0, button = 1 }
""",
}
HEAVY = ("numpy", "scipy", "numba", "cv2")
MOST_MEGABYTES = 60
TOOLS = {
    "checkin": ["checkin", "decode", "0201061AFF4C000215" + "00" * 16 + "00010002C5"],
    "smoke": ["smoke", "decode", "--codec", "zigbee2mqtt", '{"smoke":true,"battery":97}'],
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_gateway_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(
    params=[
        "water",
        *(pytest.param(one, marks=pytest.mark.full) for one in ("checkin", "smoke", "aed")),
    ]
)
def domain(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def configuration(folder: Path, domain: str, port: int = 1, address: str = "127.0.0.1:1") -> str:
    file = folder / "gateway.toml"
    sections = SECTIONS[domain].replace("{address}", address)
    file.write_text(HEAD.replace("{port}", str(port)) + sections)
    return str(file)


def test_a_gateway_of_one_kind_is_small_and_checks_its_file(
    domain: str, wheel: Path, tmp_path: Path
) -> None:
    made = Environment.make(tmp_path / "venv", wheel, f"edge-{domain}")
    megabytes = made.megabytes()
    print(f"{domain} gateway installed, MB: {megabytes:.1f}")
    assert megabytes <= MOST_MEGABYTES
    assert not [module for module in (*HEAVY, "vigil_cloud") if made.has(module)]
    assert not (made.folder / "bin/vigil-cloud").exists()
    assert (made.folder / "bin/pip").exists()
    done = made.run("vigil-edge", "check", "--config", configuration(tmp_path, domain))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["domain"] == domain
    if domain in TOOLS:
        done = made.run("vigil-edge", *TOOLS[domain])
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)
    if domain == "water":
        read_and_replay(made, tmp_path)
        missing_kinds_are_named(made, tmp_path)


def read_and_replay(made: Environment, folder: Path) -> None:
    """The probe once, the recording, and the agent until its reading is told."""
    table = folder / "sonde.csv"
    begin = datetime(2026, 5, 1, tzinfo=UTC)
    lines = [
        f"{begin + timedelta(minutes=15 * n):%Y-%m-%d %H:%M:%S},{20 + n % 7}" for n in range(99)
    ]
    table.write_text("\n".join(["when,temp", *lines]) + "\n")
    done = made.run(
        "vigil-edge", "water", "replay", str(table), "--time", "when", "--signals", "temp"
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 99
    assert "without numpy" in done.stderr
    broker = servers.mosquitto(folder / "broker")
    cloud = IngestStandIn(broker.port, "gw-1")
    try:
        with probe(21.5) as address:
            words = ["water", "probe", address, "--timeout", "30", "--register", "0"]
            done = made.run("vigil-edge", *words)
            assert done.returncode == 0, done.stderr
            assert 21.5 in [json.loads(line).get("value") for line in done.stdout.splitlines()]
            file = configuration(folder, "water", broker.port, address)
            run = [str(made.folder / "bin/vigil-edge"), "run", "--config", file]
            with subprocess.Popen(run, stderr=subprocess.DEVNULL) as agent:
                try:
                    servers.eventually(lambda: 21.5 in values(cloud), "a reading", 60)
                finally:
                    agent.terminate()
            assert agent.returncode == 0
    finally:
        cloud.close()
        broker.stop()


def missing_kinds_are_named(made: Environment, folder: Path) -> None:
    """Of a domain whose extra was not installed: the extra, at `check` and by its tool."""
    done = made.run("vigil-edge", "check", "--config", configuration(folder, "noise"))
    assert done.returncode == 2
    assert "numpy" in done.stderr
    assert "[edge-noise]" in done.stderr
    done = made.run("vigil-edge", "noise", "replay", "street.wav")
    assert done.returncode == 2
    assert "[edge-noise]" in done.stderr


@pytest.mark.full
@pytest.mark.parametrize("extra", ["edge-noise", "edge-aed", "edge"])
def test_the_other_extras_start_as_well(extra: str, wheel: Path, tmp_path: Path) -> None:
    made = Environment.make(tmp_path / "venv", wheel, extra)
    print(f"{extra} installed, MB: {made.megabytes():.1f}")
    domain = {"edge-noise": "noise", "edge-aed": "", "edge": "water"}[extra]
    if domain:
        done = made.run("vigil-edge", "check", "--config", configuration(tmp_path, domain))
        assert done.returncode == 0, done.stderr
    assert made.run("vigil-edge", "--help").returncode == 0
