"""Alarms of other homes close to a fire, on the card of whoever leads."""

from __future__ import annotations

from typing import Any

from cloud_city import GATEWAY
from fire_town import ADDRESS, BEDROOM, HOME, KITCHEN, Home, ring
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.rows import new_device
from vigil_cloud.identity import districts, households
from vigil_cloud.identity.service import account_named

PLACE = (23.481, 120.441)
NORTH = 1 / 111_195.0
"""A metre, in degrees."""


def standing(home: Home, device: str, north_m: float, domain: str = "smoke") -> None:
    with writing(home.city.services.sessions) as session:
        insert_missing(session, Device, [new_device(device, GATEWAY, domain, home.city.time)])
        row = session.get_one(Device, device)
        row.latitude, row.longitude = PLACE[0] + north_m * NORTH, PLACE[1]
        row.name, row.name_zh, row.state = f"The {device}", f"{device}號", "ok"


def neighbours(home: Home) -> list[dict[str, Any]]:
    """On the card of the fire in this home, whatever else burns by now."""
    (fire,) = [one["fire"] for one in home.fires() if one["household"] == HOME]
    found: list[dict[str, Any]] = home.say("dispatcher", "GET", f"/fires/{fire}").json()[
        "neighbours"
    ]
    return found


def test_alarms_close_by_are_shown_those_that_ring_first(home: Home) -> None:
    for device, away in (("no10", 20.0), ("no14", 60.0), ("no99", 400.0)):
        standing(home, device, away)
    standing(home, "probe", 10.0, "water")
    ring(home)
    assert [(one["device"], one["away_m"]) for one in neighbours(home)] == [
        ("no10", 20),
        ("no14", 60),
    ]
    assert neighbours(home)[0]["name_zh"] == "no10號"
    ring(home, "no14", alarm_id="fire-of-no14")
    first, second = neighbours(home)
    assert (first["device"], first["burns"]) == ("no14", ["smoke"])
    assert (second["device"], second["burns"]) == ("no10", [])
    ring(home, "no14", active=False, alarm_id="fire-of-no14")
    assert [one["burns"] for one in neighbours(home)] == [[], []]


def test_the_homes_own_alarms_are_no_neighbours(home: Home) -> None:
    for device in (KITCHEN, BEDROOM):
        standing(home, device, 1.0)
    ring(home)
    assert neighbours(home) == []


def test_what_is_outside_of_ones_districts_is_not_shown(home: Home) -> None:
    city = home.city
    for device in ("no10", "no12"):
        standing(home, device, 10.0)
    with writing(city.services.sessions) as session:
        for name in ("east", "west"):
            districts.put(session, name, name, name, by="test", now=city.time)
        described = households.Described("Chen", ADDRESS, "east", PLACE)
        households.put(session, city.cipher, HOME, described, by="test", now=city.time)
        leader = account_named(session, "dispatcher")
        districts.limit(session, leader, ["east"], by="test", now=city.time)
        for device, district in (("no10", "east"), ("no12", "west")):
            districts.place(session, "device", device, district, by="test", now=city.time)
    ring(home)
    path = f"/api/v1/smoke/fires/{home.fires()[0]['fire']}"
    for who, seen in (("administrator", ["no10", "no12"]), ("dispatcher", ["no10"])):
        shown = city.client(who).get(path).raise_for_status().json()
        assert [one["device"] for one in shown["neighbours"]] == seen, who
