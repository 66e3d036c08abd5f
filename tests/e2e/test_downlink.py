"""Commands and settings from the cloud's API to the gateway's pipelines, and what comes back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import servers
from e2e.two_ends import Box, Cloud, switched_on, until
from gateways import Gateway, new_name
from vigil_edge.delivery.control import Asked
from vigil_edge.delivery.outbox_store import OutboxFull
from vigil_schemas.control import Command
from vigil_schemas.envelope import CLOUD_SOURCE, encode

DEVICE = "/api/v1/devices/sonde-e2e"


@pytest.fixture
async def cloud(tmp_path: Path, mosquitto: servers.Mosquitto) -> AsyncIterator[Cloud]:
    made = Cloud(tmp_path / "cloud", mosquitto.url, open_enrolment=True)
    yield made
    await asyncio.to_thread(made.close)


async def test_a_command_waits_and_settings_are_taken_or_refused(
    tmp_path: Path, cloud: Cloud
) -> None:
    # Given a gateway that was there, and is away.
    name = new_name()
    await asyncio.to_thread(cloud.admit, name)
    box = Box(name, tmp_path / "box", cloud)
    client = await asyncio.to_thread(cloud.maintainer)

    def get(path: str) -> Any:
        return client.get(path).json()

    await box.on()
    try:
        await until(lambda: get(f"{DEVICE}/settings").get("settings"), "its settings are known")
        await box.off()
        await until(lambda: not cloud.gateway(name).connected, "it is away")  # type: ignore[union-attr]

        # When somebody asks it for something, and changes a setting.
        sent = await asyncio.to_thread(
            client.post, f"{DEVICE}/commands", json={"action": "restart_source"}
        )
        body = {"revision": 0, "settings": {"name": "At the weir", "signal.pH.high": 9.0}}
        changed = await asyncio.to_thread(client.patch, f"{DEVICE}/settings", json=body)
        assert (sent.status_code, changed.status_code) == (202, 202)

        # Then both are done when it is back.
        await box.on()

        def answers() -> dict[str, Any]:
            listed = get(f"/api/v1/gateways/{name}/downlinks")["downlinks"]
            return {one["id"]: one for one in listed if one["answered"]}

        await until(lambda: sent.json()["id"] in answers(), "the command is answered")
        assert answers()[sent.json()["id"]]["accepted"]
        await until(lambda: get(f"{DEVICE}/settings")["in_force"], "the settings are in force")
        await until(lambda: get(DEVICE)["name"] == "At the weir", "its new name is shown")

        # And what the gateway refuses is told where it was asked for.
        body = {"revision": 1, "settings": {"interval_s": -5}}
        await asyncio.to_thread(client.patch, f"{DEVICE}/settings", json=body)
        await until(lambda: get(f"{DEVICE}/settings")["mistakes"], "the refusal is shown")
        shown = await asyncio.to_thread(get, f"{DEVICE}/settings")
        assert shown["accepted"] is False
        assert "interval_s" in shown["mistakes"][0]["key"]
        values = {one["key"]: one["value"] for one in shown["settings"]}
        assert (values["signal.pH.high"], values["interval_s"]) == (9.0, 60.0)
    finally:
        await box.off()


async def test_an_answer_that_found_no_room_is_given_when_the_gateway_is_there_again(
    tmp_path: Path, cloud: Cloud
) -> None:
    name = new_name()
    await asyncio.to_thread(cloud.admit, name)
    box = Box(name, tmp_path / "box", cloud)
    client = await asyncio.to_thread(cloud.maintainer)

    def settings() -> Any:
        return client.get(f"{DEVICE}/settings").json()

    refused = asyncio.Event()

    async def full(_: object) -> None:
        refused.set()
        raise OutboxFull("no room")

    await box.open()
    box.agent.configuration.answer = full
    await box.run()
    try:
        await until(lambda: settings().get("settings"), "its settings are known")
        body = {"revision": 0, "settings": {"signal.pH.high": 9.0}}
        await asyncio.to_thread(client.patch, f"{DEVICE}/settings", json=body)
        await asyncio.wait_for(refused.wait(), 60)
        await until(lambda: settings()["in_force"], "the settings are in force")
        assert settings()["accepted"] is None
    finally:
        await box.off()
    async with switched_on(box):
        await until(lambda: settings()["accepted"], "the answer is there")


async def test_a_box_that_was_replaced_gets_what_was_set_before_though_no_broker_kept_it(
    tmp_path: Path,
) -> None:
    """thingsboard/thingsboard#731, nrfconnect/sdk-nrf#5703: settings were lost with a device that
    was away or whose memory was erased, and the platform showed them as in force."""
    broker = servers.mosquitto(tmp_path / "broker")
    cloud = await asyncio.to_thread(Cloud, tmp_path / "cloud", broker.url, open_enrolment=True)
    name = new_name()
    client = await asyncio.to_thread(cloud.maintainer)

    def settings() -> Any:
        return client.get(f"{DEVICE}/settings").json()

    box = Box(name, tmp_path / "box", cloud)
    try:
        await asyncio.to_thread(cloud.admit, name)
        async with switched_on(box):
            await until(lambda: settings().get("settings"), "its settings are known")
            body = {"revision": 0, "settings": {"signal.pH.high": 9.0}}
            await asyncio.to_thread(client.patch, f"{DEVICE}/settings", json=body)
            await until(lambda: settings()["in_force"], "the settings are in force")

        # When the broker forgets what it had retained, and another box takes over.
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        shutil.rmtree(box.folder / "data")
        async with switched_on(box):
            await until(
                lambda: settings()["reported_revision"] == 1 and settings()["in_force"],
                "the settings are in force again",
            )
            values = {one["key"]: one["value"] for one in settings()["settings"]}
            assert values["signal.pH.high"] == 9.0
    finally:
        await asyncio.to_thread(cloud.close)
        broker.stop()


async def test_what_was_asked_while_the_cloud_was_started_again_is_done_once_each_in_order(
    tmp_path: Path, cloud: Cloud
) -> None:
    """thingsboard/thingsboard#11642: a call that waited was stuck after the server's restart.
    chirpstack/chirpstack#321: the first of several was sent again and again, the others never."""
    name = new_name()
    await asyncio.to_thread(cloud.admit, name)
    box = Box(name, tmp_path / "box", cloud)
    client = await asyncio.to_thread(cloud.maintainer)
    done: list[str] = []

    async with switched_on(box):
        await until(lambda: client.get(DEVICE).is_success, "its device is known")
    await until(lambda: not cloud.gateway(name).connected, "it is away")  # type: ignore[union-attr]
    asked = []
    for action in ("report_health", "resend_birth", "reload_thresholds", "report_health"):
        answer = await asyncio.to_thread(
            client.post, f"/api/v1/gateways/{name}/commands", json={"action": action}
        )
        assert answer.status_code == 202, answer.text
        asked.append(answer.json()["id"])

    await asyncio.to_thread(cloud.start_ingest_again)
    await box.open()
    real = box.agent.control._perform

    async def noted(command: Asked) -> str:
        done.append(command.id)
        return await real(command)

    box.agent.control._perform = noted
    await box.run()
    try:

        def answered() -> bool:
            listed = client.get(f"/api/v1/gateways/{name}/downlinks").json()["downlinks"]
            return all(one["answered"] for one in listed if one["id"] in asked)

        await until(answered, "all of them are answered")
    finally:
        await box.off()
    assert done == asked


