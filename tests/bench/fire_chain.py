"""From an alarm's message to the home's screen, and to 119's endpoint once two detectors agree.

Twelve homes, each with its coordinator's topics, its gateway and a resident who has a live stream
open; one broker, one ``vigil-cloud serve``, one stand-in for 119 that takes CAP 1.2 over HTTP. In
each round an alarm of every home goes off at a random moment, and a second one of the same home a
few seconds later, within the time in which the home is asked. Each round uses alarms of its own:
nothing is a repetition. The clock of one machine stamps all ends: the publish at the coordinator,
the arrival of the server-sent event, the arrival of the CAP message.
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
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

import servers
from bench.latency import payload, ready
from faults.city import BIN, DEMO, Process
from vigil_cloud.emergency.cap import NAMESPACE

HOMES: Final = int(os.environ.get("VIGIL_HOMES", "12"))
ROUNDS: Final = int(os.environ.get("VIGIL_ROUNDS", "20"))
SPREAD_S: Final = 4.0
"""Of a round's first alarms."""
SECOND_S: Final = (2.0, 6.0)
"""From a home's first alarm to its second one: the home is being asked."""
PASSWORD: Final = "bench-password-of-one-run"
WARM: Final = "warm"
"""A device of each home that is no part of a round."""


def alarm(home: int, name: str) -> str:
    return f"smoke-{home:02d}-{name}"


def names() -> list[str]:
    return [WARM, *(f"{number}-{part}" for number in range(ROUNDS) for part in "ab")]


def configuration(home: int, folder: Path, broker: str, coordinator: str) -> Path:
    """One home's gateway."""
    lines = [
        f'[gateway]\nid = "gw-{home:02d}"\ndata_dir = "{folder}/gw-{home:02d}"',
        f'[cloud]\nbroker = "{broker}"',
        f'[[smoke]]\ndevice = "home-{home:02d}"\ndriver = "zigbee2mqtt"\n'
        f'broker = "{coordinator}"\nbase_topic = "zigbee2mqtt-{home:02d}"',
    ]
    lines += [
        f'[[smoke.alarm]]\nfriendly_name = "{name}"\ndevice = "{alarm(home, name)}"'
        for name in names()
    ]
    path = folder / f"gw-{home:02d}.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def seeds() -> str:
    """Who leads, and the homes with their residents."""
    lines = [_account("bench", "dispatcher")]
    for home in range(HOMES):
        key = f"home-{home:02d}"
        devices = json.dumps([alarm(home, name) for name in names()])
        lines.append(_account(key, "family"))
        lines.append(
            f'[[household]]\nkey = "{key}"\nname = "Home {home}"\naddress = "{home} Bench Road"\n'
            f"latitude = 23.48\nlongitude = 120.44\ndevices = {devices}"
        )
        lines.append(f'[[member]]\nhousehold = "{key}"\naccount = "{key}"')
    return "\n".join(lines) + "\n"


def _account(name: str, role: str) -> str:
    return (
        f'[[account]]\nusername = "{name}"\npassword = "{PASSWORD}"\nroles = ["{role}"]\n'
        f'display_name = "{name}"\nemail = ""'
    )


class Screen(threading.Thread):
    """A resident's live stream: when each alert was first heard of, by its device."""

    def __init__(self, url: str, home: int) -> None:
        super().__init__(daemon=True)
        self.shown: dict[str, float] = {}
        self.fires: set[str] = set()
        self._client = signed_in(url, f"home-{home:02d}")

    def run(self) -> None:
        # The bench ends by stopping the cloud under its readers.
        with contextlib.suppress(httpx.TransportError), self._client.stream("GET", "/stream") as s:
            kind = ""
            for line in s.iter_lines():
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:") and kind == "alert":
                    self.shown.setdefault(json.loads(line[5:])["device"], time.time())
                elif line.startswith("data:") and kind == "fire":
                    self.fires.add(json.loads(line[5:])["fire"])


class Line:
    """119: takes CAP, and remembers when which message came first."""

    def __init__(self) -> None:
        self.received: dict[str, float] = {}
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = self.rfile.read(int(self.headers["Content-Length"]))
                root = ET.fromstring(told)
                if root.findtext(f"{{{NAMESPACE}}}msgType") == "Alert":
                    name = root.findtext(f"{{{NAMESPACE}}}identifier") or ""
                    line.received.setdefault(name, time.time())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/cap"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of_fires(self, fires: set[str]) -> list[float]:
        """When messages of these fires came, the first of each fire."""
        found: dict[str, float] = {}
        for name, at in self.received.items():
            for fire in fires:
                if fire in name:
                    found[fire] = min(at, found.get(fire, at))
        return sorted(found.values())


def signed_in(url: str, name: str) -> httpx.Client:
    client = httpx.Client(base_url=f"{url}/api/v1", timeout=None)
    said = client.post("/session", json={"username": name, "password": PASSWORD})
    client.headers["X-CSRF-Token"] = said.raise_for_status().json()["csrf"]
    return client


