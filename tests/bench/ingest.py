"""Ingest against Telegraf: the same payloads, the same Mosquitto, the same InfluxDB, one run.

Each takes every message of a set, writes equal points (checked by count and by value) and
is charged the processor time of its own process. Telegraf parses with json_v2 and
acknowledges to the broker; Vigil validates, writes, keeps watermarks and dead letters in
SQLite, and sends receipts. The two take turns, so that a busy machine is busy for both.

Packs carry absolute times (``bt`` 0), because json_v2 cannot add a base time; a set as the
edge really sends it (times relative to ``bt``) is measured for Vigil alone.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import paho.mqtt.client as mqtt
from influxdb_client.client.influxdb_client import InfluxDBClient
from paho.mqtt.enums import CallbackAPIVersion

import servers
from gateways import WATER
from vigil_cloud.timeseries.influx import InfluxTimeSeries
from vigil_cloud.timeseries.port import Series
from vigil_cloud.timeseries.sqlite import SqliteTimeSeries
from vigil_schemas.contract import observation_type
from vigil_schemas.envelope import encode
from vigil_schemas.senml import Reading, SenmlRecord, microseconds, pack
from vigil_schemas.types import QartodFlag

GATEWAYS = 20
ROUNDS = int(os.environ.get("VIGIL_BENCH_ROUNDS", "3"))
TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP = 40
LOADED_S = 5.0


@dataclass(frozen=True)
class Load:
    """A set of messages: ``records`` readings in each."""

    name: str
    records: int
    messages: int
    relative: bool = False

    @property
    def points(self) -> int:
        return self.records * self.messages


LOADS = (
    Load("pack70", 70, 3000),
    Load("pack7", 7, 12_000),
    Load("pack200", 200, 1000),
)
AS_SENT = Load("pack70_as_sent", 70, 3000, relative=True)


def payloads(load: Load, run: str, start: datetime) -> list[tuple[str, bytes]]:
    """Topics and messages of one run; devices are the run's own, sequences gapless per gateway."""
    steps = -(-load.records // len(WATER))
    made = []
    for number in range(load.messages):
        gateway = f"{run}-{number % GATEWAYS:02d}"
        device = f"sonde-{gateway}"
        turn = number // GATEWAYS
        first = start + turn * steps * timedelta(seconds=1)
        readings = [
            Reading(
                parameter,
                unit,
                first + timedelta(seconds=n // 7),
                round(10 + (turn * 13 + n) % 1000 / 37, 4),
                QartodFlag.GOOD,
            )
            for n, (parameter, unit) in zip(range(load.records), cycle(WATER), strict=False)
        ]
        records = pack(device, readings) if load.relative else absolute(device, readings)
        body = encode(
            id=uuid.uuid4().hex,
            source=f"/{gateway}/observation/abcdef01",
            type=observation_type("water"),
            subject=device,
            time=first,
            data=records,
            sequence=turn + 1,
        )
        made.append((f"vigil/v1/{gateway}/observation", body))
    return made


def absolute(device: str, readings: list[Reading]) -> list[SenmlRecord]:
    """The same pack with base time 0."""
    return [
        SenmlRecord(
            bn=f"urn:vigil:{device}:" if n == 0 else None,
            bt=0.0 if n == 0 else None,
            n=reading.parameter,
            u=reading.unit,
            t=microseconds(reading.time) / 1e6,
            v=reading.value,
            qf=reading.flag,
        )
        for n, reading in enumerate(readings)
    ]


class Publisher:
    """Feeds the broker; its processor time is nobody's."""

    def __init__(self, port: int) -> None:
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.max_inflight_messages_set(500)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def send(self, messages: list[tuple[str, bytes]]) -> None:
        for topic, body in messages:
            last = self.client.publish(topic, body, 1)
        last.wait_for_publish(120)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass
class Bucket:
    """One bucket of the one InfluxDB."""

    client: InfluxDBClient
    name: str

    def count(self, run: str) -> int:
        flux = (
            f'from(bucket: "{self.name}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
            f' |> filter(fn: (r) => r._measurement == "water" and r._field == "flag"'
            f" and r.gateway =~ /^{run}-/) |> count() |> group() |> sum()"
        )
        tables = self.client.query_api().query(flux)
        values = (record.values["_value"] for table in tables for record in table.records)
        return sum(int(value) for value in values)


def measure(
    publisher: Publisher,
    pid: int,
    load: Load,
    run: str,
    start: datetime,
    stored: Callable[[], int],
) -> tuple[float, float]:
    """Points per processor-second of the process, and points per second on the clock."""
    messages = payloads(load, run, start)
    cpu, began = cpu_seconds(pid), time.monotonic()
    publisher.send(messages)
    servers.eventually(lambda: pause(stored() >= load.points), f"all of {run} stored", 180)
    elapsed = time.monotonic() - began
    used = cpu_seconds(pid) - cpu
    found = stored()
    if found != load.points:
        raise RuntimeError(f"{run}: {found} points stored, {load.points} sent")
    return load.points / used, load.points / elapsed


def pause(done: bool) -> bool:
    """Asking costs InfluxDB time that the measured ones could use: not too often."""
    if not done:
        time.sleep(0.3)
    return done


TELEGRAF = """
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 1000000
  precision = "1us"
  omit_hostname = true
  quiet = true
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "telegraf"
  content_encoding = "identity"
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["vigil/v1/+/observation"]
  qos = 1
  topic_tag = ""
  max_undelivered_messages = 1000
  client_id = "telegraf"
  data_format = "json_v2"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "vigil/v1/+/observation"
    tags = "_/_/gateway/_"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "water"
    [[inputs.mqtt_consumer.json_v2.tag]]
      path = "subject"
      rename = "device"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "data"
      timestamp_key = "t"
      timestamp_format = "unix"
      tags = ["n"]
      excluded_keys = ["bn", "bt", "u"]
      [inputs.mqtt_consumer.json_v2.object.renames]
        n = "parameter"
        v = "value"
        qf = "flag"
      [inputs.mqtt_consumer.json_v2.object.fields]
        v = "float"
        qf = "int"
"""


def start_telegraf(
    folder: Path, broker: servers.Mosquitto, influx: servers.Influx
) -> servers.Server:
    program = servers.need("telegraf", "install Telegraf or set VIGIL_SERVERS")
    config = folder / "telegraf.conf"
    config.write_text(
        TELEGRAF.format(url=influx.url, token=influx.token, org=influx.org, port=broker.port)
    )
    log = folder / "telegraf.log"
    server = servers.Server("telegraf", [str(program), "--config", str(config)], lambda: True, log)
    server.start()
    return server


def start_vigil(
    folder: Path, broker: servers.Mosquitto, influx: servers.Influx | None
) -> servers.Server:
    env = {
        "VIGIL_DEMO": "true",
        "VIGIL_DATA_DIR": str(folder),
        "VIGIL_BROKER_URL": broker.url,
        "VIGIL_LOG_LEVEL": "info",
    }
    if influx is not None:
        env |= {
            "VIGIL_TIMESERIES": "influxdb",
            "VIGIL_INFLUX_URL": influx.url,
            "VIGIL_INFLUX_ORG": influx.org,
            "VIGIL_INFLUX_BUCKET": influx.bucket,
            "VIGIL_INFLUX_TOKEN": influx.token,
        }
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "ingest.log"
    server = servers.Server(
        "ingest",
        [sys.executable, "-m", "vigil_cloud.cli", "ingest"],
        lambda: log.exists() and log.read_text().count('"event": "subscribed"') >= 3,
        log,
        env=env,
    )
    server.start()
    return server


def same_points(influx: servers.Influx, runs: tuple[str, str], load: Load, start: datetime) -> None:
    """That one series of both stores holds the very same values. Raises ``RuntimeError``."""
    read = []
    for bucket, run in zip(("vigil", "telegraf"), runs, strict=True):
        store = InfluxTimeSeries(influx.url, org=influx.org, bucket=bucket, token=influx.token)
        series = Series("water", f"{run}-03", f"sonde-{run}-03", "specific_conductance")
        read.append(store.read(series, start, start + timedelta(days=1)))
        store.close()
    if not read[0] or read[0] != read[1]:
        raise RuntimeError(f"{load.name}: the two stored different points")


def versus_telegraf(
    folder: Path, broker: servers.Mosquitto, influx: servers.Influx, publisher: Publisher
) -> None:
    client = InfluxDBClient(url=influx.url, token=influx.token, org=influx.org, timeout=60_000)
    client.buckets_api().create_bucket(bucket_name="telegraf", org=influx.org)
    buckets = {"vigil": Bucket(client, "vigil"), "telegraf": Bucket(client, "telegraf")}
    start = (datetime.now(UTC) - timedelta(days=2)).replace(microsecond=0)
    figures: dict[str, list[tuple[float, float]]] = {}

    def turn(who: str, load: Load, number: int) -> str:
        run = f"{who[0]}{load.name.replace('_', '')}{number}"
        server = (
            start_vigil(folder / "cloud", broker, influx)
            if who == "vigil"
            else start_telegraf(folder, broker, influx)
        )
        bucket = buckets[who]
        try:
            warm = Load("warm", load.records, WARM_UP)
            servers.eventually(
                lambda: pause(warmed(publisher, warm, f"w{run}", start, bucket)), f"{who} answers"
            )
            # What either loads at its start, and each job's first turn, is no part of what a point
            # costs: of so short a run it was a third of the figure.
            time.sleep(LOADED_S)
            figure = measure(publisher, server.pid, load, run, start, lambda: bucket.count(run))
        finally:
            server.stop()
        figures.setdefault(f"{who} {load.name}", []).append(figure)
        return run

    for load in LOADS:
        for number in range(ROUNDS):
            order = ("vigil", "telegraf") if number % 2 == 0 else ("telegraf", "vigil")
            runs = {who: turn(who, load, number) for who in order}
            same_points(influx, (runs["vigil"], runs["telegraf"]), load, start)
        report(load, figures)
    turn("vigil", AS_SENT, 0)
    per_cpu, per_s = figures[f"vigil {AS_SENT.name}"][0]
    print(f"ingest {AS_SENT.name} vigil_points_per_cpu_s: {per_cpu:.0f}")
    print(f"ingest {AS_SENT.name} vigil_points_per_s: {per_s:.0f}", flush=True)
    client.close()


def warmed(publisher: Publisher, load: Load, run: str, start: datetime, bucket: Bucket) -> bool:
    """Whether a first few messages have arrived; sent again until the subscription stands."""
    if bucket.count(run) >= load.points:
        return True
    publisher.send(payloads(load, run, start))
    time.sleep(1.5)  # Telegraf flushes once a second
    return bucket.count(run) >= load.points


def report(load: Load, figures: dict[str, list[tuple[float, float]]]) -> None:
    ratios = [
        ours[0] / theirs[0]
        for ours, theirs in zip(
            figures[f"vigil {load.name}"], figures[f"telegraf {load.name}"], strict=True
        )
    ]
    for who in ("vigil", "telegraf"):
        runs = figures[f"{who} {load.name}"]
        per_cpu = statistics.median(run[0] for run in runs)
        per_s = statistics.median(run[1] for run in runs)
        print(f"ingest {load.name} {who}_points_per_cpu_s: {per_cpu:.0f}")
        print(f"ingest {load.name} {who}_points_per_s: {per_s:.0f}")
    print(f"ingest {load.name} ratio_to_telegraf_per_cpu_s: {statistics.median(ratios):.2f}")
    print(f"ingest {load.name} ratios: {json.dumps([round(r, 2) for r in ratios])}", flush=True)


def into_sqlite(folder: Path, broker: servers.Mosquitto, publisher: Publisher) -> None:
    """The embedded default, by itself."""
    start = (datetime.now(UTC) - timedelta(days=2)).replace(microsecond=0)
    server = start_vigil(folder / "sqlite", broker, None)
    store = SqliteTimeSeries(folder / "sqlite" / "timeseries.sqlite3")

    def stored(run: str) -> int:
        return sum(
            store.count(series, start, start + timedelta(days=1))
            for number in range(GATEWAYS)
            for series in store.series(f"sonde-{run}-{number:02d}")
        )

    warm = Load("warm", AS_SENT.records, WARM_UP, relative=True)
    try:
        # What it loads at its start is no part of what a point costs.
        measure(publisher, server.pid, warm, "w", start, lambda: stored("w"))
        time.sleep(LOADED_S)
        per_cpu, per_s = measure(publisher, server.pid, AS_SENT, "s", start, lambda: stored("s"))
    finally:
        server.stop()
        store.close()
    print(f"ingest {AS_SENT.name} sqlite_points_per_cpu_s: {per_cpu:.0f}")
    print(f"ingest {AS_SENT.name} sqlite_points_per_s: {per_s:.0f}", flush=True)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        broker = servers.mosquitto(folder / "broker")
        publisher = Publisher(broker.port)
        influx: servers.Influx | None = None
        try:
            into_sqlite(folder, broker, publisher)
            influx = servers.influxd(folder / "influx")
            versus_telegraf(folder, broker, influx, publisher)
        finally:
            publisher.close()
            if influx is not None:
                influx.stop()
            broker.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
