"""A search from the family's report to its end, through a real broker and a real station."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import servers
from e2e.two_ends import Box, Cloud, until
from edge.checkin.test_ble import AMULET, advert
from gateways import new_name
from vigil_cloud.app import jobs
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.runner import JobRunner
from vigil_edge.checkin.states import WATCH
from vigil_sim.checkin.advert_socket import AdvertSocket

STATION = "station-e2e"


@pytest.fixture
async def cloud(tmp_path: Path, mosquitto: servers.Mosquitto) -> AsyncIterator[Cloud]:
    made = Cloud(tmp_path / "cloud", mosquitto.url, open_enrolment=True)
    city = made.city
    city.account("daughter", Role.FAMILY)
    city.account("officer", Role.POLICE)
    city.person("p1", tag=AMULET.tag)
    city.guardian("daughter")
    services = city.services
    runner = JobRunner(services, jobs(services, ingest=True))
    runner.start()
    yield made
    await asyncio.to_thread(runner.stop)
    await asyncio.to_thread(made.close)


@pytest.fixture
async def radio(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AdvertSocket]:
    stand_in = AdvertSocket()
    await stand_in.start()
    for name, value in stand_in.environment.items():
        monkeypatch.setenv(name, value)
    yield stand_in
    await stand_in.stop()


def box_with_station(folder: Path, cloud: Cloud, radio: AdvertSocket) -> Box:
    """A station that needs so many sightings for a visit that there will be none."""
    box = Box(new_name(), folder, cloud)
    box.file.write_text(
        box.file.read_text()
        + f'[[checkin]]\ndevice = "{STATION}"\nname = "Temple"\nname_zh = "廟口"\n'
        f'driver = "ble"\nbackend = "{radio.backend}"\nadapter = "hci0"\n'
        "min_sightings = 1000\nlatitude = 23.48\nlongitude = 120.44\n"
    )
    return box


async def test_a_station_hears_who_is_missing_and_the_case_has_it(
    tmp_path: Path, cloud: Cloud, radio: AdvertSocket
) -> None:
    box = box_with_station(tmp_path / "box", cloud, radio)
    await asyncio.to_thread(cloud.admit, box.name)
    family = await asyncio.to_thread(cloud.city.client, "daughter")
    police = await asyncio.to_thread(cloud.city.client, "officer")
    await box.on()
    try:
        devices = "/api/v1/devices"
        await until(
            lambda: any(one["device"] == STATION for one in family.get(devices).json()["devices"]),
            "the station is known",
        )

        # When the daughter reports her missing
        told = await asyncio.to_thread(
            family.post, "/api/v1/search/reports", json={"person_key": "p1"}
        )
        assert told.status_code == 201, told.text
        case = told.json()["case_id"]

        def map_of(who: Any) -> dict[str, Any]:
            found: dict[str, Any] = who.get(f"/api/v1/search/cases/{case}/map").json()
            return found

        # Then the station watches, and one advert is enough
        await until(lambda: map_of(family)["watch"]["watching"] == 1, "the station watches")
        radio.adapter().heard(advert(AMULET, -70))
        (hit,) = await until(lambda: map_of(family)["hits"], "the hit is on the case")
        assert (hit["device"], hit["at_once"]) == (STATION, True)

        # and the officer sees it with a reason, until it ends
        opened = await asyncio.to_thread(
            police.post, f"/api/v1/cases/{case}/access", json={"reason": "Call 110-2231"}
        )
        assert opened.status_code == 200, opened.text
        seen = await asyncio.to_thread(map_of, police)
        assert seen["last_place"]["name"] == "Temple"
        ended = await asyncio.to_thread(
            police.post,
            f"/api/v1/search/cases/{case}/end",
            json={"version": seen["version"], "outcome": "found-well", "text": "At the temple"},
        )
        assert ended.status_code == 200, ended.text
        assert (await asyncio.to_thread(map_of, police))["code"] == "case-needs-reason"

        def watched() -> bytes:
            return box.agent.outbox.state(STATION, WATCH) or b""

        await until(lambda: AMULET.tag.encode() not in watched(), "the list is withdrawn")
    finally:
        await box.off()


async def test_a_station_that_was_away_is_told_when_it_is_back(
    tmp_path: Path, cloud: Cloud, radio: AdvertSocket
) -> None:
    # Given a station that is away, and somebody who is missing
    box = box_with_station(tmp_path / "box", cloud, radio)
    await asyncio.to_thread(cloud.admit, box.name)
    family = await asyncio.to_thread(cloud.city.client, "daughter")
    await box.on()
    await until(
        lambda: cloud.gateway(box.name) and family.get("/api/v1/devices/" + STATION).is_success,
        "known",
    )
    await box.off()
    told = await asyncio.to_thread(family.post, "/api/v1/search/reports", json={"person_key": "p1"})
    case = told.json()["case_id"]

    def watch() -> dict[str, Any]:
        found: dict[str, Any] = family.get(f"/api/v1/search/cases/{case}/map").json()["watch"]
        return found

    await until(lambda: watch()["waiting"] == 1, "the list waits")

    # When it is back
    await box.on()
    try:
        await until(lambda: watch()["watching"] == 1, "it watches")
    finally:
        await box.off()

    # When its gateway's file has no such station any more
    assert AMULET.tag.encode() in (box.agent.outbox.state(STATION, WATCH) or b"")
    text = box.file.read_text()
    box.file.write_text(text[: text.index("[[checkin]]")])
    await box.on()
    try:  # then nothing on its disk names anybody
        await until(lambda: not box.agent.outbox.state(STATION, WATCH), "the list is erased")
    finally:
        await box.off()
