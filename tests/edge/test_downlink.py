"""An agent's process, a real sonde, and a cloud that asks for things and changes settings."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tomlkit

import servers
from edge.ingest_stand_in import IngestStandIn, until
from vigil_schemas.control import Command, Configuration
from vigil_schemas.gateway import (
    CommandResult,
    ConfigurationReport,
    GatewayBirth,
    GatewayHealth,
)
from vigil_schemas.topics import COMMAND, CONFIG
from vigil_schemas.water import WaterExcursion
from vigil_sim.water.device import ModbusSonde, SignalRegister


@dataclass
class Site:
    """One gateway with one sonde, and the cloud that listens."""

    folder: Path
    cloud: IngestStandIn
    sonde: ModbusSonde
    config: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None

    @property
    def file(self) -> Path:
        return self.folder / "gateway.toml"

    def write(self, **keys: Any) -> None:
        """Further keys of the sonde's section; ``high`` is that of its signal."""
        section = dict(self.config["water"][0])
        if (high := keys.pop("high", None)) is not None:
            section["signal"] = [{**section["signal"][0], "high": high}]
        self.file.write_text(tomlkit.dumps({**self.config, "water": [{**section, **keys}]}))

    def start(self) -> None:
        with (self.folder / "agent.log").open("ab") as log:
            words = [sys.executable, "-m", "vigil_edge", "run", "--config", str(self.file)]
            self.process = servers.spawn(words, stdout=log, stderr=log)

    def hang_up(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)

    def tool(self, *words: str) -> str:
        words = (sys.executable, "-m", "vigil_edge", *words, "--config", str(self.file))
        done = servers.run(words, text=True)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def checked(self) -> str:
        words = [sys.executable, "-m", "vigil_edge", "check", "--config", str(self.file)]
        return str(servers.run(words, text=True).stderr)

    def ask(self, action: str, device: str | None = "sonde-1", **arguments: Any) -> str:
        name = f"command-{uuid.uuid4().hex[:8]}"
        self.cloud.command(
            Command(
                command_id=name,
                action=action,
                device=device,
                arguments=arguments,
                expires=datetime.now(UTC) + timedelta(minutes=5),
            )
        )
        return name

    async def answer(self, name: str) -> CommandResult:
        def found() -> CommandResult | None:
            results = self.cloud.all(CommandResult)
            return next((each for each in results if each.command_id == name), None)

        answered: CommandResult = await until(found, 60)
        return answered

    def want(self, revision: int, **keys: Any) -> None:
        configuration = Configuration(revision=revision, settings={"sonde-1": keys})
        self.cloud.send(CONFIG, configuration)

    def report(self) -> ConfigurationReport | None:
        reports = self.cloud.all(ConfigurationReport)
        return reports[-1] if reports else None

    def now(self, key: str) -> Any:
        report = self.report()
        return None if report is None else report.settings["sonde-1"][key]

    def readings(self) -> int:
        return len(self.cloud.messages("observation")) - len(self.cloud.all(GatewayHealth))


@pytest.fixture
async def site(tmp_path: Path, mosquitto: servers.Mosquitto) -> AsyncIterator[Site]:
    gateway = f"gw-{uuid.uuid4().hex[:8]}"
    sonde = ModbusSonde(
        lambda _: {"pH": 7.25}, [SignalRegister("pH", 100, "pH")], device="sonde-1", interval_s=3600
    )
    await sonde.start()
    config = {
        "gateway": {"id": gateway, "data_dir": "data"},
        "cloud": {"broker": mosquitto.url},
        "water": [sonde.section()],
    }
    made = Site(tmp_path, IngestStandIn(mosquitto.port, gateway), sonde, config)
    made.write()
    made.start()
    try:
        await until(lambda: made.report() and made.readings() >= 1, 60)
        yield made
    finally:
        made.stop()
        made.cloud.close()
        await sonde.stop()


async def test_a_sonde_is_sampled_when_somebody_asks(site: Site) -> None:
    assert site.readings() == 1  # its interval is an hour

    answer = await site.answer(site.ask("sample_now"))

    assert (answer.accepted, answer.message) == (True, "sampled")
    await until(lambda: site.readings() == 2)


