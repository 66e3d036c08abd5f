"""The real agent and the real cloud: from a search on the page to a reading on the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import servers
from e2e.two_ends import Box, Cloud, switched_on, until
from gateways import new_name
from vigil_cloud.identity.roles import Role
from vigil_sim.water.device import ModbusSonde, SignalRegister

EXO = [SignalRegister("temperature", 0, "Cel"), SignalRegister("pH", 4, "pH")]


@pytest.fixture
def cloud(tmp_path: Path, mosquitto: servers.Mosquitto) -> Iterator[Cloud]:
    made = Cloud(tmp_path / "cloud", mosquitto.url, open_enrolment=True)
    made.city.account("administrator", Role.ADMINISTRATOR)
    yield made
    made.close()


@pytest.fixture
def box(tmp_path: Path, cloud: Cloud) -> Box:
    made = Box(new_name(), tmp_path / "box", cloud)
    cloud.admit(made.name)
    return made


@pytest.fixture
async def sonde() -> AsyncIterator[ModbusSonde]:
    values = {"temperature": 20.0, "pH": 7.25}
    made = ModbusSonde(lambda _: values, EXO, device="x", unit=3, interval_s=3600)
    await made.start()
    yield made
    await made.stop()


async def test_from_a_search_to_a_reading(cloud: Cloud, box: Box, sonde: ModbusSonde) -> None:
    path, device = f"/api/v1/gateways/{box.name}", new_name("canal")
    client = cloud.city.client("administrator")

    def get(what: str) -> Any:
        answer = client.get(what)
        return answer.json() if answer.status_code == 200 else None

    async with switched_on(box):
        await until(lambda: cloud.gateway(box.name), "birth")
        arguments = {"addresses": [sonde.address], "domain": "water", "last_unit": 3}
        body = {"action": "discover", "arguments": arguments}
        assert client.post(f"{path}/commands", json=body).status_code == 202

        def done() -> Any:
            report = (get(f"{path}/search") or {}).get("report") or {}
            return report.get("found") if report.get("state") == "done" else None

        found = [one for one in await until(done, "what was found") if one["device"] is None]
        assert [one["addable"] for one in found] == [True]
        added = client.post(
            f"{path}/devices",
            json={
                "revision": 0,
                "found": found[0]["found"],
                "device": device,
                "choices": {"description": "ysi-exo"},
                "name": "Weir",
                "latitude": 23.5,
                "longitude": 120.4,
            },
        )
        assert added.status_code == 202, added.text

        def reading() -> Any:
            series = (get(f"/api/v1/devices/{device}/series") or {}).get("series", [])
            return {one["parameter"]: one["latest"] for one in series if one["latest"]}

        read = await until(lambda: reading().get("pH") and reading(), "its first reading")
        assert read["pH"]["v"] == pytest.approx(7.25)
        shown = get(f"/api/v1/devices/{device}")
        assert (shown["name"], shown["latitude"], shown["gateway"]) == ("Weir", 23.5, box.name)
        listed = get(f"{path}/configurations")
        assert (listed["added"], listed["newest"]) == ({device: found[0]["found"]}, 1)

        gone = client.post(f"{path}/devices/{device}/removal", json={"revision": 1})
        assert gone.status_code == 202, gone.text
        await until(
            lambda: get(f"{path}/configurations")["revisions"][0]["accepted"], "its removal"
        )
    assert cloud.letters(box.name) == []
