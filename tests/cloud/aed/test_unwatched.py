"""A cabinet of the register that no gateway reads any more: its button calls nobody, and that is
told."""

from __future__ import annotations

from typing import Any

from aed_town import CABINET, GATEWAY, press
from cloud_city import City
from vigil_cloud.aed.unwatched import unwatched_job
from vigil_cloud.alerts import unread
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.jobs.port import Turn
from vigil_schemas.gateway import DeviceDescription


def told(city: City, who: str = "maintainer") -> list[dict[str, Any]]:
    unwatched_job().run(Turn(city.services, city.time))
    city.later(seconds=20)
    return [one for one in city.alerts(who, domain="aed") if one["kind"] == unread.KIND]


def test_maintainers_and_dispatchers_are_told_until_a_gateway_reads_it_again(town: City) -> None:
    assert told(town) == []
    with writing(town.services.sessions) as session:
        removal.revoke(session, GATEWAY, by="test", now=town.time)
    for who in ("maintainer", "dispatcher", "maintainer"):
        (mine,) = told(town, who)
        assert mine["device"] == CABINET
        assert mine["severity"] == "major"
        assert mine["state"]["active"]
    with writing(town.services.sessions) as session:
        removal.readmit(session, GATEWAY, by="test", now=town.time)
    described = DeviceDescription(device=CABINET, domain="aed", driver="modbus-tcp")
    town.birth(GATEWAY, session=3, epoch="00000001", devices=[described])
    (mine,) = told(town)
    assert not mine["state"]["active"]


def test_one_that_was_taken_off_the_list_is_told(town: City) -> None:
    press(town)
    with writing(town.services.sessions) as session:
        removal.remove_device(session, CABINET, by="test", now=town.time)
    assert [one["device"] for one in told(town)] == [CABINET]


def test_one_that_is_still_to_come_is_not(town: City) -> None:
    client = town.client("administrator")
    put = client.put(
        "/api/v1/aed/sites/market",
        json={"name": "Market", "latitude": 23.48, "longitude": 120.45, "device": "aed-later"},
    )
    assert put.status_code == 200, put.text
    assert told(town) == []


def test_it_ends_when_the_register_names_it_no_more(town: City) -> None:
    with writing(town.services.sessions) as session:
        removal.revoke(session, GATEWAY, by="test", now=town.time)
    assert len(told(town)) == 1
    town.client("administrator").delete("/api/v1/aed/sites/hall").raise_for_status()
    (mine,) = told(town)
    assert not mine["state"]["active"]
