"""``vigil-sim city``: a simulated city in front of a cloud that runs already.

Gateways, their tokens and an administrator come from the very file that the cloud was seeded
with. The night is played again and again, each time with fresh devices; the gateways keep
their keys and what they have not delivered.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import httpx

from vigil_schemas.environment import EnvironmentMissing, filled, with_secrets
from vigil_schemas.errors import VigilError
from vigil_sim import scenario, toml_text
from vigil_sim.arguments import speed
from vigil_sim.demo.city_process import CityCommand, CityProcess
from vigil_sim.demo.night import Console
from vigil_sim.demo.processes import Children, DemoFailed, interrupts, program, wait_until
from vigil_sim.play import read_tokens

PASSWORD_VARIABLE: Final = "VIGIL_BROKER_PASSWORD"  # noqa: S105 - the name of a variable
SETTLE_S: Final = 20.0
"""After a night: what is under way is delivered before the devices go."""


class CityError(VigilError):
    """The city cannot be put in front of this cloud; the message says what to change."""

    code: ClassVar[str] = "city-refused"
    remedy: ClassVar[str] = (
        "Correct what the message names on the command line or in the seed file."
    )


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    broker_url: str
    cloud_url: str
    seed_file: Path
    scenario: str
    speed: float | None
    broker_password_file: Path | None
    once: bool


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``city``."""
    parser = commands.add_parser("city", help="a city in front of a cloud that runs already")
    parser.add_argument("--broker-url", required=True, metavar="mqtt://HOST:PORT")
    parser.add_argument("--cloud-url", required=True, metavar="http://HOST:PORT")
    parser.add_argument(
        "--seed-file", type=Path, required=True, help="what `vigil-cloud seed` was given"
    )
    parser.add_argument("--scenario", default="city-night")
    parser.add_argument("--speed", type=speed, help="world seconds per second (the scenario's own)")
    parser.add_argument(
        "--broker-password-file",
        type=Path,
        metavar="FILE",
        help=f"gateways sign in to the broker with their id and this password; or the variable"
        f" {PASSWORD_VARIABLE}; by default they do not sign in",
    )
    parser.add_argument("--dir", dest="directory", type=Path, help="keep everything in this folder")
    parser.add_argument("--once", action="store_true", help="one night, then end")
    parser.set_defaults(run=run)


