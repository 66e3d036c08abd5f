"""A city is backed up, goes on, is lost with all its stores and comes back from its backup, beside
a gateway that is a process of its own and never noticed: nothing that stands is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.publish as publish
import tomlkit
from sqlalchemy import select

import servers
from cloud_city import SECRET
from e2e.two_ends import Cloud
from gateways import new_name
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.backup import making, restoring
from vigil_cloud.config import load
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.seen import enrol
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.stores import build_services

HOMES = ("kitchen", "hall", "attic", "cellar")


@contextmanager
def agent(folder: Path, name: str, uplink: str, bridge: str) -> Iterator[None]:
    """`vigil-edge run`, with alarms behind a broker of their own."""
    alarms = [{"friendly_name": one, "device": f"{name}.{one}"} for one in HOMES]
    config = {
        "gateway": {"id": name, "data_dir": "data"},
        "cloud": {"broker": uplink},
        "health": {"interval_s": 1},
        "smoke": [
            {
                "device": f"{name}.bridge",
                "driver": "zigbee2mqtt",
                "broker": bridge,
                "base_topic": name,
                "alarm": alarms,
            }
        ],
    }
    folder.mkdir()
    (folder / "gateway.toml").write_text(tomlkit.dumps(config))
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "vigil_edge", "run", "--config", "gateway.toml"],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(60) == 0, (folder / "agent.log").read_text()


def standing(cloud: Cloud, name: str) -> set[tuple[str, str]]:
    """Alarm and kind of each alert that stands."""
    rows = cloud.rows(AlertRow, name)
    return {(row.device.rpartition(".")[2], row.kind) for row in rows if row.active and row.device}


def restored(cloud: Cloud, name: str) -> set[tuple[str, str]]:
    """Those whose history says that they stood in the backup."""
    with cloud.city.services.sessions() as session:
        rows = session.scalars(
            select(AlertRow)
            .join(AlertHistory, AlertHistory.alert_id == AlertRow.id)
            .where(AlertRow.gateway == name, AlertHistory.action == "restored")
        )
        return {(row.device.rpartition(".")[2], row.kind) for row in rows}


def test_what_stands_is_known_again_and_what_may_have_ended_is_told(
    tmp_path: Path, mosquitto: servers.Mosquitto
) -> None:
    name = new_name()

    def say(alarm: str, **payload: object) -> None:
        publish.single(f"{name}/{alarm}", json.dumps(payload), 1, port=mosquitto.port)

    uplink = servers.mosquitto(tmp_path / "broker")
    cloud = Cloud(tmp_path / "cloud", uplink.url)
    with writing(cloud.city.services.sessions) as session:
        enrol(session, name, datetime.now(UTC))
    try:
        with agent(tmp_path / "box", name, uplink.url, mosquitto.url):
            servers.eventually(
                lambda: (row := cloud.gateway(name)) is not None and row.health, "health"
            )
            say("kitchen", smoke=True)
            say("attic", smoke=False, battery_low=True)
            before = {("kitchen", "smoke"), ("attic", "battery_alert")}
            servers.eventually(lambda: standing(cloud, name) == before, "what stood before")

            making.make(cloud.city.services, tmp_path / "city.zip", by="operator")

            say("kitchen", smoke=False)
            say("hall", smoke=True)
            say("cellar", smoke=False, battery_low=True)
            new = {("hall", "smoke"), ("cellar", "battery_alert")}
            servers.eventually(
                lambda: standing(cloud, name) == {*new, ("attic", "battery_alert")}, "what follows"
            )
            cloud.close()
            uplink.stop()
            shutil.rmtree(tmp_path / "cloud")

            folder = tmp_path / "cloud"
            with closing(build_services(load(None, data_dir=folder, secret_key=SECRET))) as empty:
                restoring.restore(empty, tmp_path / "city.zip", by="operator")
            uplink.start()
            cloud = Cloud(folder, uplink.url)

            servers.eventually(lambda: standing(cloud, name) >= new, "what began after the backup")
            assert standing(cloud, name) == {*new, *before}, "no end is made up"
            assert restored(cloud, name) == before
            assert cloud.rows(DeadLetter, name) == []

            say("hall", smoke=False)
            servers.eventually(lambda: ("hall", "smoke") not in standing(cloud, name), "its end")
    finally:
        cloud.close()
        uplink.stop()