async def test_a_command_that_somebody_retained_is_never_done_however_often_it_comes(
    tmp_path: Path, cloud: Cloud, mosquitto: servers.Mosquitto
) -> None:
    """emsesp/EMS-ESP32#2179, 1technophile/OpenMQTTGateway#102, Caligone/openqiara#33: at each
    restart the last command was done again."""
    name = new_name()
    await asyncio.to_thread(cloud.admit, name)
    command = Command(
        command_id="left-behind",
        action="resend_birth",
        expires=datetime.now(UTC) + timedelta(days=1),
    )
    sender = Gateway(mosquitto.port, new_name())
    payload = encode(
        id="left-behind",
        source=CLOUD_SOURCE,
        type=Command.TYPE,
        subject=name,
        time=datetime.now(UTC),
        data=command,
    )
    sender.client.publish(f"vigil/v1/{name}/command", payload, 1, retain=True).wait_for_publish(60)
    box = Box(name, tmp_path / "box", cloud)
    try:
        for _ in range(3):
            async with switched_on(box):
                await until(lambda: "left-behind" in box.agent.control._done, "it was looked at")
                answer = box.agent.control._done["left-behind"]
                assert answer is not None
                assert (answer.accepted, answer.code) == (False, "retained")
    finally:
        sender.client.publish(f"vigil/v1/{name}/command", b"", 1, retain=True).wait_for_publish(60)
        sender.close()
