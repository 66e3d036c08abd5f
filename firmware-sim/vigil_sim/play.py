"""``vigil-sim play``: the whole city runs, and the timetable is told as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from vigil_schemas.environment import EnvironmentMissing, filled
from vigil_schemas.errors import VigilError
from vigil_schemas.types import isoformat_utc
from vigil_sim import toml_text
from vigil_sim.city import City
from vigil_sim.clock import CityClock
from vigil_sim.emergency.line import Answered, EmergencyLine
from vigil_sim.scenario import CityScenario
from vigil_sim.scenario_model import ScenarioError
from vigil_sim.supervised import first_failure

Tell = Callable[[dict[str, Any]], None]


class TokensError(VigilError):
    """The file of gateway tokens cannot be used."""

    code: ClassVar[str] = "tokens-invalid"
    remedy: ClassVar[str] = 'Write `gateway-id = "token"` lines, or give the cloud\'s seed file.'


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the gateways will find the cloud, and where files go."""

    directory: Path
    broker: str
    cloud_url: str | None = None
    tokens: Mapping[str, str] | None = None
    emergency_port: int | None = None
    """The stand-in for 119 listens there; ``None``: there is none."""
    broker_password_file: Path | None = None
    """With it each gateway signs in to the broker: its id is the user name."""


