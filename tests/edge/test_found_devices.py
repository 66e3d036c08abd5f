"""An agent's process with an empty file: it searches, and what the cloud adds is read at once."""

from __future__ import annotations

import asyncio
import json
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
from edge.smoke.home import Home
from vigil_schemas.control import AddedDevice, Command, Configuration
from vigil_schemas.discovery import DiscoveryReport, FoundDevice, LookReport
from vigil_schemas.gateway import CommandResult, ConfigurationReport, GatewayBirth
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.topics import CONFIG
from vigil_schemas.water import WaterExcursion
from vigil_sim.water.device import ModbusSonde, SignalRegister

EXO = [SignalRegister("temperature", 0, "Cel"), SignalRegister("pH", 4, "pH")]


@dataclass
class Box:
    """A gateway whose file names no device."""

    folder: Path
    cloud: IngestStandIn
    process: subprocess.Popen[bytes] | None = None

    @property
    def file(self) -> Path:
        return self.folder / "gateway.toml"

    def write(self, broker: str, **sections: Any) -> None:
        gateway = {"id": self.cloud.gateway, "data_dir": "data"}
        head = {"gateway": gateway, "cloud": {"broker": broker}}
        self.file.write_text(tomlkit.dumps({**head, **sections}))

    def start(self) -> None:
        with (self.folder / "agent.log").open("ab") as log:
            words = [sys.executable, "-m", "vigil_edge", "run", "--config", str(self.file)]
            self.process = servers.spawn(words, stdout=log, stderr=log)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)

    def ask(self, action: str, **arguments: Any) -> str:
        name = f"command-{uuid.uuid4().hex[:8]}"
        expires = datetime.now(UTC) + timedelta(minutes=5)
        self.cloud.command(
            Command(command_id=name, action=action, arguments=arguments, expires=expires)
        )
        return name

    async def answer(self, name: str, nth: int = 0) -> CommandResult:
        def found() -> CommandResult | None:
            results = [each for each in self.cloud.all(CommandResult) if each.command_id == name]
            return results[nth] if len(results) > nth else None

        answered: CommandResult = await until(found, 60)
        return answered

    async def searched(self, *addresses: str, **keys: Any) -> DiscoveryReport:
        name = self.ask("discover", addresses=list(addresses), **keys)
        answer = await self.answer(name)
        assert answer.accepted, answer

        def done() -> DiscoveryReport | None:
            reports = [one for one in self.cloud.all(DiscoveryReport) if one.command_id == name]
            return next((one for one in reports if one.state == "done"), None)

        report: DiscoveryReport = await until(done, 60)
        return report

    def want(self, revision: int, devices: dict[str, AddedDevice], **settings: Any) -> None:
        self.cloud.send(
            CONFIG,
            Configuration(revision=revision, devices=devices, settings=settings),
            retain=True,
        )

    def reports(self) -> list[ConfigurationReport]:
        return self.cloud.all(ConfigurationReport)


def the_one(report: DiscoveryReport, domain: str, text: str = "") -> FoundDevice:
    found = [one for one in report.found if one.domain == domain and text in one.title]
    assert len(found) == 1, report
    return found[0]


@pytest.fixture
async def box(tmp_path: Path, mosquitto: servers.Mosquitto) -> AsyncIterator[Box]:
    made = Box(tmp_path, IngestStandIn(mosquitto.port, f"gw-{uuid.uuid4().hex[:8]}"))
    made.write(mosquitto.url)
    made.start()
    try:
        await until(lambda: made.reports(), 60)
        yield made
    finally:
        made.stop()
        made.cloud.close()


@pytest.fixture
async def sonde() -> AsyncIterator[ModbusSonde]:
    values = {"temperature": 20.0, "pH": 7.25}
    made = ModbusSonde(lambda _: values, EXO, device="sonde-1", unit=2, interval_s=3600)
    await made.start()
    yield made
    await made.stop()


