"""The newest reading on open screens: one device reads ten times a second, fifty others once.

``vigil-cloud serve`` with its embedded stores and broker; readings over MQTT, screens as event
streams over HTTP. The clock of one machine stamps both ends. For each reading of the fast device,
``lag``: from its publish until a screen showed it or a newer one; ``age``: how old the newest that
a screen shows is, looked at ten times a second.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np

import servers
from bench.latency import ready
from faults.city import BIN, DEMO, Process
from gateways import EPOCH, Gateway
from vigil_schemas import water
from vigil_schemas.contract import observation_type
from vigil_schemas.envelope import encode
from vigil_schemas.senml import Reading, pack
from vigil_schemas.types import QartodFlag

SECONDS = float(os.environ.get("VIGIL_BENCH_SECONDS", "30"))
RATE = 10.0
OTHERS = 50
SESSIONS, STREAMS = 5, 6
PASSWORD = "bench-password-of-one-run"


class Screen(threading.Thread):
    """One open stream; remembers what it shows of the fast device, and since when."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__(daemon=True)
        self._client = client
        self.shown: list[tuple[float, int]] = []

    def run(self) -> None:
        with contextlib.suppress(httpx.TransportError), self._client.stream("GET", "/stream") as s:
            kind = ""
            for line in s.iter_lines():
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:") and kind == "reading":
                    news = json.loads(line[5:])
                    if news["device"] == "fast":
                        self.shown.append((time.time(), int(news["values"]["orp"]["v"])))


def reading(gateway: str, number: int, device: str, value: float) -> bytes:
    at = datetime.now(UTC)
    return encode(
        id=uuid.uuid4().hex,
        source=f"/{gateway}/observation/{EPOCH}",
        type=observation_type(water.DOMAIN),
        subject=device,
        time=at,
        data=pack(device, [Reading("orp", "mV", at, value, QartodFlag.GOOD)]),
        sequence=number,
    )


def drive(gateway: Gateway, screens: list[Screen]) -> dict[int, float]:
    """When each reading of the fast device was published (Unix seconds)."""
    numbers = itertools.count(1)
    others = itertools.cycle(range(OTHERS))
    sent: dict[int, float] = {}

    def publish(device: str, value: int) -> None:
        gateway.publish("observation", reading(gateway.name, next(numbers), device, value))

    def all_show() -> bool:
        publish("fast", 0)
        return all(one.shown for one in screens)

    servers.eventually(all_show, "screens")
    began = time.monotonic()
    for value in range(1, round(SECONDS * RATE) + 1):
        sent[value] = time.time()
        publish("fast", value)
        for _ in range(round(OTHERS / RATE)):
            publish(f"slow-{next(others)}", value)
        time.sleep(max(0.0, began + value / RATE - time.monotonic()))
    last = max(sent)
    servers.eventually(lambda: all(one.shown[-1][1] == last for one in screens), "the last", 30)
    return sent


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        http, mqtt = servers.free_port(), servers.free_port()
        env = {
            **DEMO,
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_BROKER_LISTEN": f"127.0.0.1:{mqtt}",
            "VIGIL_HTTP_PORT": str(http),
        }
        seeds = folder / "seed.toml"
        seeds.write_text(
            f'[[account]]\nusername = "bench"\npassword = "{PASSWORD}"\nroles = ["inspector"]\n'
            'display_name = "Bench"\nemail = ""\n',
            "utf-8",
        )
        cloud = [str(BIN / "vigil-cloud")]
        subprocess.run([*cloud, "seed", str(seeds)], env={**os.environ, **env}, check=True)
        process = Process("cloud", [*cloud, "serve"], folder / "cloud.log", env)
        try:
            process.start()
            url = f"http://127.0.0.1:{http}"
            servers.eventually(lambda: ready(url), "the cloud")
            screens = _open(url)
            gateway = Gateway(mqtt)
            sent = drive(gateway, screens)
            gateway.close()
        finally:
            process.stop()
    _tell(sent, screens)
    return 0


def _open(url: str) -> list[Screen]:
    screens = []
    for _ in range(SESSIONS):
        client = httpx.Client(base_url=f"{url}/api/v1", timeout=None, trust_env=False)
        client.post("/session", json={"username": "bench", "password": PASSWORD}).raise_for_status()
        screens += [Screen(client) for _ in range(STREAMS)]
    for screen in screens:
        screen.start()
    return screens


def _tell(sent: dict[int, float], screens: list[Screen]) -> None:
    lags, ages, backwards = [], [], 0
    for screen in screens:
        values = [value for _, value in screen.shown]
        backwards += sum(later < before for before, later in itertools.pairwise(values))
        shown = iter(screen.shown)
        at, value = next(shown)
        for number, published in sent.items():
            while value < number:
                at, value = next(shown)
            lags.append(at - published)
        for look in np.arange(min(sent.values()) + 1, max(sent.values()), 0.1):
            newest = max(value for at, value in screen.shown if at <= look)
            missing = [published for number, published in sent.items() if number > newest]
            ages.append(max(0.0, look - min(missing)) if missing and min(missing) < look else 0.0)
    print(f"screen streams: {len(screens)}")
    print(f"screen readings_per_s: {RATE + OTHERS:.0f}")
    print(f"screen readings: {len(sent)}")
    print(f"screen lag_p50_ms: {np.percentile(lags, 50) * 1000:.0f}")
    print(f"screen lag_p99_ms: {np.percentile(lags, 99) * 1000:.0f}")
    print(f"screen lag_max_ms: {max(lags) * 1000:.0f}")
    print(f"screen behind_the_newest_max_ms: {max(ages) * 1000:.0f}")
    print(f"screen went_backwards: {backwards}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
