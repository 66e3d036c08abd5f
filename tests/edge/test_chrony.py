"""How old the last measurement of the clock is: chrony's own answer, from a real chronyd."""

from __future__ import annotations

import asyncio
import getpass
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import servers
from vigil_edge import chrony
from vigil_edge.clock import Clock

INSTALL = "apt-get install chrony"
SHIPPED = Path(__file__).resolve().parents[2] / "docs" / "deployment" / "chrony.conf"
REPORT = (
    "7F000001,127.0.0.1,3,1767225600.250000000,0.000001,-0.000002,0.000003,-12.3,0.001,0.02,"
    "0.0003,0.0004,64.2,Normal"
)


def daemon(folder: Path, text: str) -> subprocess.Popen[bytes]:
    """``chronyd`` that sets no clock (``-x``) and stays in the foreground."""
    program = servers.need("chronyd", INSTALL)
    folder.mkdir()
    file = folder / "chrony.conf"
    file.write_text(f"pidfile {folder}/chronyd.pid\nbindcmdaddress /\n{text}")
    return subprocess.Popen(
        [str(program), "-x", "-d", "-U", "-u", getpass.getuser(), "-f", str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def synchronised(tmp_path: Path) -> Iterator[tuple[Sequence[str], list[subprocess.Popen[bytes]]]]:
    """The command that asks a chronyd which follows another one, and both of them."""
    client = servers.need("chronyc", INSTALL)
    time_port, command_port = servers.free_port(), servers.free_port()
    source = daemon(
        tmp_path / "source",
        f"local stratum 2\nallow 127.0.0.1\nbindaddress 127.0.0.1\nport {time_port}\ncmdport 0\n",
    )
    follower = daemon(
        tmp_path / "follower",
        f"server 127.0.0.1 port {time_port} iburst minpoll -4 maxpoll -4\nport 0\n"
        f"cmdport {command_port}\nbindcmdaddress 127.0.0.1\n",
    )
    command = [str(client), "-h", "127.0.0.1", "-p", str(command_port), *chrony.COMMAND[1:]]
    yield command, [source, follower]
    for process in (source, follower):
        process.kill()
        process.wait()


async def test_chrony_tells_when_it_last_measured_and_the_age_grows(
    synchronised: tuple[Sequence[str], list[subprocess.Popen[bytes]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chrony, "EVERY_S", 0.05)
    command, (source, follower) = synchronised
    clock, counted = Clock(synchronised=lambda: True), Counter[str]()
    assert clock.state().sync_age_s is None
    following = asyncio.create_task(
        chrony.follow(clock, lambda name: counted.update([name]), command)
    )
    async with asyncio.timeout(servers.DEADLINE_S):
        while clock.state().sync_age_s is None:  # noqa: ASYNC110 - chronyd decides when
            await asyncio.sleep(0.05)
        fresh = clock.state()
        assert fresh.sync_source == "127.0.0.1"
        source.kill()
        source.wait()
        while (clock.state().sync_age_s or 0.0) < 2.0:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
        assert not counted, "chrony itself still answers"
        follower.kill()
        follower.wait()
        while not counted:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    assert counted["chrony-silent"] == 1
    assert (clock.state().sync_age_s or 0.0) >= 2.0, "it goes on growing old"


async def test_without_chrony_nothing_is_said() -> None:
    assert await chrony.asked(["no-such-chronyc"]) is None
    assert await chrony.asked([sys.executable, "-c", "raise SystemExit(1)"]) is None
    assert await chrony.asked([sys.executable, "-c", "print('506 Cannot talk to daemon')"]) is None


async def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chrony, "WITHIN_S", 0.3)
    async with asyncio.timeout(servers.DEADLINE_S):
        assert await chrony.asked([sys.executable, "-c", "input(open('/dev/zero').read)"]) is None


def test_the_report_is_read() -> None:
    found = chrony.tracking(REPORT + "\n")
    assert found == chrony.Tracking(1767225600.25, "127.0.0.1")
    assert chrony.tracking(REPORT.replace("Normal", "Not synchronised")) is None
    assert chrony.tracking(REPORT.replace("1767225600.250000000", "0.000000000")) is None
    assert chrony.tracking(REPORT.replace("1767225600.250000000", "nan")) is None
    by_clock = chrony.tracking(REPORT.replace("127.0.0.1", ""))
    assert by_clock is not None
    assert by_clock.source == "7F000001"


@given(st.text(max_size=300))
def test_whatever_else_is_said_is_no_measurement(text: str) -> None:
    found = chrony.tracking(text)
    assert found is None or found.measured_s > 0


def test_a_clock_that_was_set_back_was_measured_too_long_ago() -> None:
    """Not none: one that is not known bars nothing."""
    wall = [1000.0]
    clock = Clock(wall=lambda: wall[0], synchronised=lambda: True)
    clock.measured(990.0, "time.example")
    assert clock.state().sync_age_s == pytest.approx(10.0)
    wall[0] = 989.5  # the service's clock and ours are read one after the other
    assert clock.state().sync_age_s == 0.0
    wall[0] = 900.0
    assert (clock.state().sync_age_s or 0.0) > 300.0, "checks.SYNC_WITHIN_S"
    clock.measured(890.0, "time.example")
    assert clock.state().sync_age_s == pytest.approx(10.0)


def test_the_shipped_configuration_polls_at_most_every_256_seconds() -> None:
    lines = [line.split() for line in SHIPPED.read_text("utf-8").splitlines()]
    sources = [line for line in lines if line[:1] in (["pool"], ["server"], ["peer"])]
    assert sources
    for line in sources:
        assert 2.0 ** int(line[line.index("maxpoll") + 1]) <= 256.0
        assert 2.0 ** int(line[line.index("minpoll") + 1]) >= 32.0


def test_chrony_takes_the_shipped_configuration() -> None:
    program = servers.need("chronyd", INSTALL)
    ran = subprocess.run(
        [str(program), "-p", "-f", str(SHIPPED)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert len(re.findall(r"^pool .*maxpoll 7", ran.stdout, re.MULTILINE)) == 2
