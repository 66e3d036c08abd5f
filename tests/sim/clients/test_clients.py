"""The small clients of docs/firmware.md: each passes ``conform``, and while the broker is killed
nothing of theirs is lost and nothing is taken twice."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

import servers
from cloud.conform.watching import Watching
from cloud.ingest.processes import Cloud
from gateways import new_name
from vigil_cloud.timeseries.port import Series
from vigil_edge.clock import kernel_synchronised
from vigil_schemas.control import CommandV1
from vigil_schemas.envelope import CLOUD_SOURCE, encode

ROOT = Path(__file__).parents[3]
CLIENTS = ROOT / "firmware-sim" / "clients"
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
READINGS = 12


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With sanitizers where this compiler has them."""
    compiler = servers.find("cc") or servers.need("clang", "apt-get install clang")
    program = tmp_path_factory.mktemp("c") / "gateway"
    source = str(CLIENTS / "c" / "gateway.c")
    for more in (SANITIZED, ("-O2",)):
        made = subprocess.run([compiler, *FLAGS, *more, "-o", program, source], capture_output=True)
        if made.returncode == 0:
            break
    assert made.returncode == 0, made.stderr.decode()
    return program


@pytest.fixture(params=["c", "cpython", "micropython"])
def client(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "c":
        return [str(request.getfixturevalue("compiled"))]
    script = str(CLIENTS / "micropython" / "gateway.py")
    if request.param == "cpython":
        return [sys.executable, script]
    program = shutil.which("micropython")
    if program is None:  # no package of Debian 12: not asked for by VIGIL_REQUIRE
        pytest.skip("micropython is not installed: apt-get install micropython, where there is one")
    return [program, script]


class Client:
    """The program as a process that is told lines."""

    def __init__(self, command: list[str], port: int, gateway: str, folder: Path) -> None:
        self._command = [*command, "127.0.0.1", str(port), gateway, str(folder / "state")]
        self._log = folder / "client.log"
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            # Whether this machine's clock is kept is no matter of the contract.
            env = {**os.environ, "GATEWAY_CLOCK": "kept"}
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stderr=log, env=env
            )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self._close()

    def end(self) -> None:
        """The end of its input: it waits for its last receipt."""
        self._close()
        assert self.process.returncode == 0, self._log.read_text()

    def _close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(servers.DEADLINE_S)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[servers.Mosquitto]:
    server = servers.mosquitto(tmp_path / "broker")
    yield server
    server.stop()


@pytest.fixture
def cloud(tmp_path: Path, broker: servers.Mosquitto) -> Iterator[Cloud]:
    made = Cloud(tmp_path, broker.port)
    made.start()
    yield made
    for process in made.running:
        process.stop()


def command(url: str, gateway: str) -> Callable[[], None]:
    """A command as the cloud sends it, again with each call."""
    name = uuid.uuid4().hex
    asked = CommandV1(command_id=name, action="resend_birth")
    now = datetime.now(UTC)
    payload = encode(
        id=name, source=CLOUD_SOURCE, type=asked.TYPE, subject=gateway, time=now, data=asked
    )

    def send() -> None:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.connect("127.0.0.1", int(url.rpartition(":")[2]))
        client.loop_start()
        client.publish(f"vigil/v1/{gateway}/command", payload, 1).wait_for_publish(60)
        client.disconnect()
        client.loop_stop()

    return send


def test_a_client_passes_while_the_broker_and_it_are_killed(
    client: list[str], broker: servers.Mosquitto, cloud: Cloud, tmp_path: Path
) -> None:
    name = new_name()
    first, last = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

    def events() -> int:
        return cloud.count("SELECT count(*) FROM taken_events WHERE gateway = ?", name)

    def is_kept(pattern: str) -> bool:
        kept = (tmp_path / "state").read_text("utf-8", errors="replace")
        return re.search(pattern, kept) is not None

    watching = Watching(broker.url, name)
    try:
        watching.wait_for("watching")
        running = Client(client, broker.port, name, tmp_path)
        ask = command(broker.url, name)

        # Given some that is stored,
        running.say("reading 1.5")
        running.say("alarm on")
        servers.eventually(lambda: events() >= 1, "the alarm is taken")

        # When the broker is killed, something happens meanwhile, and the client is killed as well,
        broker.kill()
        running.say("reading 2.5")
        running.say("alarm off")
        servers.eventually(lambda: is_kept(r'active\\*": ?false'), "it is on the disk")
        running.kill()
        broker.start()
        running.start()

        # Then all of it arrives, once, and a command is answered each time and done once.
        servers.eventually(lambda: events() >= 2, "the all-clear is taken")
        ask()
        ask()
        servers.eventually(lambda: events() >= 4, "both are answered")
        running.say("reading 3.5")
        running.end()
        code, summary = watching.end()
    finally:
        watching.close()
        if running.process.poll() is None:
            running.kill()

    alarms = cloud.rows("SELECT device, active FROM alerts WHERE gateway = ?", name)
    assert [(device, bool(active)) for device, active in alarms] == [("alarm-1", False)]
    assert events() == 4
    assert cloud.count("SELECT count(*) FROM dead_letters WHERE gateway = ?", name) == 0
    series = Series("water", name, "probe-1", "temperature")
    points = cloud.timeseries().read(series, first, last)
    assert [point.value for point in points] == [1.5, 2.5, 3.5]
    gateway = cloud.rows("SELECT connected, session FROM gateways WHERE gateway = ?", name)
    assert gateway[0][0] in (0, False)
    assert (code, summary["faults"]) == (0, {})