@dataclass
class Run:
    """What is driven, and what was measured."""

    coordinator: mqtt.Client
    screens: list[Screen]
    line: Line
    leads: httpx.Client
    rng: random.Random
    screen_s: list[float] = field(default_factory=list)
    line_s: list[float] = field(default_factory=list)

    def say(self, home: int, name: str, smoke: bool) -> float:
        at = time.time()
        self.coordinator.publish(f"zigbee2mqtt-{home:02d}/{name}", payload(smoke), 1)
        return at

    def round(self, number: int) -> None:
        """Every home burns once."""
        due: list[tuple[float, int, str]] = []
        for home in range(HOMES):
            first = self.rng.uniform(0, SPREAD_S)
            due.append((first, home, f"{number}-a"))
            due.append((first + self.rng.uniform(*SECOND_S), home, f"{number}-b"))
        before = [set(screen.fires) for screen in self.screens]
        began, sent = time.monotonic(), dict[tuple[int, str], float]()
        for after, home, call in sorted(due):
            time.sleep(max(0.0, began + after - time.monotonic()))
            sent[home, call] = self.say(home, call, True)
        servers.eventually(lambda: all(self._called(before)), "every call to 119", 90)
        for home, screen in enumerate(self.screens):
            earlier, later = f"{number}-a", f"{number}-b"
            self.screen_s.append(screen.shown[alarm(home, earlier)] - sent[home, earlier])
            (at,) = self.line.of_fires(screen.fires - before[home])
            self.line_s.append(at - sent[home, later])
            for name in (earlier, later):
                self.say(home, name, False)
        self._end()

    def _called(self, before: list[set[str]]) -> list[bool]:
        return [
            len(self.line.of_fires(screen.fires - earlier)) == 1
            for screen, earlier in zip(self.screens, before, strict=True)
        ]

    def _end(self) -> None:
        """Whoever leads ends every fire."""
        time.sleep(1)
        for fire in self.leads.get("/smoke/fires").raise_for_status().json()["fires"]:
            if fire["phase"] == "over":
                continue
            for what in ("acknowledge", "stand-down"):
                path = f"/smoke/fires/{fire['fire']}/lead/{what}"
                self.leads.post(path, json={}).raise_for_status()


def drive(url: str, coordinator: servers.Mosquitto, line: Line, seed: int) -> Run:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", coordinator.port)
    client.loop_start()
    screens = [Screen(url, home) for home in range(HOMES)]
    for screen in screens:
        screen.start()
    run = Run(client, screens, line, signed_in(url, "bench"), random.Random(seed))
    for home, screen in enumerate(screens):

        def heard(home: int = home, screen: Screen = screen) -> bool:
            run.say(home, WARM, True)
            time.sleep(0.2)
            return alarm(home, WARM) in screen.shown

        servers.eventually(heard, f"gateway {home}", 120)
        run.say(home, WARM, False)
    run._end()
    for number in range(ROUNDS):
        run.round(number)
    client.disconnect()
    client.loop_stop()
    return run


def main() -> int:
    seed = int(os.environ.get("VIGIL_SEED", "20261127"))
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder, line = Path(name), Line()
        broker = servers.mosquitto(folder / "broker")
        coordinator = servers.mosquitto(folder / "coordinator")
        port = servers.free_port()
        env = {
            **DEMO,
            "VIGIL_DATA_DIR": str(folder / "cloud"),
            "VIGIL_BROKER_URL": broker.url,
            "VIGIL_HTTP_PORT": str(port),
            "VIGIL_EMERGENCY_URL": line.url,
        }
        (folder / "seed.toml").write_text(seeds(), "utf-8")
        cloud = [str(BIN / "vigil-cloud")]
        subprocess.run(
            [*cloud, "seed", str(folder / "seed.toml")], env={**os.environ, **env}, check=True
        )
        processes = [Process("cloud", [*cloud, "serve"], folder / "cloud.log", env)]
        for home in range(HOMES):
            path = configuration(home, folder, broker.url, coordinator.url)
            command = [str(BIN / "vigil-edge"), "run", "--config", str(path)]
            processes.append(Process(f"gw-{home:02d}", command, folder / f"gw-{home}.log"))
        try:
            for process in processes:
                process.start()
            url = f"http://127.0.0.1:{port}"
            servers.eventually(lambda: ready(url), "the cloud", 90)
            run = drive(url, coordinator, line, seed)
        finally:
            for process in reversed(processes):
                process.stop()
            broker.stop()
            coordinator.stop()
            line.close()
    print(f"fire_chain_fires: {len(run.screen_s)}")
    for label, found in (("screen", run.screen_s), ("119_two_detectors", run.line_s)):
        for word, value in (
            ("p50", np.percentile(found, 50)),
            ("p99", np.percentile(found, 99)),
            ("max", max(found)),
        ):
            print(f"fire_chain_{label}_{word}_s: {value:.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
