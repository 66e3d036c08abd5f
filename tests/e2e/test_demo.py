"""The demo as a newcomer runs it: four alerts through the whole way, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import servers

SIM = Path(sys.executable).with_name("vigil-sim")


def demo(folder: Path, *options: str) -> str:
    """Run the demo's check; returns what it printed."""
    done = subprocess.run(
        [str(SIM), "demo", "--check", "--dir", str(folder / "d"), *options],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def assert_four_alerts(output: str) -> None:
    alerts = dict(re.findall(r"^alert: (\w+) (-?[\d.]+)$", output, re.MULTILINE))
    assert set(alerts) == {"noise", "water", "checkin", "smoke"}
    assert all(float(seconds) >= 0 for seconds in alerts.values())
    assert "every digest right" in output


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The private D-Bus has a Unix socket in there, whose path may have 107 bytes only.
    return tmp_path_factory.mktemp("d")


def test_a_night_on_the_embedded_defaults(short: Path) -> None:
    assert_four_alerts(demo(short))
    assert left_over(short) == []


def test_a_night_on_mosquitto_and_influxdb(short: Path) -> None:
    servers.need("mosquitto", "apt-get install mosquitto")
    servers.need("influxd", "install InfluxDB 2 (https://docs.influxdata.com) or set VIGIL_SERVERS")
    output = demo(short, "--broker", "mosquitto", "--timeseries", "influxdb")
    assert_four_alerts(output)
    assert re.search(r"read back from InfluxDB: [1-9]\d* readings of", output)


def test_an_unknown_scenario_is_one_clear_line(short: Path) -> None:
    done = subprocess.run(
        [str(SIM), "demo", "--check", "--scenario", "no-such-night", "--dir", str(short / "d")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "no-such-night" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_every_process(short: Path) -> None:
    demo_ = subprocess.Popen(
        [str(SIM), "demo", "--dir", str(short / "d")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert demo_.stdout is not None
    with demo_.stdout as lines:
        assert any("the page is open on" in line for line in lines)
        demo_.send_signal(signal.SIGINT)
        demo_.wait(60)
        lines.read()
    assert left_over(short) == []


def left_over(folder: Path) -> list[str]:
    """Command lines of living processes that mention the demo's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found
