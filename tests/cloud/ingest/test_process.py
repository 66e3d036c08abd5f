"""Ingest as a process over a real broker: bad input, several at once, births and deaths."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

import servers
from cloud.ingest.processes import Cloud
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
from vigil_cloud.timeseries.port import Series
from vigil_schemas.gateway import DeviceDescription, DeviceHealth

HOUR = timedelta(hours=1)


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


def test_one_gateways_flood_of_alarms_keeps_no_others_fire_waiting(
    build_cloud: Callable[..., Cloud], mosquitto: servers.Mosquitto, gateway: Gateway
) -> None:
    build_cloud().start()
    flooding = Gateway(mosquitto.port)
    most = 1500
    for sequence in range(1, most + 1):
        data, subject = smoke(now(), condition="smoke"), f"made-up-{sequence}"
        message = event(flooding.name, sequence, data, subject=subject, time=now(), lane="alarm")
        flooding.publish("alarm", message)
    servers.eventually(lambda: flooding.stored("alarm"), "the flood is being stored")
    data = smoke(now(), condition="smoke")

    fire = event(gateway.name, 1, data, subject="kitchen", time=now(), lane="alarm")
    gateway.publish("alarm", fire)
    gateway.wait_stored("alarm", 1)

    assert flooding.stored("alarm") < most / 2, "the fire was stored after the flood"
    flooding.close()


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


def test_ingest_alone_tells_how_it_is(build_cloud: Callable[..., Cloud], tmp_path: Path) -> None:
    """Given a process that serves no API, supervisors and Prometheus can ask it all the same."""
    broker = servers.mosquitto(tmp_path / "broker")
    port = servers.free_port()
    cloud = build_cloud(VIGIL_BROKER_URL=broker.url, VIGIL_OPERATIONS_LISTEN=f"127.0.0.1:{port}")

    def down() -> list[str] | None:
        try:
            return list(httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).json()["down"])
        except httpx.TransportError:
            return None

    try:
        cloud.start()
        servers.eventually(lambda: down() == [], "ready")
        figures = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        assert "vigil_ingest_broker_connected 1.0" in figures
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=60).status_code == 404

        broker.kill()
        servers.eventually(lambda: down() == ["ingest"], "it says that its broker is away")
        broker.start()
        servers.eventually(lambda: down() == [], "ready again")
    finally:
        broker.stop()