async def test_what_nobody_takes_is_answered(site: Site) -> None:
    (birth,) = site.cloud.status(GatewayBirth)
    assert Command.TYPE in birth.accepts
    assert birth.devices[0].commands == ["sample_now"]

    for action, device, code in (
        ("play_voice", "sonde-1", "unsupported"),
        ("of_next_year", "sonde-1", "unsupported"),
        ("of_next_year", None, "unsupported"),
        ("sample_now", "nobody-1", "unknown-device"),
    ):
        answer = await site.answer(site.ask(action, device))
        assert (answer.accepted, answer.code) == (False, code), action
    answer = await site.answer(site.ask("sample_now", depth_m=3))
    assert (answer.code, "depth_m" in answer.message) == ("wrong-arguments", True)
    await site.sonde.stop()
    answer = await site.answer(site.ask("sample_now"))
    assert (answer.accepted, answer.code) == (False, "probe-unreachable")
    await site.sonde.start()


async def test_a_command_that_a_broker_kept_is_refused(site: Site) -> None:
    site.stop()
    kept = Command(
        command_id="kept-0001",
        action="sample_now",
        device="sonde-1",
        expires=datetime.now(UTC) + timedelta(minutes=5),
    )
    site.cloud.send(COMMAND, kept, retain=True)
    site.start()
    answer = await site.answer("kept-0001")
    assert (answer.accepted, answer.code) == (False, "retained")


async def test_thresholds_and_names_are_changed_without_a_restart(site: Site) -> None:
    assert site.process is not None
    started = site.cloud.status(GatewayBirth)[-1].started

    site.want(1, **{"signal.pH.high": 7.0, "signal.pH.consecutive": 1, "name": "At the weir"})
    answer = await site.answer("config-1")

    assert (answer.accepted, answer.code) == (True, "ok")
    await until(lambda: site.now("signal.pH.high") == 7.0)
    await until(lambda: site.cloud.all(WaterExcursion))  # the new threshold is crossed at once
    assert site.cloud.all(WaterExcursion)[0].limit == 7.0
    await until(lambda: site.cloud.status(GatewayBirth)[-1].devices[0].name == "At the weir")
    birth = site.cloud.status(GatewayBirth)[-1]
    assert (birth.started, site.process.poll()) == (started, None)
    report = site.report()
    assert report is not None
    assert (report.revision, report.in_force, report.refused) == (1, True, None)
    assert {(each.key, each.file) for each in report.cloud} == {
        ("signal.pH.high", None),
        ("signal.pH.consecutive", None),
        ("name", None),
    }

    site.stop()  # and it outlives a restart
    site.start()
    await until(lambda: len(site.cloud.all(ConfigurationReport)) >= 3)
    assert site.now("signal.pH.high") == 7.0


async def test_a_maintenance_window_is_set_and_ended_from_the_cloud(site: Site) -> None:
    """Windows are tables in the file, of which no setting is made: they are told as intervals."""
    now = datetime.now(UTC).replace(microsecond=0)
    begin, end = now - timedelta(hours=1), now + timedelta(hours=1)
    written = f"{begin.isoformat()}/{end.isoformat()}"
    # A gateway whose file has one starts, and says so.
    site.config["water"][0]["maintenance"] = [{"begin": begin, "end": end}]
    site.write()
    site.stop()
    site.start()
    await until(lambda: site.now("maintenance") == written)

    site.want(1, **{"maintenance": "", "signal.pH.high": 7.0, "signal.pH.consecutive": 1})
    assert (await site.answer("config-1")).accepted
    await until(lambda: site.now("maintenance") == "")
    await until(lambda: site.cloud.all(WaterExcursion))  # it may call inspectors again

    site.want(2, maintenance=f"{written} 2027-01-01T08:00+08:00/2027-01-01T09:00+08:00")
    assert (await site.answer("config-2")).accepted
    await until(lambda: str(site.now("maintenance")).count("/") == 2)

    for revision, wrong in enumerate(("tomorrow", f"{end.isoformat()}/{begin.isoformat()}"), 3):
        site.want(revision, maintenance=wrong)
        answer = await site.answer(f"config-{revision}")
        assert (answer.accepted, answer.code) == (False, "bad-configuration"), wrong