def administrator(seed: Path, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and password of the seed's first administrator, if both can be known here."""
    for account in tomllib.loads(seed.read_text("utf-8")).get("account", []):
        if "administrator" in account.get("roles", ()):
            try:
                return account["username"], filled(account["password"], environment)
            except (EnvironmentMissing, KeyError):
                return None
    return None


def _say(**line: Any) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


class CityRun:
    """One city before one cloud: processes, tokens and the folder that they live in."""

    def __init__(
        self, options: Options, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        environment = with_secrets() if environment is None else environment
        for url, scheme in ((options.broker_url, "mqtt"), (options.cloud_url, "http")):
            if urlsplit(url).scheme not in (scheme, f"{scheme}s") or not urlsplit(url).hostname:
                raise CityError(f"{url!r} is no address: write {scheme}://host:port")
        self._options = options
        self._directory = directory
        self._scenario = scenario.load(options.scenario)
        self._tokens = self._own_tokens(read_tokens(options.seed_file, environment))
        self._administrator = administrator(options.seed_file, environment)
        self._password_file = self._password(environment)
        self._devices = Children(directory / "logs")
        self._gateways = Children(directory / "logs")

    def _own_tokens(self, seeded: dict[str, str]) -> Path:
        gateways = [gateway.id for gateway in self._scenario.gateway]
        if strange := [gateway for gateway in gateways if gateway not in seeded]:
            raise CityError(
                f"{self._options.seed_file} has no gateway {strange[0]!r}, which the scenario"
                f" {self._scenario.name} needs: add [[gateway]] id and token, and seed again"
            )
        text = toml_text.dumps({gateway: seeded[gateway] for gateway in gateways})
        return self._secret("tokens.toml", text)

    def _password(self, environment: Mapping[str, str]) -> Path | None:
        path = self._options.broker_password_file
        if path is not None:
            if not path.is_file():
                raise CityError(f"--broker-password-file: there is no file {path}")
            return path.resolve()
        password = environment.get(PASSWORD_VARIABLE)
        return self._secret("broker-password", password) if password else None

    def _secret(self, name: str, text: str) -> Path:
        path = self._directory / name
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        return path

    def wait_for_cloud(self) -> None:
        """Until it is ready. Raises ``DemoFailed``."""
        url = f"{self._options.cloud_url}/readyz"
        wait_until(f"the cloud ({url})", lambda: httpx.get(url, timeout=10).is_success, self._check)

    def night(self) -> None:
        """One night from fresh devices to their end. Raises ``DemoFailed``."""
        self._clear()
        try:
            playing = self._start_devices()
            self._start_gateways(playing.ready())
            playing.begin()
            _say(kind="night", scenario=self._scenario.name)
            # Between two happenings lies the whole timetable at most.
            patience_s = self._scenario.duration_s / self._speed + SETTLE_S
            while (line := playing.next(patience_s))["kind"] != "done":
                _say(**line)
            self._settle()
            _say(kind="done")
        finally:
            self.stop()

    def _clear(self) -> None:
        """Remove what tells of one night only; ``city/data`` is the gateways' own."""
        for entry in (*self._directory.glob("city/*"), *self._directory.glob("logs/*")):
            if entry.name == "data":
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def stop(self) -> None:
        """Gateways first, so that they see no device fail."""
        self._gateways.stop()
        self._devices.stop()

    @property
    def _speed(self) -> float:
        return self._options.speed or self._scenario.speed

    def _start_devices(self) -> CityProcess:
        command = CityCommand(
            scenario=self._options.scenario,
            directory=self._directory / "city",
            tokens=self._tokens,
            broker_url=self._options.broker_url,
            cloud_url=self._options.cloud_url,
            speed=self._options.speed,
            broker_password_file=self._password_file,
        )
        return CityProcess(self._devices, command, self._check)

    def _start_gateways(self, layout: dict[str, Any]) -> None:
        for gateway in layout["gateways"]:
            command = [program("vigil-edge"), "run", "--config", gateway["config"]]
            self._gateways.start(gateway["id"], command, environment=gateway["env"])
        if self._administrator is None:
            _say(kind="note", text="no administrator's password here: not waiting for gateways")
            return
        wanted = {gateway.id for gateway in self._scenario.gateway}
        with Console(self._options.cloud_url, *self._administrator) as console:
            wait_until("the gateways", lambda: console.online() >= wanted, self._check)
        _say(kind="online", gateways=sorted(wanted))

    def _settle(self) -> None:
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            self._check()
            time.sleep(0.5)

    def _check(self) -> None:
        self._devices.check()
        self._gateways.check()


def run(arguments: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT (exit code 0), or one night with ``--once``."""
    options = Options(
        arguments.broker_url.rstrip("/"),
        arguments.cloud_url.rstrip("/"),
        arguments.seed_file,
        arguments.scenario,
        arguments.speed,
        arguments.broker_password_file,
        arguments.once,
    )
    interrupts.install()
    os.umask(0o077)
    # Short, because a Unix socket's path (the private D-Bus) may have 107 bytes only.
    directory: Path = arguments.directory or Path(tempfile.mkdtemp(prefix="vigil-"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        attached = CityRun(options, directory.resolve())
        attached.wait_for_cloud()
        attached.night()
        while not options.once:
            attached.night()
    except KeyboardInterrupt:
        pass
    except httpx.HTTPError as error:
        raise DemoFailed(f"the cloud at {options.cloud_url} went away: {error!r}") from error
    finally:
        if arguments.directory is None:
            shutil.rmtree(directory, ignore_errors=True)
    _say(kind="ended")
    return 0