async def test_a_sonde_is_found_looked_at_added_read_and_removed(
    box: Box, sonde: ModbusSonde
) -> None:
    started = box.cloud.status(GatewayBirth)[-1]
    assert (started.devices, Configuration.TYPE in started.accepts) == ([], True)
    found = the_one(await box.searched(sonde.address, domain="water", last_unit=3), "water")
    assert (found.device, found.addable, found.readable) == (None, True, True)

    look = box.ask("look", found=found.found, choices={"description": "ysi-exo"})
    assert (await box.answer(look)).accepted
    (told,) = await until(lambda: box.cloud.all(LookReport), 60)
    values = {one.name: one.value for one in told.readings}
    assert values["pH"] == pytest.approx(7.25)
    refused = next(one for one in told.readings if one.name == "turbidity_FNU")
    assert (told.command_id, told.code) == (look, None)
    assert refused.value in (None, 0)

    # What is wrong with it is said as the file's own check says it.
    wrong = AddedDevice(found=found.found, choices={"description": "no-such"})
    box.want(1, {"canal-1": wrong})
    answer = await box.answer("config-1")
    assert (answer.accepted, answer.code) == (False, "bad-configuration")
    assert "canal-1: description" in answer.message
    right = AddedDevice(found=found.found, choices={"description": "ysi-exo"})
    box.want(2, {"canal-1": right}, **{"canal-1": {"interval_s": -1}})
    answer = await box.answer("config-2")
    assert (answer.accepted, "interval_s" in answer.message) == (False, True)

    box.want(
        3,
        {"canal-1": right},
        **{"canal-1": {"name": "Weir", "latitude": 23.5, "longitude": 120.4, "interval_s": 1}},
    )
    assert (await box.answer("config-3")).accepted
    birth = await until(
        lambda: next((b for b in box.cloud.status(GatewayBirth) if b.devices), None), 60
    )
    assert [(one.device, one.name, one.latitude) for one in birth.devices] == [
        ("canal-1", "Weir", 23.5)
    ]
    assert birth.started == started.started, "without a restart"
    await until(lambda: "canal-1" in _read(box), 60)
    assert box.reports()[-1].settings["canal-1"]["interval_s"] == 1

    # Thresholds of an added device are changed like any other's.
    keys = {"interval_s": 1, "signal.pH.high": 7.0, "signal.pH.consecutive": 1}
    box.want(4, {"canal-1": right}, **{"canal-1": keys})
    assert (await box.answer("config-4")).accepted
    excursions: list[WaterExcursion] = await until(lambda: box.cloud.all(WaterExcursion), 60)
    assert excursions[0].limit == 7.0

    # It is found again as what it is, and outlives the agent.
    again = the_one(await box.searched(sonde.address, domain="water", last_unit=3), "water")
    assert (again.found, again.device) == (found.found, "canal-1")
    box.stop()
    births = len(box.cloud.status(GatewayBirth))
    box.start()
    await until(
        lambda: any(
            one.device == "canal-1"
            for b in box.cloud.status(GatewayBirth)[births:]
            for one in b.devices
        ),
        60,
    )

    box.want(5, {})
    assert (await box.answer("config-5")).accepted
    await until(lambda: box.cloud.status(GatewayBirth)[-1].devices == [], 60)


def _read(box: Box) -> set[str]:
    told = box.cloud.messages("observation")
    return {str(message.envelope.subject) for message in told}


async def test_what_is_added_before_it_is_found_is_taken_when_it_is(
    box: Box, sonde: ModbusSonde
) -> None:
    """As on another box for an old place: what is wanted comes first, the search later."""
    found = the_one(await box.searched(sonde.address, domain="water", last_unit=2), "water")
    box.stop()
    (box.folder / "data" / "found-devices.json").unlink()
    reports = len(box.reports())
    box.start()
    await until(lambda: len(box.reports()) > reports, 60)

    right = AddedDevice(found=found.found, choices={"description": "ysi-exo"})
    box.want(1, {"canal-1": right})
    answer = await box.answer("config-1")
    assert (answer.accepted, "search" in answer.message) == (False, True)

    await box.searched(sonde.address, domain="water", last_unit=2)
    assert (await box.answer("config-1", 1)).accepted
    await until(lambda: "canal-1" in _read(box), 60)
    assert box.reports()[-1].in_force


async def test_an_alarm_is_added_beside_the_bridge_and_its_fire_is_told(
    box: Box, mosquitto: servers.Mosquitto
) -> None:
    home = Home(mosquitto)
    smoke = {"exposes": [{"type": "binary", "name": "smoke", "property": "smoke"}]}
    device = {"friendly_name": "kitchen", "ieee_address": "0x1", "definition": smoke}
    try:
        home.say("bridge/state", {"state": "online"}, retain=True)
        home.say("bridge/devices", json.dumps([device]).encode(), retain=True)
        report = await box.searched(f"mqtt://127.0.0.1:{mosquitto.port}", domain="smoke")
        found = the_one(report, "smoke", home.base)
        box.want(1, {"wu-kitchen": AddedDevice(found=found.found)})
        assert (await box.answer("config-1")).accepted

        async def burning() -> SmokeAlarm:
            while True:
                home.say("kitchen", {"smoke": True})
                alarms: list[SmokeAlarm] = box.cloud.all(SmokeAlarm)
                if alarms:
                    return alarms[0]
                await asyncio.sleep(0.2)

        async with asyncio.timeout(60):
            alarm = await burning()
        assert (alarm.condition, alarm.active) == ("smoke", True)
        subjects = {str(one.envelope.subject) for one in box.cloud.messages("alarm")}
        assert subjects == {"wu-kitchen"}
    finally:
        home.close()


async def test_what_may_not_be_searched_is_answered(box: Box, mosquitto: servers.Mosquitto) -> None:
    for arguments, code in (
        ({"addresses": ["8.8.8.8:502"]}, "address-not-allowed"),
        ({"addresses": ["/etc/passwd"]}, "address-not-allowed"),
        ({"first_unit": 9, "last_unit": 3}, "wrong-arguments"),
        ({"domain": "nonsense"}, "unsupported"),
        ({"last_unit": 256}, "wrong-arguments"),
    ):
        answer = await box.answer(box.ask("discover", **arguments))
        assert (answer.accepted, answer.code) == (False, code), arguments
    answer = await box.answer(box.ask("look", found="0" * 16))
    assert (answer.accepted, answer.code) == (False, "not-found")

    box.stop()
    box.write(mosquitto.url, discovery={"enabled": False})
    reports = len(box.reports())
    box.start()
    await until(lambda: len(box.reports()) > reports, 60)
    answer = await box.answer(box.ask("discover"))
    assert (answer.accepted, answer.code) == (False, "discovery-disabled")
