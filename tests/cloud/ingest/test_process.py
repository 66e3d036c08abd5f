"""Ingest as a process over a real broker: killed, doubled, cut off from its stores."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import servers
from gateways import (
    EPOCH,
    Gateway,
    birth,
    event,
    new_name,
    now,
    observation,
    smoke,
)
from vigil_cloud.timeseries.influx import InfluxTimeSeries
from vigil_cloud.timeseries.port import Series, TimeSeries
from vigil_cloud.timeseries.sqlite import SqliteTimeSeries
from vigil_schemas.gateway import DeviceDescription, DeviceHealth

HOUR = timedelta(hours=1)


class Cloud:
    """`vigil-cloud ingest` processes over one set of stores."""

    def __init__(self, folder: Path, broker_port: int, **variables: str) -> None:
        self.folder = folder
        self.env = {
            "VIGIL_DEMO": "true",
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_BROKER_URL": f"mqtt://127.0.0.1:{broker_port}",
            **variables,
        }
        self.running: list[servers.Server] = []
        self._started = 0

    def start(self, **variables: str) -> servers.Server:
        """One more ingest process: subscribed, and listening to signals."""
        self._started += 1
        log = self.folder / f"ingest-{self._started}.log"

        def started() -> bool:
            said = log.read_text() if log.exists() else ""
            return said.count('"event": "subscribed"') == 3 and '"kind": "ready"' in said

        process = servers.Server(
            "ingest",
            [sys.executable, "-m", "vigil_cloud.cli", "ingest"],
            started,
            log,
            env={**self.env, **variables},
        )
        process.start()
        self.running.append(process)
        return process

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / "cloud" / "vigil.sqlite3", timeout=30)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def count(self, query: str, *values: Any) -> int:
        return int(self.rows(query, *values)[0][0])

    def timeseries(self) -> TimeSeries:
        return SqliteTimeSeries(self.folder / "cloud" / "timeseries.sqlite3")


@pytest.fixture
def build_cloud(tmp_path: Path, mosquitto: servers.Mosquitto) -> Iterator[Callable[..., Cloud]]:
    clouds: list[Cloud] = []

    def build(**variables: str) -> Cloud:
        clouds.append(Cloud(tmp_path, mosquitto.port, **variables))
        return clouds[-1]

    yield build
    for cloud in clouds:
        for process in cloud.running:
            process.stop()


@pytest.fixture
def gateway(mosquitto: servers.Mosquitto) -> Iterator[Gateway]:
    connected = Gateway(mosquitto.port)
    yield connected
    connected.publish("status", b"", retain=True)
    connected.close()


def test_bad_messages_are_set_aside_and_the_lane_goes_on(
    build_cloud: Callable[..., Cloud], gateway: Gateway
) -> None:
    cloud = build_cloud()
    cloud.start()
    name, time = gateway.name, now()
    lane = "event"

    def tested(sequence: int, **more: Any) -> bytes:
        health = DeviceHealth(device="a", state="ok", since=time)
        return event(name, sequence, health, subject="a", time=more.pop("at", time), **more)

    messages = {
        "malformed-json": tested(2)[:-9],
        "oversized": tested(3)[:-1] + b" " * 300_000 + b"}",
        "wrong-schema": tested(6).replace(b'"state":"ok"', b'"state":"bored"'),
        "unknown-type": tested(7).replace(b"device.health.v1", b"device.health.v9"),
        "wrong-gateway": tested(8).replace(name.encode(), b"gw-somebody-else"),
        "wrong-lane": tested(8, lane="alarm"),
    }
    gateway.publish(lane, tested(1))
    for number, at in ((4, time - timedelta(days=401)), (5, time + HOUR)):
        gateway.publish(lane, tested(number, at=at))  # doubtful, and taken
    for payload in messages.values():
        gateway.publish(lane, payload)
    gateway.publish(lane, tested(8))
    gateway.publish(lane, tested(9))

    gateway.wait_stored(lane, 9)
    receipt = gateway.receipt(lane)
    assert receipt is not None
    assert (receipt.stored, receipt.beyond, receipt.refused) == (9, [], 4)
    found = cloud.rows("SELECT reason FROM dead_letters WHERE gateway = ? ORDER BY id", name)
    assert [reason for (reason,) in found] == list(messages)
    assert cloud.count("SELECT count(*) FROM taken_events WHERE gateway = ?", name) == 5


def test_a_flood_of_huge_messages_takes_neither_memory_nor_the_lane(
    build_cloud: Callable[..., Cloud], gateway: Gateway
) -> None:
    """Given a broker that lets everything in, what is beyond all measure does not reach us."""
    cloud = build_cloud()
    process = cloud.start()
    name, time = gateway.name, now()

    def peak_kib() -> int:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if "VmHWM" in line))

    before = peak_kib()
    for _ in range(3):
        gateway.publish("event", b"x" * (48 * 1024 * 1024))
    gateway.publish("event", b"y" * 900_000)
    gateway.publish("event", event(name, 1, smoke(time), subject="a", time=time))

    gateway.wait_stored("event", 1)
    assert cloud.rows("SELECT reason, size FROM dead_letters") == [("oversized", 900_000)]
    assert peak_kib() - before < 32 * 1024


def test_killed_again_and_again_nothing_is_lost_or_doubled(
    build_cloud: Callable[..., Cloud], gateway: Gateway
) -> None:
    cloud = build_cloud()
    device = new_name("sonde")
    start = now() - timedelta(hours=2)
    series = Series("water", gateway.name, device, "pH")
    processes = [cloud.start()]
    for part in range(4):
        numbers = range(1 + 50 * part, 51 + 50 * part)
        half = [
            (n, observation(gateway.name, n, device=device, time=start + n * HOUR / 3600))
            for n in numbers
        ]
        alarms = [
            (
                n,
                event(
                    gateway.name,
                    n,
                    smoke(start),
                    subject="a",
                    time=start,
                    lane="alarm",
                    event_id=f"alarm-{n}",
                ),
            )
            for n in numbers
        ]
        for n, payload in alarms:
            gateway.publish("alarm", payload)
            gateway.publish("observation", half[n - numbers[0]][1])
        servers.eventually(
            lambda first=numbers[0]: gateway.stored("observation") >= first, "some are stored"
        )
        processes[-1].kill()
        processes.append(cloud.start())
        gateway.deliver("observation", half)
        gateway.deliver("alarm", alarms)

    store = cloud.timeseries()
    assert store.count(series, start, start + HOUR) == 200
    store.close()
    assert gateway.stored("observation") == gateway.stored("alarm") == 200
    taken = cloud.rows(
        "SELECT event_id FROM taken_events WHERE gateway = ? ORDER BY event_id", gateway.name
    )
    assert [event_id for (event_id,) in taken] == sorted(f"alarm-{n}" for n in range(1, 201))


def test_two_processes_share_a_subscription(
    build_cloud: Callable[..., Cloud], gateway: Gateway
) -> None:
    cloud = build_cloud(VIGIL_SHARED_GROUP=new_name("group"))
    processes = [cloud.start(), cloud.start()]
    device = new_name("sonde")
    start = now() - timedelta(hours=2)
    payloads = [
        (n, observation(gateway.name, n, device=device, time=start + n * HOUR / 3600))
        for n in range(1, 301)
    ]

    gateway.deliver("observation", payloads, again_s=5)

    store = cloud.timeseries()
    series = Series("water", gateway.name, device, "pH")
    assert store.count(series, start, start + HOUR) == 300
    store.close()
    mark = cloud.rows(
        "SELECT stored, beyond FROM watermarks WHERE source = ?",
        f"/{gateway.name}/observation/{EPOCH}",
    )
    assert [(stored, json.loads(beyond)) for stored, beyond in mark] == [(300, [])]
    for process in processes:
        process.stop()
    logs = [path.read_text() for path in cloud.folder.glob("ingest-*.log")]
    assert not any("Traceback" in log for log in logs)


def test_retained_births_reach_an_ingest_that_starts_later(
    build_cloud: Callable[..., Cloud], gateway: Gateway
) -> None:
    time = now()
    described = DeviceDescription(
        device=new_name("sonde"), domain="water", driver="modbus-tcp", name_zh="水圳"
    )
    gateway.publish(
        "status",
        event(
            gateway.name,
            None,
            birth(time, [described]),
            subject=gateway.name,
            time=time,
            lane="status",
        ),
        retain=True,
    )
    cloud = build_cloud(VIGIL_SHARED_GROUP=new_name("group"))
    cloud.start()

    servers.eventually(
        lambda: (
            cloud.rows("SELECT name_zh, described FROM devices WHERE device = ?", described.device)
            == [("水圳", 1)]
        ),
        "the device is known",
    )


def test_the_last_will_makes_a_gateway_offline(
    build_cloud: Callable[..., Cloud], mosquitto: servers.Mosquitto
) -> None:
    from gateways import death

    cloud = build_cloud()
    cloud.start()
    name, time = new_name(), now()

    def status(data: Any) -> bytes:
        return event(name, None, data, subject=name, time=time, lane="status")

    def state() -> list[tuple[Any, ...]]:
        return cloud.rows("SELECT connected, offline FROM gateways WHERE gateway = ?", name)

    gateway = Gateway(mosquitto.port, name, will=status(death(session=1)))
    gateway.publish("status", status(birth(time)), retain=True)
    servers.eventually(lambda: state() == [(1, 0)], "the gateway is online")

    socket: Any = gateway.client.socket()
    gateway.client.loop_stop()
    socket.close()  # no DISCONNECT: as if the power had failed

    servers.eventually(lambda: state() == [(0, 1)], "the gateway is offline")


@pytest.mark.parametrize("cut", ["proxy", "kill"])
def test_influx_down_and_back(
    build_cloud: Callable[..., Cloud],
    gateway: Gateway,
    toxiproxy: servers.Toxiproxy,
    tmp_path: Path,
    cut: str,
) -> None:
    """Given no InfluxDB, readings wait, alarms do not, and all is there when it is back."""
    influx = servers.influxd(tmp_path / "influx")
    try:
        proxy = new_name("influx")
        port = toxiproxy.proxy(proxy, influx.port)
        cloud = build_cloud(
            VIGIL_TIMESERIES="influxdb",
            VIGIL_INFLUX_URL=f"http://127.0.0.1:{port}",
            VIGIL_INFLUX_ORG=influx.org,
            VIGIL_INFLUX_BUCKET=influx.bucket,
            VIGIL_INFLUX_TOKEN=influx.token,
        )
        cloud.start()
        device, start = new_name("sonde"), now() - timedelta(hours=2)

        def payload(n: int) -> bytes:
            return observation(gateway.name, n, device=device, time=start + n * HOUR / 3600)

        gateway.publish("observation", payload(1))
        gateway.wait_stored("observation", 1)

        if cut == "proxy":
            toxiproxy.enable(proxy, False)
        else:
            influx.kill()
        for n in range(2, 41):
            gateway.publish("observation", payload(n))
        alarm = event(gateway.name, 1, smoke(start), subject="a", time=start, lane="alarm")
        gateway.publish("alarm", alarm)
        gateway.wait_stored("alarm", 1)
        assert gateway.stored("observation") < 40

        if cut == "proxy":
            toxiproxy.enable(proxy, True)
        else:
            influx.start()
        gateway.wait_stored("observation", 40)
        store = InfluxTimeSeries(
            influx.url, org=influx.org, bucket=influx.bucket, token=influx.token
        )
        series = Series("water", gateway.name, device, "pH")
        assert store.count(series, start, start + HOUR) == 40
        store.close()
    finally:
        influx.stop()


def test_postgresql_killed_and_back(
    build_cloud: Callable[..., Cloud], gateway: Gateway, tmp_path: Path
) -> None:
    server = servers.postgres(tmp_path / "postgres")
    try:
        cloud = build_cloud(VIGIL_DATABASE_URL=server.create("vigil"))
        migrated = subprocess.run(
            [sys.executable, "-m", "vigil_cloud.cli", "migrate"],
            env={**cloud.env, "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stderr
        cloud.start()
        device, start = new_name("sonde"), now() - timedelta(hours=2)
        payloads = [
            (n, observation(gateway.name, n, device=device, time=start + n * HOUR / 3600))
            for n in range(1, 61)
        ]
        gateway.deliver("observation", payloads[:20])
        server.kill()
        for _, payload in payloads[20:]:
            gateway.publish("observation", payload)
        server.start()
        gateway.deliver("observation", payloads[20:])

        assert gateway.stored("observation") == 60
        store = cloud.timeseries()
        series = Series("water", gateway.name, device, "pH")
        assert store.count(series, start, start + HOUR) == 60
        store.close()
    finally:
        server.stop()


def test_another_gateways_device_is_out_of_reach_for_every_process(
    build_cloud: Callable[..., Cloud], gateway: Gateway, mosquitto: servers.Mosquitto
) -> None:
    """Given two processes that share the messages and one gateway that describes a device."""
    cloud = build_cloud(VIGIL_SHARED_GROUP=new_name("group"))
    cloud.start()
    cloud.start()
    time, device = now(), new_name("alarm")
    described = DeviceDescription(device=device, domain="smoke", driver="test")
    born = birth(time, [described])
    payload = event(gateway.name, None, born, subject=gateway.name, time=time, lane="status")
    gateway.publish("status", payload, retain=True)
    servers.eventually(
        lambda: cloud.rows("SELECT gateway FROM devices WHERE device = ? AND claimed", device),
        "the device is claimed",
    )

    other = Gateway(mosquitto.port)
    messages = {
        n: event(
            other.name,
            n,
            DeviceHealth(device=device, state="failed", since=time),
            subject=device,
            time=time,
        )
        for n in range(1, 41)
    }
    other.deliver("event", messages.items())

    receipt = other.receipt("event")
    assert receipt is not None
    assert (receipt.stored, receipt.refused) == (40, 40)
    query = "SELECT count(*) FROM dead_letters WHERE reason = 'device-of-another' AND gateway = ?"
    assert cloud.count(query, other.name) == 40
    assert cloud.count("SELECT count(*) FROM taken_events WHERE gateway = ?", other.name) == 0
    other.close()


def test_a_database_that_hangs_does_not_hold_up_the_end(
    build_cloud: Callable[..., Cloud], tmp_path: Path
) -> None:
    """Given a server that keeps its connections and says nothing, SIGTERM still ends us."""
    postgres = servers.postgres(tmp_path / "postgres")
    try:
        cloud = build_cloud(VIGIL_DATABASE_URL=postgres.url())
        migrate = [sys.executable, "-m", "vigil_cloud.cli", "migrate"]
        subprocess.run(migrate, env={**os.environ, **cloud.env}, check=True)
        child = cloud.start().process
        assert child is not None
        main = postgres.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        frozen = [main, *(int(pid) for pid in children)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        child.terminate()
        try:
            assert child.wait(60) == 0
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
    finally:
        postgres.stop()


def test_ingest_alone_tells_how_it_is(build_cloud: Callable[..., Cloud], tmp_path: Path) -> None:
    """Given a process that serves no API, supervisors and Prometheus can ask it all the same."""
    broker = servers.mosquitto(tmp_path / "broker")
    port = servers.free_port()
    cloud = build_cloud(VIGIL_BROKER_URL=broker.url, VIGIL_OPERATIONS_LISTEN=f"127.0.0.1:{port}")

    def down() -> list[str] | None:
        try:
            return list(httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).json()["down"])
        except httpx.TransportError:
            return None

    try:
        cloud.start()
        servers.eventually(lambda: down() == [], "ready")
        figures = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        assert "vigil_ingest_broker_connected 1.0" in figures
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=10).status_code == 404

        broker.kill()
        servers.eventually(lambda: down() == ["ingest"], "it says that its broker is away")
        broker.start()
        servers.eventually(lambda: down() == [], "ready again")
    finally:
        broker.stop()
