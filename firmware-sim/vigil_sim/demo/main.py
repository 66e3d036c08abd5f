"""``vigil-sim demo``: set the whole system up, play a night, show what people would see."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final

import httpx

from vigil_schemas.errors import VigilError
from vigil_schemas.types import isoformat_utc
from vigil_sim import scenario
from vigil_sim.demo import accounts
from vigil_sim.demo.night import DOMAINS, Arrived, Console, Night, checked_evidence, watch
from vigil_sim.demo.processes import Children, DemoFailed, free_port, program
from vigil_sim.demo.servers import Influx, start_influxdb, start_mosquitto

START_TIMEOUT_S: Final = 90.0
EVIDENCE_TIMEOUT_S: Final = 60.0
_ICONS: Final = {"noise": "🔊", "water": "💧", "checkin": "📿", "smoke": "🔥"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    scenario: str
    speed: float | None
    broker: str
    timeseries: str
    port: int | None
    directory: Path | None
    check: bool


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``demo``."""
    parser = commands.add_parser("demo", help="the whole system on this machine, playing a night")
    parser.add_argument("--scenario", default="city-night")
    parser.add_argument("--speed", type=float, help="world seconds per second (the scenario's own)")
    parser.add_argument("--broker", choices=("embedded", "mosquitto"), default="embedded")
    parser.add_argument("--timeseries", choices=("sqlite", "influxdb"), default="sqlite")
    parser.add_argument("--port", type=int, help="of the web page (8400, or a free one)")
    parser.add_argument("--dir", dest="directory", type=Path, help="keep everything in this folder")
    parser.add_argument("--check", action="store_true", help="end after the four alerts")
    parser.set_defaults(run=run)


def _say(text: str) -> None:
    print(text, flush=True)


