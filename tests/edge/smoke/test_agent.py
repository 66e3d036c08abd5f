"""The agent as a process: rows of the release before go out, and the birth names what was found."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import tomlkit

import servers
from edge.ingest_stand_in import IngestStandIn, until
from edge.smoke.home import Home, ago
from vigil_edge.delivery.outbox import Limits, Outbox
from vigil_edge.device.seam import Outgoing
from vigil_schemas.gateway import GatewayBirth
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1
from vigil_schemas.types import ClockQuality, Lane

EXPOSED = {"exposes": [{"type": "enum", "name": "smoke_state", "property": "smoke_state"}]}


async def left_by_the_release_before(folder: Path, gateway: str) -> None:
    """An outbox with a fire that never went out."""
    outbox = await Outbox.open(
        folder / "outbox.sqlite",
        gateway,
        Limits(1000, 10**7, 64),
        new_epoch=lambda: uuid.uuid4().hex[:8],
        new_id=lambda: str(uuid.uuid4()),
        now_us=lambda: time.time_ns() // 1000,
    )
    now = datetime.now(UTC)
    alarm = SmokeAlarmV1(alarm_id="of-old-times", condition="smoke", active=True, since=now)
    fact = Outgoing(Lane.ALARM, alarm.TYPE, "home-1", now, alarm)
    await outbox.accept("bridge", [fact], None, ClockQuality.UNSYNCHRONISED)
    await outbox.close()


async def test_an_upgraded_gateway_with_an_alarm_that_nobody_configured(
    mosquitto: servers.Mosquitto, home: Home, tmp_path: Path
) -> None:
    gateway = f"gw-{uuid.uuid4().hex[:8]}"
    data = tmp_path / "data"
    data.mkdir()
    await left_by_the_release_before(data, gateway)
    smoke = home.settings(device="bridge").model_dump(
        mode="json",
        include={"device", "driver", "broker", "base_topic", "alarm"},
        exclude_none=True,
    )
    config = {
        "gateway": {"id": gateway, "data_dir": "data"},
        "cloud": {"broker": mosquitto.url},
        "smoke": [smoke],
    }
    (tmp_path / "gateway.toml").write_text(tomlkit.dumps(config))
    home.say(
        "bridge/devices",
        json.dumps([{"friendly_name": "attic", "definition": EXPOSED}]).encode(),
        True,
    )
    home.say("kitchen", {"smoke": True, "last_seen": ago(21 * 86_400)}, retain=True)
    home.say("floor 2/hall", {"smoke": True, "last_seen": ago(5)}, retain=True)
    cloud = IngestStandIn(mosquitto.port, gateway)
    agent = started(tmp_path)
    try:
        await until(lambda: cloud.all(SmokeAlarmV1))
        await until(lambda: len(cloud.all(SmokeAlarm)) >= 2)
        home.say("attic", {"smoke_state": "alarm"})
        await until(lambda: "bridge.attic" in born(cloud))
        await until(lambda: len(cloud.all(SmokeAlarm)) >= 3)
    finally:
        agent.terminate()
        agent.wait(60)
        cloud.close()
    assert cloud.all(SmokeAlarmV1)[0].alarm_id == "of-old-times"
    marks = [event.unconfirmed_since is not None for event in cloud.all(SmokeAlarm)]
    assert marks.count(True) == 1


def started(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "agent.log").open("wb") as log:
        command = [sys.executable, "-m", "vigil_edge", "run", "--config", "gateway.toml"]
        return servers.spawn(command, stdout=log, stderr=log, cwd=folder)


def born(cloud: IngestStandIn) -> set[str]:
    return {entry.device for birth in cloud.status(GatewayBirth) for entry in birth.devices}
