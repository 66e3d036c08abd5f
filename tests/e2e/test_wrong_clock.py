"""A gateway whose clock is wrong, as a process of its own: its fire is told as one of now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.publish as publish
import pytest
import tomlkit

import servers
from e2e.two_ends import Cloud
from gateways import new_name
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.seen import enrol


@pytest.fixture
def cloud(tmp_path: Path, mosquitto: servers.Mosquitto) -> Iterator[Cloud]:
    servers.need("faketime", "apt-get install faketime")
    made = Cloud(tmp_path / "cloud", mosquitto.url)
    yield made
    made.close()


def started(folder: Path, name: str, broker: str, clock: str) -> subprocess.Popen[bytes]:
    config = {
        "gateway": {"id": name, "data_dir": "data"},
        "cloud": {"broker": broker},
        "health": {"interval_s": 1},
        "smoke": [
            {
                "device": f"{name}.bridge",
                "driver": "zigbee2mqtt",
                "broker": broker,
                "base_topic": f"zigbee2mqtt-{name}",
                "alarm": [{"friendly_name": "kitchen", "device": f"{name}.kitchen"}],
            }
        ],
    }
    folder.mkdir()
    (folder / "gateway.toml").write_text(tomlkit.dumps(config))
    with (folder / "agent.log").open("wb") as log:
        return subprocess.Popen(
            [
                *("faketime", "-f", clock),
                *(sys.executable, "-m", "vigil_edge", "run", "--config", "gateway.toml"),
            ],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "DONT_FAKE_MONOTONIC": "1"},
            start_new_session=True,
        )


@pytest.mark.parametrize(
    ("clock", "quality"),
    [("+3605s", "ahead"), ("+605s", "ahead"), ("@1970-01-01 00:05:00", "behind")],
    ids=["an hour ahead", "ten minutes ahead", "1970"],
)
def test_a_fire_under_a_wrong_clock(
    cloud: Cloud, mosquitto: servers.Mosquitto, tmp_path: Path, clock: str, quality: str
) -> None:
    name = new_name()
    with writing(cloud.city.services.sessions) as session:
        enrol(session, name, datetime.now(UTC))
    agent = started(tmp_path / "box", name, mosquitto.url, clock)
    try:
        servers.eventually(lambda: health(cloud, name), "health in spite of the clock")
        before = datetime.now(UTC)
        publish.single(f"zigbee2mqtt-{name}/kitchen", b'{"smoke":true}', 1, port=mosquitto.port)
        servers.eventually(lambda: fires(cloud, name), "a fire")
        (fire,) = fires(cloud, name)
    finally:
        # faketime starts the agent as a process of its own and passes no signal on.
        os.killpg(agent.pid, signal.SIGTERM)
        agent.wait(60)
        servers.eventually(lambda: not group_left(agent.pid), "the end of the agent")

    assert (fire.severity, fire.active) == ("critical", True)
    assert before <= fire.event_time <= datetime.now(UTC)
    assert fire.detail["time_quality"] == quality
    assert "since" in fire.detail["claimed_times"]
    assert cloud.letters(name) == []


def group_left(group: int) -> bool:
    """Whether any process of the group is still there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def health(cloud: Cloud, name: str) -> Any:
    row = cloud.gateway(name)
    return row is not None and row.health


def fires(cloud: Cloud, name: str) -> list[AlertRow]:
    return [row for row in cloud.rows(AlertRow, name) if row.kind == "smoke"]
