"""``vigil-sim demo``: set the whole system up, play a night, show what people would see."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import httpx

from vigil_schemas.errors import VigilError
from vigil_schemas.types import isoformat_utc
from vigil_sim import scenario, streets, toml_text
from vigil_sim.arguments import port, speed
from vigil_sim.demo import accounts
from vigil_sim.demo.around import Outside
from vigil_sim.demo.city_process import CityCommand, CityProcess
from vigil_sim.demo.findings import called_119, verify
from vigil_sim.demo.journeys import Asked, Player, add_arguments, asked
from vigil_sim.demo.night import Arrived, Console, Night, watch
from vigil_sim.demo.processes import (
    Children,
    DemoFailed,
    claim_port,
    interrupts,
    program,
    wait_until,
)
from vigil_sim.demo.servers import Influx, server, start_influxdb, start_mosquitto
from vigil_sim.emergency.line import PATH
from vigil_sim.push.service import Browser, PushService, Told

ALERT_TIMEOUT_S: Final = 90.0
"""After the timetable's end, for the last alert to arrive."""
PHONE_TIMEOUT_S: Final = 20.0
_NO_PROXY: Final = "127.0.0.1,localhost"


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
    journeys: Asked | None = None


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``demo``."""
    parser = commands.add_parser("demo", help="the whole system on this machine, playing a night")
    parser.add_argument("--scenario", default="city-night")
    parser.add_argument("--speed", type=speed, help="world seconds per second (the scenario's own)")
    parser.add_argument("--broker", choices=("embedded", "mosquitto"), default="embedded")
    parser.add_argument("--timeseries", choices=("sqlite", "influxdb"), default="sqlite")
    parser.add_argument("--port", type=port, help="of the web page (8400, or a free one)")
    parser.add_argument("--dir", dest="directory", type=Path, help="keep everything in this folder")
    parser.add_argument("--check", action="store_true", help="end after each domain's alert")
    add_arguments(parser)
    parser.set_defaults(run=run)


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError as error:
        # What is still buffered must not fail a second time at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise DemoFailed(f"nobody reads what is printed any more: {error}") from error


class Demo:
    """One run: processes, addresses, and what has arrived."""

    def __init__(self, options: Options, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.scenario = scenario.load(options.scenario)
        self.children = Children(directory / "logs", _local(os.environ))
        self.domains = {
            domain.key: domain
            for domain in self.scenario.domains
            if self.scenario.devices_of(domain.key)
        }
        self.happened: dict[str, list[dict[str, Any]]] = {}
        """What the timetable has told so far, by kind."""
        self.player = self._player(options.journeys)
        self.night = Night({key: d.alert for key, d in self.domains.items() if d.alert})
        self.influx: Influx | None = None
        self.broker_url = ""
        self.url = ""
        self.emergency_port = claim_port()
        self.phones = PushService(heard=self._phone_rings)
        """Of households: what their push service, which is ours here, hands on to them."""
        self._rung: list[Told] = []
        self.outside = Outside(
            self.scenario, self.children, self._signed_in, lambda: list(self.phones.told), self.rate
        )
        self.began = time.monotonic()

    @property
    def rate(self) -> float:
        """World seconds in one of ours."""
        return self.options.speed or self.scenario.speed

    def _player(self, journeys: Asked | None) -> Player | None:
        if journeys is None:
            return None
        return Player(
            journeys,
            self.scenario,
            self.directory,
            say=lambda words: self.step(f"  {words}"),
            between=self._follow_city,
            happened=self.happened,
        )

    def step(self, text: str) -> None:
        """One line of progress."""
        _say(f"vigil: [{time.monotonic() - self.began:5.1f} s] {text}")

    def set_up(self) -> None:
        """Start everything up to gateways that the cloud sees online."""
        self._start_stores()
        tokens = {gateway.id: secrets.token_urlsafe(24) for gateway in self.scenario.gateway}
        environment = self._addresses()
        # The city is drawn while the cloud starts: it needs only to know where that will be.
        self.step(f"building the city of “{self.scenario.title}” {self.scenario.title_zh}")
        for domain in self.domains.values():
            count = len(self.scenario.devices_of(domain.key))
            self.step(f"  {domain.icon} {domain.title_zh} {domain.title}: {count}")
        self.city = self._start_city(tokens)
        self.step("starting the cloud (ingest, alerts, web pages)")
        self._start_cloud(environment, tokens)
        self._start_gateways(self.city.ready())

    def _start_stores(self) -> None:
        """The servers that were asked for; if one is not installed, none is started."""
        wanted = {
            "mosquitto": self.options.broker == "mosquitto",
            "influxd": self.options.timeseries == "influxdb",
        }
        for name in [name for name, needed in wanted.items() if needed]:
            server(name)
        if wanted["mosquitto"]:
            self.step("starting Mosquitto")
            self.broker_url = start_mosquitto(self.children, self.directory / "mosquitto")
        if wanted["influxd"]:
            self.step("starting InfluxDB")
            token = secrets.token_urlsafe(24)
            self.influx = start_influxdb(self.children, self.directory / "influxdb", token)

    def _addresses(self) -> dict[str, str]:
        """Choose the cloud's ports; returns what its process is told."""
        chosen = claim_port(self.options.port or 8400)
        if self.options.port and chosen != self.options.port:
            raise DemoFailed(f"port {self.options.port} is taken; choose another with --port")
        self.url = f"http://127.0.0.1:{chosen}"
        environment = {
            "VIGIL_DEMO": "true",
            "VIGIL_DATA_DIR": str(self.directory / "cloud"),
            "VIGIL_HTTP_PORT": str(chosen),
            "VIGIL_PUBLIC_URL": self.url,
            "VIGIL_EMERGENCY_URL": f"http://127.0.0.1:{self.emergency_port}{PATH}",
            "VIGIL_PUSH_SERVICES": json.dumps([self.phones.origin]),
            **self.outside.environment(),
            **(self.influx.environment() if self.influx else {}),
        }
        if self.broker_url:
            return environment | {"VIGIL_BROKER_URL": self.broker_url}
        listen = f"127.0.0.1:{claim_port(1883)}"
        self.broker_url = f"mqtt://{listen}"
        return environment | {"VIGIL_BROKER_URL": "embedded", "VIGIL_BROKER_LISTEN": listen}

    def _start_cloud(self, environment: dict[str, str], tokens: dict[str, str]) -> None:
        expires = isoformat_utc(datetime.now(UTC) + timedelta(days=30))
        streets.write(self.scenario, self.directory / accounts.STREETS)
        seed = self._secret(
            "seed.toml", accounts.seed(tokens, self.scenario, expires, accounts.STREETS)
        )
        cloud = program("vigil-cloud")
        self.children.start("seed", [cloud, "seed", str(seed)], environment=environment)
        self.children.finish("seed")
        self.children.start("cloud", [cloud, "serve"], environment=environment)
        self._wait("the cloud", f"{self.url}/readyz")
        self._turn_phones_on()

    def _turn_phones_on(self) -> None:
        """As by a browser that somebody let show notifications; the sign-in lasts with it."""
        owners = [one for each in self.domains.values() for one in each.phones(self.scenario)]
        for name in sorted(set(owners)):
            phone = Browser(self.phones, name)
            with self._signed_in(name) as console:
                console.put("/push/subscription", phone.subscription)

    def _phone_rings(self, told: Told) -> None:
        """In a thread of the service: said by whoever follows the night."""
        self._rung.append(told)

    def _start_city(self, tokens: dict[str, str]) -> CityProcess:
        command = CityCommand(
            scenario=self.options.scenario,
            directory=self.directory / "city",
            tokens=self._secret("tokens.toml", toml_text.dumps(tokens)),
            broker_url=self.broker_url,
            cloud_url=self.url,
            speed=self.options.speed,
            emergency_port=self.emergency_port,
        )
        return CityProcess(self.children, command, self.children.check)

    def _secret(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        return path

    def _start_gateways(self, layout: dict[str, Any]) -> None:
        for gateway in layout["gateways"]:
            names = f"{gateway['name_zh']} {gateway['name']}"
            self.step(f"starting gateway {gateway['id']} ({names})")
            self.outside.start(gateway["id"], gateway["config"], gateway["env"])
        wanted = {gateway.id for gateway in self.scenario.gateway}
        with Console(self.url, "admin") as admin:
            wait_until("the gateways", lambda: admin.online() >= wanted, self.children.check)

    def _wait(self, what: str, url: str) -> None:
        wait_until(what, lambda: httpx.get(url, timeout=5).is_success, self.children.check)

    def tell(self, arrived: Arrived) -> None:
        """Show one alert in the console."""
        alert = arrived.alert
        _say(
            f"\n  {self.domains[alert['domain']].icon}  {alert['title_zh']}  |  {alert['title']}\n"
            f"      {self.url}/alerts/{alert['id']}\n"
        )

    def play(self) -> None:
        """The night itself, until the alert of each domain is here with its evidence, and each
        journey that was asked for has ended."""
        if self.player is None:
            self._play_night(None)
            return
        with self.player.browsing(self.url):
            self.player.prepare()
            self._play_night(self.player)
        self.player.tell(_say)

    def _play_night(self, player: Player | None) -> None:
        with Console(self.url, "duty") as console:
            watch(console, self.night, datetime.now(UTC), self.tell)
            rate, length = self.rate, self.scenario.duration_s / self.rate
            self.step(
                f"the night begins: {self.scenario.duration_s:.0f} s of the city in {length:.0f} s"
                f" (speed {rate:g}; sounds and pictures always in real time)"
            )
            self.city.begin()
            deadline = time.monotonic() + length + ALERT_TIMEOUT_S
            if player is not None:
                player.play()  # which may take longer than the night
                deadline = max(deadline, time.monotonic() + ALERT_TIMEOUT_S)
            while self.night.missing():
                self._follow_city()
                self._still_hoping(deadline)
                time.sleep(0.1)
            self._hear_phones()
            verify(console, self.night, self.influx, self.step, _say, self.children.check)

    def _hear_phones(self) -> None:
        """A push service may be behind the page: it is waited for a little, and told either way."""
        deadline = time.monotonic() + PHONE_TIMEOUT_S
        while self.phones.browsers and not self.phones.told and time.monotonic() < deadline:
            self._follow_city()
            time.sleep(0.1)
        self._follow_city()
        if self.phones.browsers and not self.phones.told:
            refused = f" (refused: {self.phones.refused[-1]})" if self.phones.refused else ""
            self.step(f"no phone has shown anything yet{refused}")

    def _follow_city(self) -> None:
        """Say what happens out there, so that an alert can be seen to follow from it."""
        self.children.check()
        while self._rung:
            told = self._rung.pop(0)
            whose = told.path.rpartition("/")[2]
            self.step(f"📱 the phone of {whose} shows: {told.note.get('title', '')}")
        for line in self.outside.follow():
            self.step(f"  {line}")
        while (said := self.city.heard()) is not None:
            if said["kind"] == "emergency":
                self.step(called_119(said))
            if said["kind"] == "happening":
                self.step(f"in the city: {said['what'].replace('_', ' ')}")
                self.happened.setdefault(said["type"], []).append(said)
                self._let_people_act(said)

    def _let_people_act(self, said: dict[str, Any]) -> None:
        if self.player is not None and said["type"] in self.player.instead_of:
            return
        for domain in self.domains.values():
            act, errand = domain.people.get(said["type"]), domain.errands.get(said["type"])
            if act is not None:
                self.step(f"  {act(said, self._signed_in)}")
            if errand is not None:
                self.outside.begin(said["what"].replace("_", " "), errand, said)

    def _signed_in(self, username: str) -> Console:
        return Console(self.url, username)

    def _still_hoping(self, deadline: float) -> None:
        missing = ", ".join(self.night.missing())
        trouble = f" ({self.night.trouble})" if self.night.trouble else ""
        if self.night.failed:
            raise DemoFailed(f"watching the alerts failed{trouble}; not seen: {missing}")
        if time.monotonic() > deadline:
            raise DemoFailed(f"no alert arrived for: {missing}{trouble}")

    def stay(self) -> None:
        """Leave everything running for people to look at."""
        _say("")
        _say(f"vigil: the night has been played. Open  {self.url}")
        _say(f"vigil: accounts (password {accounts.PASSWORD}):")
        for account in accounts.ACCOUNTS:
            _say(f"         {account.username:<11} {account.display_name}")
        for domain in self.domains.values():
            for line in domain.offers(self._signed_in):
                _say(f"vigil: {domain.icon} {line}")
        _say("vigil: Ctrl-C ends everything")
        while True:
            self._follow_city()
            time.sleep(0.5)

    def reason(self, error: Exception) -> str:
        """Why it ended: a process that died explains a connection that broke."""
        try:
            self.children.check()
        except DemoFailed as death:
            error = death
        except KeyboardInterrupt:
            pass  # it failed before
        code = error.code if isinstance(error, VigilError) else DemoFailed.code
        return f"vigil: {code}: {error if isinstance(error, VigilError) else repr(error)}"


def _local(environment: Mapping[str, str]) -> dict[str, str]:
    """Everything is on this machine: a proxy that leads out of it is not asked."""
    return {
        name: ",".join(filter(None, (environment.get(name), _NO_PROXY)))
        for name in ("NO_PROXY", "no_proxy")
    }


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
        asked(arguments),
    )
    interrupts.install()
    os.umask(0o077)
    os.environ.update(_local(os.environ))
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding shows a question mark and not the end of the demo.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Short, because a Unix socket's path (the private D-Bus) may have 107 bytes only.
    directory: Path = options.directory or Path(tempfile.mkdtemp(prefix="vigil-"))
    directory.mkdir(parents=True, exist_ok=True)
    code = _played(options, directory)
    if options.directory is None and code != 1:
        shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(DemoFailed):
        if code == 1:
            _say(f"vigil: logs are in {directory / 'logs'}")
        elif code == 0:
            _say("vigil: demo finished, everything is stopped")
    return code


def _played(options: Options, directory: Path) -> int:
    """The run from its first process to its last one's end; returns the exit code."""
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
    except (VigilError, httpx.HTTPError, OSError) as error:
        code = 1
        reason = demo.reason(error) if demo else f"vigil: {getattr(error, 'code', '')}: {error}"
        with contextlib.suppress(OSError):
            print(reason, file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        code = 130 if code else 0
        with contextlib.suppress(DemoFailed):  # the terminal may have been closed
            _say("\nvigil: stopping")
    finally:
        if demo is not None:
            demo.children.stop()
            demo.phones.close()
    return code
