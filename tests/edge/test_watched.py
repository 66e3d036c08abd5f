"""The agent under a service manager: ready, alive while its loop turns, stopping; and no longer."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import servers
from edge.agent_process import agent_on
from edge.ingest_stand_in import until
from vigil_edge.watched import Watched
from vigil_schemas.service_manager import ServiceManager

WATCHDOG_S = 1.5


class Manager:
    """The socket that systemd would listen on."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))

    def close(self) -> None:
        self._socket.close()

    def next(self, within_s: float = 60.0) -> dict[str, str] | None:
        """What was told next, by its keys; ``None`` where nothing was."""
        self._socket.settimeout(within_s)
        try:
            lines = self._socket.recv(4096).decode().split("\n")
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in lines)

    async def until(self, key: str, value: str = "1") -> dict[str, str]:
        while True:
            told = await asyncio.to_thread(self.next)
            assert told is not None, f"{key} was never told"
            if told.get(key) == value:
                return told


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Manager]:
    with closing(Manager(tmp_path)) as made:
        monkeypatch.setenv("NOTIFY_SOCKET", str(made.path))
        monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 1e6)))
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield made


async def test_an_agent_is_ready_lives_and_stops(
    manager: Manager, mosquitto: servers.Mosquitto, tmp_path: Path
) -> None:
    with agent_on(mosquitto.port, tmp_path) as agent:
        agent.configure(mosquitto.port, '[[water]]\ndevice = "counter-1"\nfails = "source-error"\n')
        process = agent.start()
        await manager.until("READY")
        for _ in range(4):
            told = await manager.until("WATCHDOG")
        while "failed: counter-1" not in told["STATUS"]:  # systemctl status says it
            told = await manager.until("WATCHDOG")

        process.send_signal(signal.SIGTERM)

        await manager.until("STOPPING")
        assert await asyncio.to_thread(process.wait, 60) == 0


async def test_a_loop_that_hangs_falls_silent(
    manager: Manager, mosquitto: servers.Mosquitto, tmp_path: Path
) -> None:
    with agent_on(mosquitto.port, tmp_path) as agent:
        agent.configure(mosquitto.port, '[[water]]\ndevice = "counter-1"\nfails = "hangs"\n')
        process = agent.start()
        await manager.until("READY")
        await manager.until("WATCHDOG")

        hang = tmp_path / "data/devices/counter-1/hang"
        await until(hang.parent.is_dir)
        hang.touch()

        while await asyncio.to_thread(manager.next, 2 * WATCHDOG_S) is not None:
            pass
        assert process.poll() is None  # it lives, and systemd kills it for its silence


async def test_a_start_that_waits_for_its_disk_is_not_given_up(
    manager: Manager, mosquitto: servers.Mosquitto, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    with agent_on(mosquitto.port, tmp_path) as agent:
        agent.configure(mosquitto.port, '[[water]]\ndevice = "counter-1"\n')
        agent.start()
        told = await asyncio.to_thread(manager.next)
        assert told is not None
        assert int(told["EXTEND_TIMEOUT_USEC"]) >= 60e6
        assert "data-dir-unusable" in told["STATUS"]
        (tmp_path / "disk").mkdir()
        await manager.until("READY")


def test_nobody_listens_and_nothing_is_told(tmp_path: Path) -> None:
    ServiceManager.of({}).ready("fine")
    with pytest.raises(OSError, match="No such file"):
        ServiceManager(str(tmp_path / "nobody")).ready()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000"}, 3.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "0"}, None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        (
            {
                "NOTIFY_SOCKET": "/run/n",
                "WATCHDOG_USEC": "3000000",
                "WATCHDOG_PID": str(os.getpid()),
            },
            3.0,
        ),
    ],
)
def test_whose_watchdog_it_is(environment: dict[str, str], expected: float | None) -> None:
    assert ServiceManager.of(environment).watchdog_s == expected


def test_a_status_is_one_line(tmp_path: Path) -> None:
    with closing(Manager(tmp_path)) as made:
        ServiceManager(str(made.path)).alive("disk\nMAINPID=1\r\n full")
        assert made.next() == {"WATCHDOG": "1", "STATUS": "disk MAINPID=1 full"}


def test_an_abstract_address(tmp_path: Path) -> None:
    name = f"vigil-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(60)
        ServiceManager("@" + name).stopping()
        assert listening.recv(100) == b"STOPPING=1"


async def test_a_status_that_cannot_be_told_stops_no_heart(manager: Manager) -> None:
    def broken() -> str:
        raise KeyError("device")

    beating = asyncio.create_task(Watched(ServiceManager.of()).beat(broken))
    try:
        await manager.until("READY")
        await manager.until("WATCHDOG")
        told = await manager.until("WATCHDOG")
        assert told["STATUS"] == "status unknown: see the log"
    finally:
        beating.cancel()