class Wire:
    """A connection that takes everything and says nothing."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, packet: bytes) -> int:
        self.sent.append(packet)
        return len(packet)

    def poll(self, _milliseconds: int) -> list[object]:
        return []


def loaded(name: str) -> ModuleType:
    """The client's module, in this process."""
    script = CLIENTS / "micropython" / "gateway.py"
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec is not None
    assert spec.loader is not None
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    return client


def offline(client: ModuleType, folder: Path) -> Any:
    """A gateway of the module that writes on no disk; connected, and nobody answers."""
    store = client.Store(str(folder / "state"))
    store.save = lambda: None  # a disk is a matter of its own
    gateway = client.Gateway("h", 1, "gw-1", store)
    gateway.socket = gateway.poll = Wire()
    gateway.ready = True
    return gateway


def kept_alarms(gateway: Any) -> list[dict[str, Any]]:
    return [json.loads(one[2])["data"] for one in gateway.store.state["kept"]]


def test_a_full_store_gives_readings_and_answers_up_for_alarms_alone(tmp_path: Path) -> None:
    client = loaded("client_that_is_full")
    gateway = offline(client, tmp_path)
    kept = gateway.store.state["kept"]
    while gateway.tell_reading(21.0):
        pass
    readings = len(kept)
    while gateway.tell("event", "city.vigil.command.result.v1", "gw-1", "{}"):
        pass
    assert len(kept) == client.KEPT > readings == client.FOR_READINGS
    while gateway.tell_alarm(True):
        pass
    assert {lane for lane, *_ in kept} == {"alarm"}, "each took the place of something else"
    assert [number for _, number, _ in kept] == list(range(1, client.KEPT + 1))
    assert not gateway.tell_reading(21.0)


def test_an_alarm_behind_nothing_but_alarms_is_owed_and_told(tmp_path: Path) -> None:
    """It rang, it fell silent, it rings again: nothing of that is refused."""
    client = loaded("client_that_owes")
    gateway = offline(client, tmp_path)
    for _ in range(client.KEPT // 2):
        assert gateway.tell_alarm(True)
        assert gateway.tell_alarm(False)
    assert not gateway.tell_alarm(True)
    first = gateway.store.state["owed"]["since"]
    assert not gateway.tell_alarm(False)
    assert not gateway.tell_alarm(True)

    def receipt(stored: int) -> None:
        epoch = gateway.store.state["epoch"]
        gateway.receipt({"source": f"/gw-1/alarm/{epoch}", "stored": stored})

    receipt(1)
    assert kept_alarms(gateway)[-1]["active"] is True, "it rings"
    assert kept_alarms(gateway)[-1]["since"] == first, "since it began"
    assert not gateway.tell_alarm(False), "full again"
    assert not gateway.tell_alarm(True)
    assert not gateway.tell_alarm(False)
    receipt(2)
    receipt(3)
    receipt(client.KEPT)
    assert gateway.store.state["owed"] is None
    onset, end = kept_alarms(gateway)[-2:]
    assert (onset["active"], end["active"]) == (True, False)
    assert onset["alarm_id"] == end["alarm_id"]


@pytest.mark.parametrize("heard_before", [False, True])
def test_everything_that_rang_behind_a_full_store_ends(tmp_path: Path, heard_before: bool) -> None:
    """What is owed as one is told as one, and so is what follows: nothing rings for good."""
    client = loaded("client_that_ends")
    gateway = offline(client, tmp_path)
    for _ in range(client.KEPT // 2 - heard_before):
        gateway.tell_alarm(True)
        gateway.tell_alarm(False)
    if heard_before:
        gateway.tell_alarm(False)
        assert gateway.tell_alarm(True), "the last that found room: its end is owed"
        assert not gateway.tell_alarm(False)
    for active in (True, False, True):
        assert not gateway.tell_alarm(active)
    told: dict[str, bool] = {}
    for stored in range(1, client.KEPT + 1):
        told |= {one["alarm_id"]: one["active"] for one in kept_alarms(gateway)}
        source = f"/gw-1/alarm/{gateway.store.state['epoch']}"
        gateway.receipt({"source": source, "stored": stored})
    assert gateway.tell_alarm(False)
    told |= {one["alarm_id"]: one["active"] for one in kept_alarms(gateway)}
    assert gateway.store.state["owed"] is None
    assert set(told.values()) == {False}


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (b"\x00\x01\x00\x00", ""),
        (b"\x00\x01\x01\x01", ""),
        (b"\x00\x01\x80\x00", "receipts"),
        (b"\x00\x01\x00\x80", "commands"),
        (b"\x00\x01", "receipts"),
        (b"\x00\x01\x00", "receipts"),
    ],
)
def test_a_subscription_of_which_any_topic_is_refused_is_refused(
    tmp_path: Path, answer: bytes, refused: str
) -> None:
    client = loaded("client_that_is_refused")
    gateway = offline(client, tmp_path)
    gateway.ready = False
    # A message may come before the answer to SUBSCRIBE
    topic = b"vigil/v1/gw-1/receipt"
    early = bytes([0, len(topic)]) + topic + b'{"data": {"source": "/x", "stored": 1}}'
    gateway.incoming = bytes([0x30, len(early)]) + early + bytes([0x90, len(answer)]) + answer
    assert gateway.take()
    assert not gateway.ready
    with pytest.raises(OSError, match=refused) if refused else nullcontext():
        gateway.take()
    assert gateway.ready == (not refused)


