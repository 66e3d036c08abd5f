"""The demo as a newcomer runs it: each domain's alert, whole; and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import servers

SIM = Path(sys.executable).with_name("vigil-sim")
SMALL = ("--scenario", str(Path(__file__).with_name("small-night.toml")))
LONG = (*SMALL, "--speed", "1")
"""What is to be ended goes on long enough for that."""
STRANGE = {
    # An operator's own settings, which must not meet the demo's accounts.
    "VIGIL_DATABASE_URL": "postgresql+psycopg://vigil@127.0.0.1:1/production",
    "VIGIL_SECRET_KEY": "of-somebody-else",
    # A proxy that leads out of the machine, and a terminal that knows no Chinese.
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "PYTHONIOENCODING": "ascii",
    # No dbus-daemon, no servers.
    "PATH": "/nowhere",
    "VIGIL_SERVERS": "/nowhere",
}


def demo(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the demo's check to its end."""
    return subprocess.run(
        [str(SIM), "demo", "--check", "--dir", str(folder), *options],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def assert_played(done: subprocess.CompletedProcess[str], domains: set[str]) -> None:
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    alerts = dict(re.findall(r"^alert: (\w+) (-?[\d.]+)$", done.stdout, re.MULTILINE))
    assert set(alerts) == domains
    assert all(float(seconds) >= 0 for seconds in alerts.values())
    assert done.stdout.count("/alerts/") == len(domains)
    assert "in the city: kitchen fire" in done.stdout
    assert ("every digest right" in done.stdout) == ("noise" in domains)


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The private D-Bus has a Unix socket in there, whose path may have 107 bytes only.
    return tmp_path_factory.mktemp("d")


@pytest.mark.full  # the same on a smaller night, with what people do: test_journeys.py
def test_a_night_on_a_bare_machine(short: Path) -> None:
    assert_played(
        demo(short / "d", environment=STRANGE), {"noise", "water", "checkin", "smoke", "aed"}
    )
    assert left_over(short) == []


@pytest.mark.parametrize(
    ("options", "domains"),
    [
        pytest.param(SMALL, {"water", "smoke"}, id="small"),
        pytest.param(
            (), {"noise", "water", "checkin", "smoke", "aed"}, id="whole", marks=pytest.mark.full
        ),
    ],
)
def test_a_night_on_mosquitto_and_influxdb(
    options: tuple[str, ...], domains: set[str], short: Path
) -> None:
    servers.need("mosquitto", "apt-get install mosquitto")
    servers.need("influxd", "install InfluxDB 2 (https://docs.influxdata.com) or set VIGIL_SERVERS")
    servers_ = ("--broker", "mosquitto", "--timeseries", "influxdb")
    done = demo(short / "夜 d&<b>", *servers_, *options)
    assert_played(done, domains)
    assert re.search(r"read back from InfluxDB: [1-9]\d* readings of", done.stdout)
    assert left_over(short) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scenario", "no-such-night"], "no-such-night"),
        (["--timeseries", "influxdb"], "influxd is not installed: apt-get install influxdb2"),
        (["--broker", "mosquitto", "--timeseries", "influxdb"], "is not installed: apt-get"),
        (["--port", "70000"], "a port lies between 1 and 65535"),
        (["--speed", "0"], "a speed lies above 0"),
    ],
)
def test_what_cannot_be_is_one_clear_line(options: list[str], words: str, short: Path) -> None:
    done = demo(short, *options, environment={"PATH": "/nowhere", "VIGIL_SERVERS": "/nowhere"})
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "starting" not in done.stdout


class Running:
    """A demo that is under way, read line by line."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [str(SIM), "demo", "--dir", str(folder), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, words: str) -> str:
        """The line that has these words in it."""
        assert self.process.stdout is not None
        heard = []
        for line in self.process.stdout:
            heard.append(line)
            if words in line:
                return line
        return pytest.fail(f"{words!r} was never said:\n{''.join(heard)}")

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it still said."""
        rest, _ = self.process.communicate(timeout=120)
        return self.process.returncode, rest


@pytest.fixture
def running(short: Path) -> Iterator[list[Running]]:
    found: list[Running] = []
    yield found
    for each in found:
        if each.process.poll() is None:
            each.process.terminate()
        each.process.communicate()


@pytest.mark.parametrize(
    "stage",
    [
        *(
            pytest.param(one, marks=pytest.mark.full)
            for one in ("building the city", "starting the cloud")
        ),
        "the night begins",
    ],
)
def test_ctrl_c_ends_every_process(stage: str, short: Path, running: list[Running]) -> None:
    running.append(demo_ := Running(short / "d", *LONG))
    demo_.until(stage)
    demo_.process.send_signal(signal.SIGINT)
    code, rest = demo_.end()
    assert code == 130
    assert "Traceback" not in rest
    assert left_over(short) == []


@pytest.mark.parametrize(
    ("which", "name"),
    [
        ("vigil-edge run", "gw-"),
        pytest.param("vigil-sim play", "city", marks=pytest.mark.full),
        pytest.param("vigil-cloud serve", "cloud", marks=pytest.mark.full),
    ],
)
def test_a_part_that_dies_in_the_night_is_named(
    which: str, name: str, short: Path, running: list[Running]
) -> None:
    running.append(demo_ := Running(short / "d", "--check", *LONG))
    demo_.until("the night begins")
    os.kill(pids(short, which)[0], signal.SIGKILL)
    code, rest = demo_.end()
    assert code == 1
    assert re.search(rf"^vigil: demo-failed: {name}\S* ended by signal SIGKILL", rest, re.MULTILINE)
    assert "Traceback" not in rest
    assert left_over(short) == []


@pytest.mark.full
def test_two_demos_at_once_keep_out_of_each_others_way(short: Path, running: list[Running]) -> None:
    """And in the night: Ctrl-C ends one and leaves the other alone; a second one there is no
    longer patient."""
    running += [Running(short / "a", *LONG), Running(short / "b", *LONG)]
    opened = [each.until("the page is open on") for each in running]
    assert len({line.split("http://")[1].split()[0] for line in opened}) == 2
    patient, stuck = running
    patient.until("the night begins")
    patient.process.send_signal(signal.SIGINT)
    code, rest = patient.end()
    assert code == 130
    assert "Traceback" not in rest
    assert left_over(patient.folder) == []
    assert stuck.process.poll() is None

    (broken,) = pids(stuck.folder, "vigil-cloud serve")
    os.kill(broken, signal.SIGSTOP)  # it cannot end when it is asked to
    stuck.process.send_signal(signal.SIGINT)
    stuck.until("stopping")
    stuck.process.send_signal(signal.SIGINT)
    assert stuck.end()[0] == 130
    assert left_over(short) == []


def pids(folder: Path, words: str) -> list[int]:
    return [pid for pid, command in commands() if words in command and _lives_in(pid, folder)]


def _lives_in(pid: int, folder: Path) -> bool:
    try:
        environment = (Path("/proc") / str(pid) / "environ").read_bytes()
        command = (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(folder) in environment or os.fsencode(folder) in command


def commands() -> Iterator[tuple[int, str]]:
    """Every living process but this one: its id and command line."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text:
            yield int(entry.name), text


def left_over(folder: Path) -> list[str]:
    """Command lines of living processes that know the demo's folder."""
    return [command for pid, command in commands() if _lives_in(pid, folder)]