def read_tokens(path: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """``gateway = "token"``, or the cloud seed's ``[[gateway]] id, token``.

    A token that is exactly ``${NAME}`` is taken from the environment, as the cloud does.
    Raises ``TokensError``.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        entries = raw.get("gateway")
        if isinstance(entries, list):
            raw = {str(entry["id"]): str(entry["token"]) for entry in entries}
        raw = filled(raw, environment)
    except EnvironmentMissing as error:
        raise TokensError(f"{path}: {error}") from error
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise TokensError(f'{path}: {error!r}; write  gateway-id = "token"  lines') from error
    return {key: value for key, value in raw.items() if isinstance(value, str)}


def write_configurations(city: City, around: Surroundings) -> None:
    """``gateways/<id>.toml`` for vigil-edge, and ``city.json`` for whoever runs it."""
    folder = around.directory / "gateways"
    folder.mkdir(parents=True, exist_ok=True)
    gateways = []
    for gateway in city.scenario.gateway:
        latitude, longitude = city.world.geographic(gateway.at)
        place = {"latitude": latitude, "longitude": longitude}
        cloud: dict[str, Any] = {"broker": around.broker}
        if around.cloud_url:
            cloud["url"] = around.cloud_url
        if around.broker_password_file:
            cloud["username"] = gateway.id
            cloud["password_file"] = str(around.broker_password_file)
        if around.tokens and gateway.id in around.tokens:
            cloud["token"] = around.tokens[gateway.id]
        data_dir = str(around.directory / "data" / gateway.id)
        # Devices, gateway and cloud have one clock here, that of this machine.
        own = {"id": gateway.id, "name": gateway.name, **place, "data_dir": data_dir}
        own["clock"] = "host"
        configuration: dict[str, Any] = {
            "gateway": own,
            "cloud": cloud,
            "health": {"interval_s": 10},
            **city.sections[gateway.id],
        }
        path = folder / f"{gateway.id}.toml"
        # It may hold a token, so nobody else may read it.
        path.touch(mode=0o600)
        path.write_text(toml_text.dumps(configuration), "utf-8")
        environment = city.environment[gateway.id]
        gateways.append(
            {"id": gateway.id, "name": gateway.name, "name_zh": gateway.name_zh, **place}
            | {"config": str(path), "env": environment}
        )
    layout: dict[str, Any] = {
        "scenario": city.scenario.name,
        "title": city.scenario.title,
        "title_zh": city.scenario.title_zh,
        "seed": city.seed,
        "speed": city.clock.speed,
        "duration_s": city.scenario.duration_s,
        "ledger": str(city.ledger.path),
        "gateways": gateways,
        "env": city.environment,
        "devices": city.devices,
    }
    for domain in city.scenario.domains:
        layout |= domain.listed(city.scenario)
    text = json.dumps(layout, ensure_ascii=False, indent=2)
    (around.directory / "city.json").write_text(text + "\n", "utf-8")


def _say(line: dict[str, Any]) -> None:
    # A bare machine's terminal knows ASCII alone; JSON can say everything in it.
    plain = (sys.stdout.encoding or "").replace("-", "").lower() != "utf8"
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(line, ensure_ascii=plain) + "\n")
        sys.stdout.flush()


async def _line_on_stdin() -> None:
    """Wait for a line, or for the end of input, without keeping the process alive for it."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()

    def read() -> None:
        sys.stdin.readline()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(arrived.set)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    await arrived.wait()


async def _tell_timetable(city: City, tell: Tell) -> None:
    for happening in sorted(city.scenario.schedule, key=lambda each: each.at_s):
        await _until(city.clock, happening.at_s)
        facts = happening.model_dump(mode="json", exclude_none=True, exclude={"label", "at_s"})
        kind = facts.pop("what")
        tell(
            {"kind": "happening", "t": happening.at_s, "what": happening.title, "type": kind}
            | {"time": isoformat_utc(datetime.now(UTC))}
            | facts
        )
    await _until(city.clock, city.scenario.duration_s)


async def _start_emergency_line(city: City, port: int, tell: Tell) -> None:
    loop = asyncio.get_running_loop()

    def heard(answered: Answered) -> None:
        told = {"kind": "emergency", "time": isoformat_utc(datetime.now(UTC)), **answered.told()}
        with contextlib.suppress(RuntimeError):  # the play is over
            loop.call_soon_threadsafe(tell, told)

    line = EmergencyLine(
        port, fault=lambda: city.scenario.emergency.fault_at(city.clock.world()), heard=heard
    )
    city.running.push_async_callback(line.stop)
    await line.start()


async def _until(clock: CityClock, world_s: float) -> None:
    await asyncio.sleep(max((world_s - clock.world()) / clock.speed, 0.0))


async def play(  # noqa: PLR0913 - options of the command, by name
    scenario: CityScenario,
    around: Surroundings,
    *,
    speed: float | None = None,
    seed: int | None = None,
    wait: bool = False,
    exit_when_done: bool = False,
    tell: Tell = _say,
) -> int:
    """Run the city until it is done (and told to exit then) or a signal comes.

    Raises ``DeviceFailed`` where a device breaks down otherwise than the scenario says.
    """
    stopping = asyncio.Event()
    failure = first_failure()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    around.directory.mkdir(parents=True, exist_ok=True)
    city = City(scenario, CityClock(speed or scenario.speed), around.directory, seed=seed)
    night = asyncio.create_task(
        _night(city, around, wait=wait, exit_when_done=exit_when_done, tell=tell), name="night"
    )
    signalled = asyncio.create_task(stopping.wait(), name="signal")
    try:
        waited = (failure, night, signalled)
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        for ended in (failure, night):
            if ended.done():
                ended.result()
    finally:
        for task in (night, signalled):
            task.cancel()
        await asyncio.gather(night, signalled, return_exceptions=True)
        # What broke down may fail to stop as well: the first of the two is the reason.
        with contextlib.suppress(*([Exception] if failure.done() else [])):
            await city.stop()
    return 0


async def _night(
    city: City, around: Surroundings, *, wait: bool, exit_when_done: bool, tell: Tell
) -> None:
    known = {gateway.id for gateway in city.scenario.gateway}
    strange = sorted(set(around.tokens or {}) - known)
    if strange:
        raise ScenarioError(f"tokens name gateway {strange[0]!r}; the scenario has {sorted(known)}")
    await city.start()
    if around.emergency_port is not None:
        await _start_emergency_line(city, around.emergency_port, tell)
    write_configurations(city, around)
    tell({"kind": "ready", "dir": str(around.directory)})
    if wait:
        await _line_on_stdin()
    city.begin()
    await _tell_timetable(city, tell)
    city.ledger.flush()
    tell({"kind": "done"})
    if not exit_when_done:
        await asyncio.Event().wait()