async def test_what_the_gateway_refuses_is_told_as_check_tells_it(site: Site) -> None:
    site.write(high="many")
    checked = await asyncio.to_thread(site.checked)
    site.write()
    site.want(1, **{"signal.pH.high": "many"})
    answer = await site.answer("config-1")
    assert (answer.accepted, answer.code) == (False, "bad-configuration")
    await until(lambda: site.report() and site.report().refused)  # type: ignore[union-attr]
    report = site.report()
    assert report is not None
    assert report.refused is not None
    assert (report.revision, report.in_force) == (1, False)
    (mistake,) = report.refused.mistakes
    assert f"{mistake.key}: {mistake.message}" in checked

    for number, (key, value) in enumerate(
        [("address", "evil:502"), ("signal.orp.high", 1.0), ("signal.pH.register", 7)], start=2
    ):
        site.want(number, **{key: value})
        answer = await site.answer(f"config-{number}")
        assert (answer.accepted, answer.code) == (False, "bad-configuration"), key
    site.cloud.send(CONFIG, Configuration(revision=9, settings={"nobody-1": {"name": "?"}}))
    assert "nobody-1" in (await site.answer("config-9")).message
    assert site.process is not None
    assert site.process.poll() is None


async def test_a_file_is_read_again_and_the_cloud_wins(site: Site) -> None:
    # Given a threshold that the cloud set.
    site.want(1, **{"signal.pH.high": 9.0})
    await site.answer("config-1")

    # When the file is edited, in that key and in another, and the agent is told.
    site.write(high=8.0, name="By the file", interval_s=1800)
    site.hang_up()

    # Then the file's other keys count, the cloud's stays, and that is told.
    await until(lambda: site.now("name") == "By the file", 60)
    assert (site.now("signal.pH.high"), site.now("interval_s")) == (9.0, 1800)
    report = site.report()
    assert report is not None
    assert [(each.key, each.file) for each in report.edited] == [("signal.pH.high", 8.0)]
    assert "the cloud set this key" in (site.folder / "agent.log").read_text()

    # And a file with a mistake changes nothing, and is told.
    site.write(interval_s=-1)
    site.hang_up()
    await until(lambda: site.report().refused, 60)  # type: ignore[union-attr]
    report = site.report()
    assert report is not None
    assert report.refused is not None
    assert report.refused.revision == 0
    assert report.refused.mistakes[0].line > 0
    assert report.settings["sonde-1"]["interval_s"] == 1800

    # And a reset drops what the cloud set, until a newer revision comes.
    site.write(high=8.0)
    assert json.loads(site.tool("config", "reset")) == {"dropped": True, "agent": "told"}
    await until(lambda: site.now("signal.pH.high") == 8.0, 60)
    report = site.report()
    assert report is not None
    assert (report.revision, report.in_force, report.dropped) == (1, False, True)
    assert json.loads(site.tool("config", "show")) == {
        "revision": 1,
        "dropped": True,
        "file": {},
    }
    site.want(2, **{"signal.pH.high": 9.5})
    assert (await site.answer("config-2")).accepted
    await until(lambda: site.now("signal.pH.high") == 9.5)


async def test_sections_come_and_go_with_the_file(site: Site) -> None:
    second = ModbusSonde(
        lambda _: {"pH": 7.0}, [SignalRegister("pH", 100, "pH")], device="sonde-2", interval_s=3600
    )
    await second.start()
    try:
        config = {**site.config, "water": [*site.config["water"], second.section()]}
        site.file.write_text(tomlkit.dumps(config))
        site.hang_up()
        await until(lambda: "sonde-2" in born(site), 60)
        await until(lambda: site.readings() >= 2, 60)
        site.file.write_text(tomlkit.dumps({**site.config, "water": [second.section()]}))
        assert (await site.answer(site.ask("reload_thresholds", None))).accepted
        await until(lambda: born(site) == {"sonde-2"}, 60)
        assert (await site.answer(site.ask("sample_now"))).code == "unknown-device"
    finally:
        await second.stop()


def born(site: Site) -> set[str]:
    return {each.device for each in site.cloud.status(GatewayBirth)[-1].devices}