def test_a_client_says_what_is_known_of_its_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEWAY_CLOCK", raising=False)
    client = loaded("client_of_a_clock")
    gateway = offline(client, tmp_path)
    steady = [5_000.0]
    client.time = SimpleNamespace(  # type: ignore[attr-defined]
        time_ns=lambda: 1_790_000_000_250_000_000, monotonic=lambda: steady[0], gmtime=time.gmtime
    )
    assert gateway.tell_alarm(True)
    gateway.clock_was_set()
    assert gateway.tell_alarm(False)
    steady[0] += client.SET_FOR_S + 1
    assert gateway.tell_reading(20.5)
    said = [json.loads(one[2]) for one in gateway.store.state["kept"]]
    assert [one["clockquality"] for one in said] == ["unsynchronised", "synchronised", "holdover"]
    assert said[0]["time"].endswith("20.250Z")
    assert said[2]["data"][0]["bt"] == 1_790_000_000.25


def test_the_c_client_says_what_the_kernel_knows_of_the_clock(
    compiled: Path, tmp_path: Path
) -> None:
    """It is kept on its disk before anybody answers."""
    state = tmp_path / "state"
    command = [str(compiled), "127.0.0.1", "1", "gw-1", str(state)]
    env = {name: value for name, value in os.environ.items() if name != "GATEWAY_CLOCK"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=env, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(b"alarm on\n")
    process.stdin.flush()
    found = re.compile(rb'"time":"[^"]*\.\d{3}Z".*?"clockquality":"(\w+)"')

    def kept() -> re.Match[bytes] | None:
        return found.search(state.read_bytes()) if state.exists() else None

    try:
        servers.eventually(lambda: kept() is not None, "it is on the disk")
    finally:
        process.kill()
        process.communicate()
    said = kept()
    assert said is not None
    assert said[1].decode() == ("synchronised" if kernel_synchronised() else "unsynchronised")


def test_a_clock_that_is_set_back_keeps_no_alarm(tmp_path: Path) -> None:
    """As on a board at its first contact with a time server, or at a summer time's end."""
    client = loaded("client_of_a_set_clock")
    wall, steady = [1_790_000_000.0], [5_000.0]
    client.time = SimpleNamespace(  # type: ignore[attr-defined]
        time=lambda: wall[0], monotonic=lambda: steady[0], gmtime=time.gmtime
    )
    gateway, wire = client.Gateway("h", 1, "gw-1", client.Store(str(tmp_path / "state"))), Wire()
    gateway.socket, gateway.poll, gateway.ready = wire, wire, True
    assert gateway.tell_alarm(True)
    wall[0] -= 3 * 3_600
    steady[0] += 6
    gateway.step()
    first, again = (one for one in wire.sent if one[0] == 0x32)
    assert first.partition(b"{")[2] == again.partition(b"{")[2]


def test_the_page_shows_the_commands_that_are_tried_here() -> None:
    page = (ROOT / "docs" / "firmware.md").read_text("utf-8")
    blocks = re.findall(r"```\n(.*?)```", page, re.DOTALL)
    assert f"cc {' '.join(FLAGS)} -O2 -o gateway firmware-sim/clients/c/gateway.c" in page
    assert any(block.startswith("python3 firmware-sim/clients/micropython") for block in blocks)
