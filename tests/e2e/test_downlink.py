"""Commands and settings from the cloud's API to the gateway's pipelines, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import servers
from e2e.two_ends import Box, Cloud, until
from gateways import new_name

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
