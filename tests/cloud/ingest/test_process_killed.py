"""Ingest as a process: killed, and cut off from its stores."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import servers
from cloud.ingest.processes import Cloud
from gateways import (
    Gateway,
    event,
    new_name,
    now,
    observation,
    smoke,
)
from vigil_cloud.timeseries.influx import InfluxTimeSeries
from vigil_cloud.timeseries.port import Series

HOUR = timedelta(hours=1)


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

        def some_are_stored(first: int = numbers[0]) -> bool:
            return gateway.stored("observation") >= first

        servers.eventually(some_are_stored, "some are stored")
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
        migrated = servers.run(
            [sys.executable, "-m", "vigil_cloud.cli", "migrate"],
            env={**cloud.env, "PATH": ""},
            text=True,
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


def test_a_database_that_hangs_does_not_hold_up_the_end(
    build_cloud: Callable[..., Cloud], tmp_path: Path
) -> None:
    """Given a server that keeps its connections and says nothing, SIGTERM still ends us."""
    postgres = servers.postgres(tmp_path / "postgres")
    try:
        cloud = build_cloud(VIGIL_DATABASE_URL=postgres.url())
        migrate = [sys.executable, "-m", "vigil_cloud.cli", "migrate"]
        assert servers.run(migrate, env={**os.environ, **cloud.env}).returncode == 0
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