class Demo:
    """One run: processes, addresses, and what has arrived."""

    def __init__(self, options: Options, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.scenario = scenario.load(options.scenario)
        self.children = Children(directory / "logs")
        self.night = Night()
        self.influx: Influx | None = None
        self.url = ""
        self.began = time.monotonic()

    def step(self, text: str) -> None:
        """One line of progress."""
        _say(f"vigil: [{time.monotonic() - self.began:5.1f} s] {text}")

    def set_up(self) -> None:
        """Start everything up to gateways that the cloud sees online."""
        broker_url = self._start_stores()
        tokens = {gateway.id: secrets.token_urlsafe(24) for gateway in self.scenario.gateway}
        self._start_cloud(broker_url, tokens)
        self._start_city(tokens)
        self._start_gateways()

    def _start_stores(self) -> str | None:
        broker_url = None
        if self.options.broker == "mosquitto":
            self.step("starting Mosquitto")
            broker_url = start_mosquitto(self.children, self.directory / "mosquitto")
        if self.options.timeseries == "influxdb":
            self.step("starting InfluxDB")
            token = secrets.token_urlsafe(24)
            self.influx = start_influxdb(self.children, self.directory / "influxdb", token)
        return broker_url

    def _start_cloud(self, broker_url: str | None, tokens: dict[str, str]) -> None:
        expires = isoformat_utc(datetime.now(UTC) + timedelta(days=30))
        seed = self.directory / "seed.toml"
        seed.write_text(accounts.seed(tokens, self.scenario.person, expires), "utf-8")
        seed.chmod(0o600)
        listen = f"127.0.0.1:{free_port(1883)}"
        self.broker = broker_url or f"mqtt://{listen}"
        port = free_port(self.options.port or 8400)
        if self.options.port and port != self.options.port:
            raise DemoFailed(f"port {self.options.port} is taken; choose another with --port")
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "VIGIL_DEMO": "true",
            "VIGIL_DATA_DIR": str(self.directory / "cloud"),
            "VIGIL_HTTP_PORT": str(port),
            "VIGIL_BROKER_URL": broker_url or "embedded",
            "VIGIL_BROKER_LISTEN": listen,
            "VIGIL_PUBLIC_URL": self.url,
            **(self.influx.environment() if self.influx else {}),
        }
        self.step("starting the cloud (ingest, alerts, web pages)")
        cloud = program("vigil-cloud")
        seeding = self.children.start("seed", [cloud, "seed", str(seed)], environment=environment)
        if seeding.wait(START_TIMEOUT_S) != 0:
            self.children.check()
        self.children.forget("seed")
        self.children.start("cloud", [cloud, "serve"], environment=environment)
        self._wait("the cloud", lambda: httpx.get(f"{self.url}/readyz", timeout=5).is_success)

    def _start_city(self, tokens: dict[str, str]) -> None:
        self.step(f"building the city of “{self.scenario.title}” {self.scenario.title_zh}")
        token_file = self.directory / "tokens.toml"
        token_file.write_text(
            "".join(f'"{gateway}" = "{token}"\n' for gateway, token in tokens.items()), "utf-8"
        )
        token_file.chmod(0o600)
        command = [program("vigil-sim"), "play", self.options.scenario, "--wait"]
        command += ["--dir", str(self.directory / "city"), "--tokens", str(token_file)]
        command += ["--broker", self.broker, "--cloud-url", self.url]
        if self.options.speed is not None:
            command += ["--speed", str(self.options.speed)]
        self.city = self.children.start("city", command, piped=True)
        self._city_says("ready")
        self.layout: dict[str, Any] = json.loads(
            (self.directory / "city" / "city.json").read_text("utf-8")
        )

    def _city_says(self, kind: str) -> dict[str, Any]:
        """The city's next line, which must be of this kind."""
        assert self.city.stdout is not None  # noqa: S101 - it was started with pipes
        line = self.city.stdout.readline()
        if not line:
            time.sleep(0.2)
            self.children.check()
            raise DemoFailed(f"the city went silent before {kind!r}; see the log of city")
        said: dict[str, Any] = json.loads(line)
        return said

    def _start_gateways(self) -> None:
        for gateway in self.scenario.gateway:
            self.step(f"starting gateway {gateway.id} ({gateway.name_zh} {gateway.name})")
            environment = self.layout.get("env", {}).get(gateway.id, {})
            configuration = self.directory / "city" / "gateways" / f"{gateway.id}.toml"
            command = [program("vigil-edge"), "run", "--config", str(configuration)]
            self.children.start(gateway.id, command, environment=environment)
        wanted = {gateway.id for gateway in self.scenario.gateway}
        admin = Console(self.url, "admin")
        self._wait("the gateways", lambda: admin.online() >= wanted)

    def _wait(self, what: str, ready: Any) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            self.children.check()
            try:
                if ready():
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise DemoFailed(f"{what} did not come up within {START_TIMEOUT_S:.0f} s")
            time.sleep(0.2)

    def tell(self, arrived: Arrived) -> None:
        """Show one alert in the console."""
        alert = arrived.alert
        _say(
            f"\n  {_ICONS[alert['domain']]}  {alert['title_zh']}  |  {alert['title']}\n"
            f"      {self.url}/alerts/{alert['id']}\n"
        )

    def play(self) -> None:
        """The night itself, until all four alerts are here with their evidence."""
        console = Console(self.url, "duty")
        watch(console, self.night, self.tell)
        speed = self.options.speed or self.scenario.speed
        length = self.scenario.duration_s / speed
        self.step(
            f"the night begins: {self.scenario.duration_s:.0f} s of the city in {length:.0f} s"
            f" (speed {speed:g}; sounds and pictures always in real time)"
        )
        assert self.city.stdin is not None  # noqa: S101 - it was started with pipes
        self.city.stdin.write(b"begin\n")
        self.city.stdin.flush()
        deadline = time.monotonic() + length + 90
        while len(self.night.arrived) < len(DOMAINS):
            self.children.check()
            if time.monotonic() > deadline:
                lost = [domain for domain in DOMAINS if domain not in self.night.arrived]
                raise DemoFailed(f"no alert arrived for: {', '.join(lost)}")
            time.sleep(0.1)
        self._verify(console)

    def _verify(self, console: Console) -> None:
        noise = self.night.arrived["noise"].alert
        roles = checked_evidence(console, noise["id"], time.monotonic() + EVIDENCE_TIMEOUT_S)
        missing = {"audio", "video", "plate", "levels"} - set(roles)
        if missing:
            raise DemoFailed(f"the sealed evidence lacks: {', '.join(sorted(missing))}")
        self.step(f"sealed evidence arrived, every digest right: {', '.join(roles)}")
        if self.influx is not None:
            for domain in ("noise", "water"):
                device = self.night.arrived[domain].alert["device"]
                count = self.influx.points(domain, device)
                if not count:
                    raise DemoFailed(f"InfluxDB holds no readings of {device}")
                self.step(f"read back from InfluxDB: {count} readings of {device}")
        for domain in DOMAINS:
            _say(f"alert: {domain} {self.night.arrived[domain].seconds:.2f}")

    def stay(self) -> None:
        """Leave everything running for people to look at."""
        _say("")
        _say(f"vigil: the night has been played. Open  {self.url}")
        _say(f"vigil: accounts (password {accounts.PASSWORD}):")
        for account in accounts.ACCOUNTS:
            _say(f"         {account.username:<11} {account.display_name}")
        _say("vigil: Ctrl-C ends everything")
        while True:
            self.children.check()
            time.sleep(0.5)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 when all went well, 1 with a reason otherwise, 130 after Ctrl-C."""
    options = Options(
        arguments.scenario,
        arguments.speed,
        arguments.broker,
        arguments.timeseries,
        arguments.port,
        arguments.directory,
        arguments.check,
    )
    # Also where a shell started us in the background and had SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # Short, because a Unix socket's path (the private D-Bus) may have 107 bytes only.
    directory = options.directory or Path(tempfile.mkdtemp(prefix="vigil-"))
    directory.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    demo: Demo | None = None
    code = 1
    try:
        demo = Demo(options, directory.resolve())
        demo.set_up()
        _say(
            f"vigil: the page is open on  {demo.url}  (account duty, password {accounts.PASSWORD})"
        )
        demo.play()
        code = 0
        if not options.check:
            demo.stay()
    except VigilError as error:
        code = 1
        print(f"vigil: {error.code}: {error}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        code = 130 if code else 0
        _say("\nvigil: stopping")
    finally:
        if demo is not None:
            demo.children.stop()
        if options.directory is None and code == 0:
            shutil.rmtree(directory, ignore_errors=True)
        elif code:
            _say(f"vigil: logs are in {directory / 'logs'}")
    if code == 0:
        _say("vigil: demo finished, everything is stopped")
    return code
