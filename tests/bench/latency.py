"""From a device's message to the alert on a signed-in reader's live stream, at 200 devices.

Twenty gateways with ten Zigbee smoke alarms each; alarms go off at seeded random
moments while every device keeps reporting its battery and link. The clock of one
machine stamps both ends: the publish at the simulated coordinator, and the arrival
of the server-sent event at the reader.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

import servers
from faults.city import BIN, DEMO, Process

GATEWAYS = 20
ALARMS = 10
EVENTS = 600
EVENTS_PER_S = 8.0
PASSWORD = "bench-password-of-one-run"


def configuration(gateway: int, folder: Path, broker: str, home: str) -> Path:
    """One gateway with ten alarms on a coordinator of its own."""
    lines = [
        f'[gateway]\nid = "gw-{gateway:02d}"\ndata_dir = "{folder}/gw-{gateway:02d}"',
        f'[cloud]\nbroker = "{broker}"',
        f'[[smoke]]\ndevice = "home-{gateway:02d}"\ndriver = "zigbee2mqtt"\n'
        f'broker = "{home}"\nbase_topic = "zigbee2mqtt-{gateway:02d}"',
    ]
    lines += [
        f'[[smoke.alarm]]\nfriendly_name = "alarm-{alarm}"\ndevice = "smoke-{gateway:02d}-{alarm}"'
        for alarm in range(ALARMS)
    ]
    path = folder / f"gw-{gateway:02d}.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def payload(smoke: bool) -> bytes:
    """As Zigbee2MQTT publishes an IAS smoke sensor."""
    state = {"smoke": smoke, "battery": 97, "battery_low": False, "tamper": False}
    return json.dumps(state | {"test": False, "linkquality": 120}).encode()


class Reader(threading.Thread):
    """A dispatcher with the live stream open."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.arrived: dict[tuple[str, int], float] = {}
        self.seen: dict[str, int] = {}
        self._ids: set[str] = set()
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=None)
        self._http.post(
            "/session", json={"username": "bench", "password": PASSWORD}
        ).raise_for_status()

    def run(self) -> None:
        # The bench ends by stopping the cloud under its reader.
        with contextlib.suppress(httpx.TransportError):
            self._follow()

    def _follow(self) -> None:
        with self._http.stream("GET", "/stream") as stream:
            kind = ""
            for line in stream.iter_lines():
                now = time.time()
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:") and kind == "alert":
                    alert = json.loads(line[5:])
                    if alert["id"] not in self._ids:
                        self._ids.add(alert["id"])
                        count = self.seen.get(alert["device"], 0)
                        self.arrived[alert["device"], count] = now
                        self.seen[alert["device"]] = count + 1


def drive(home: servers.Mosquitto, reader: Reader, seed: int) -> dict[tuple[str, int], float]:
    """Set alarms off at random moments; returns when each was published (Unix seconds)."""
    random_ = random.Random(seed)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", home.port)
    client.loop_start()
    names = [(gateway, alarm) for gateway in range(GATEWAYS) for alarm in range(ALARMS)]
    sent: dict[tuple[str, int], float] = {}
    for round_ in range(EVENTS // len(names)):
        for gateway, alarm in random_.sample(names, len(names)):
            topic = f"zigbee2mqtt-{gateway:02d}/alarm-{alarm}"
            other = random_.choice(names)
            client.publish(f"zigbee2mqtt-{other[0]:02d}/alarm-{other[1]}-idle", payload(False), 1)
            sent[f"smoke-{gateway:02d}-{alarm}", round_] = time.time()
            client.publish(topic, payload(True), 1)
            time.sleep(random_.expovariate(EVENTS_PER_S))
        servers.eventually(lambda: len(reader.arrived) >= len(sent), "every alert", 60)
        for gateway, alarm in names:
            client.publish(f"zigbee2mqtt-{gateway:02d}/alarm-{alarm}", payload(False), 1)
        time.sleep(2)
    client.disconnect()
    client.loop_stop()
    return sent


def main() -> int:
    seed = int(os.environ.get("VIGIL_SEED", "20261123"))
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        broker = servers.mosquitto(folder / "broker")
        home = servers.mosquitto(folder / "home")
        port = servers.free_port()
        env = {
            **DEMO,
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_BROKER_URL": broker.url,
            "VIGIL_HTTP_PORT": str(port),
        }
        seeds = folder / "seed.toml"
        seeds.write_text(
            f'[[account]]\nusername = "bench"\npassword = "{PASSWORD}"\nroles = ["dispatcher"]\n'
            'display_name = "Bench"\nemail = ""\n',
            "utf-8",
        )
        cloud = [str(BIN / "vigil-cloud")]
        subprocess.run([*cloud, "seed", str(seeds)], env={**os.environ, **env}, check=True)
        processes = [Process("cloud", [*cloud, "serve"], folder / "cloud.log", env)]
        for gateway in range(GATEWAYS):
            path = configuration(gateway, folder, broker.url, home.url)
            command = [str(BIN / "vigil-edge"), "run", "--config", str(path)]
            processes.append(Process(f"gw-{gateway:02d}", command, folder / f"gw-{gateway}.log"))
        try:
            for process in processes:
                process.start()
            url = f"http://127.0.0.1:{port}"
            servers.eventually(lambda: ready(url), "the cloud")
            reader = Reader(url)
            reader.start()
            _warm_up(home, reader)
            sent = drive(home, reader, seed)
        finally:
            for process in reversed(processes):
                process.stop()
            broker.stop()
            home.stop()
    lags = np.array([reader.arrived[key] - sent[key] for key in sent]) * 1000
    print(f"latency seed: {seed}")
    print(f"latency devices: {GATEWAYS * ALARMS}")
    print(f"latency events: {len(lags)}")
    for label, value in (
        ("p50_ms", np.percentile(lags, 50)),
        ("p99_ms", np.percentile(lags, 99)),
        ("max_ms", lags.max()),
    ):
        print(f"latency {label}: {value:.0f}")
    return 0


def ready(url: str) -> bool:
    """Whether the cloud there says so."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def _warm_up(home: servers.Mosquitto, reader: Reader) -> None:
    """Until every gateway listens: its first alarm goes off until it has been heard."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", home.port)
    client.loop_start()
    for gateway in range(GATEWAYS):
        topic = f"zigbee2mqtt-{gateway:02d}/alarm-0"

        def heard(gateway: int = gateway, topic: str = topic) -> bool:
            client.publish(topic, payload(True), 1)
            time.sleep(0.2)
            return f"smoke-{gateway:02d}-0" in reader.seen

        servers.eventually(heard, f"gateway {gateway}", 90)
        client.publish(topic, payload(False), 1)
    client.disconnect()
    client.loop_stop()
    time.sleep(2)
    reader.arrived.clear()
    reader.seen.clear()


if __name__ == "__main__":
    sys.exit(main())
