"""Devices that a gateway found, added from the cloud; revisions, their changes, the way back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloud_city import GATEWAY, City
from sql import statements
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import Device, Downlink
from vigil_cloud.devices.rows import new_device
from vigil_cloud.devices.sending import send_waiting
from vigil_cloud.identity.models import AuditEntry
from vigil_schemas.control import (
    AddedDevice,
    Command,
    Configuration,
    ConfigurationV2,
    Receipt,
)
from vigil_schemas.discovery import DiscoveryReport, FoundDevice, LookReport, RawReading
from vigil_schemas.envelope import decode
from vigil_schemas.gateway import CommandResult, ConfigurationReport, RefusedConfiguration

FOUND = "0123456789abcdef"
OLD = [Receipt.TYPE, Command.TYPE, ConfigurationV2.TYPE]
NEW = [*OLD, Configuration.TYPE]
PATH = f"/api/v1/gateways/{GATEWAY}"


def post(city: City, path: str, body: dict[str, Any], who: str = "maintainer") -> Any:
    return city.client(who).post(f"{PATH}{path}", json=body)


def get(city: City, path: str) -> Any:
    answer = city.client("maintainer").get(f"{PATH}{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def add(city: City, revision: int, device: str = "canal-1", **keys: Any) -> Any:
    return post(city, "/devices", {"revision": revision, "found": FOUND, "device": device, **keys})


def sent(city: City) -> list[Any]:
    """What goes down now."""
    went: list[Any] = []

    def publish(_topic: str, payload: bytes, _retain: bool) -> bool:
        went.append(decode(payload).data)
        return True

    with writing(city.services.sessions) as session:
        send_waiting(session, publish, city.time)
    return went


def test_a_found_device_is_added_with_its_names_and_its_place(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    answer = add(
        city,
        0,
        choices={"description": "ysi-exo"},
        name="Weir",
        name_zh="水門",
        latitude=23.5,
        longitude=120.4,
    )
    assert answer.status_code == 202, answer.text
    (configuration,) = sent(city)
    assert configuration == Configuration(
        revision=1,
        devices={"canal-1": AddedDevice(found=FOUND, choices={"description": "ysi-exo"})},
        settings={
            "canal-1": {
                "name": "Weir",
                "name_zh": "水門",
                "latitude": 23.5,
                "longitude": 120.4,
            }
        },
    )
    with city.services.sessions() as session:
        line = session.query(AuditEntry).filter_by(action="config.sent").one()
        assert (line.account, line.subject) == ("maintainer", GATEWAY)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"device": "mic-1"}, 409, "device-taken"),
        ({"revision": 7}, 409, "configuration-moved"),
        ({"found": "nonsense"}, 422, "invalid-request"),
        ({"device": "Capital"}, 422, "invalid-request"),
        ({"address": "10.0.0.1:502"}, 422, "invalid-request"),
        ({"name": "two\nlines"}, 422, "invalid-request"),
        ({"latitude": 91.0}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_added_is_said(
    city: City, body: dict[str, Any], status: int, code: str
) -> None:
    city.birth(session=2, accepts=NEW)
    whole = {"revision": 0, "found": FOUND, "device": "canal-1", **body}
    answer = post(city, "/devices", whole)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sent(city) == []


def test_a_device_of_another_gateway_is_not_taken(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    with writing(city.services.sessions) as session:
        other = new_device("canal-9", "gw-elsewhere", "water", city.time)
        insert_missing(session, Device, [{**other, "claimed": True}])
    assert add(city, 0, "canal-9").json()["code"] == "device-taken"


def test_no_revision_takes_back_what_is_another_gateways_by_now(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    assert add(city, 0, "canal-9").status_code == 202
    assert post(city, "/devices/canal-9/removal", {"revision": 1}).status_code == 202
    with writing(city.services.sessions) as session:
        other = new_device("canal-9", "gw-elsewhere", "water", city.time)
        insert_missing(session, Device, [{**other, "claimed": True}])
    for path, body in (
        ("/configurations/1/restoration", {"revision": 2}),
        ("/configurations", {"devices": {"canal-9": {"found": FOUND}}}),
    ):
        answer = post(city, path, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "device-taken"), path
    assert get(city, "/configurations")["newest"] == 2


def test_a_gateway_of_before_is_told_of_and_gets_what_it_knows(city: City) -> None:
    city.birth(session=2, accepts=OLD)
    assert add(city, 0).status_code == 202
    assert sent(city) == []
    newest = get(city, "/configurations")["revisions"][0]
    assert (newest["accepted"], newest["code"]) == (False, "gateway-too-old")

    assert post(city, "/devices/canal-1/removal", {"revision": 1}).status_code == 202
    (configuration,) = sent(city)
    assert type(configuration) is ConfigurationV2
    city.birth(session=3, accepts=NEW)
    assert sent(city) == [Configuration(revision=2)], "in the version that it understands now"


def test_each_revision_says_who_changed_what_and_one_can_go_back(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    assert add(city, 0, name="Weir").status_code == 202
    body = {"revision": 1, "settings": {"name": "At the weir"}}
    settings = {"canal-1": {"name": "Weir", "high": None}}
    city.send(ConfigurationReport(revision=1, in_force=True, settings=settings), GATEWAY)
    described = {"device": "canal-1", "domain": "water", "driver": "modbus-tcp"}
    city.birth(session=2, accepts=NEW, description=1, devices=[described])
    changed = city.client("administrator").patch("/api/v1/devices/canal-1/settings", json=body)
    assert changed.status_code == 202, changed.text
    whole = {"paused_devices": ["canal-1"], "settings": {"canal-1": {"name": "At the weir"}}}
    assert post(city, "/configurations", whole).status_code == 202

    listed = get(city, "/configurations")
    assert (listed["newest"], listed["added"]) == (3, {"canal-1": FOUND})
    told = [
        (
            one["revision"],
            one["account"],
            [(c["device"], c["key"], c["before"], c["after"]) for c in one["changes"]],
        )
        for one in listed["revisions"]
    ]
    assert told == [
        (3, "maintainer", [("canal-1", "paused", False, True)]),
        (2, "administrator", [("canal-1", "name", "Weir", "At the weir")]),
        (
            1,
            "maintainer",
            [("canal-1", "added", False, True), ("canal-1", "name", None, "Weir")],
        ),
    ]

    path = "/configurations/1/restoration"
    assert post(city, path, {"revision": 2}).json()["code"] == "configuration-moved"
    assert post(city, path, {"revision": 3}).status_code == 202
    configuration = sent(city)[-1]
    assert (configuration.revision, configuration.settings, configuration.paused_devices) == (
        4,
        {"canal-1": {"name": "Weir"}},
        [],
    )
    assert configuration.devices == {"canal-1": AddedDevice(found=FOUND)}
    unknown = post(city, "/configurations/99/restoration", {"revision": 4})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-revision")
    for beyond in (2**53, 2**63):
        answer = post(city, f"/configurations/{beyond}/restoration", {"revision": 4})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert post(city, "/configurations/0/restoration", {"revision": 4}).status_code == 202
    assert sent(city)[-1] == Configuration(revision=5)


def test_an_added_device_is_removed_and_one_of_the_file_is_not(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    add(city, 0, name="Weir")
    of_file = post(city, "/devices/mic-1/removal", {"revision": 1})
    assert (of_file.status_code, of_file.json()["code"]) == (404, "device-not-added")
    assert post(city, "/devices/canal-1/removal", {"revision": 1}).status_code == 202
    assert sent(city)[-1] == Configuration(revision=2)
    assert add(city, 2).status_code == 202, "and it can be added again"


def test_what_the_gateway_refused_is_mended_under_the_same_id(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    add(city, 0, choices={"description": "wrong"})
    sent(city)
    city.send(
        CommandResult(command_id="config-1", accepted=False, code="bad-configuration"), GATEWAY
    )
    assert add(city, 1, choices={"description": "right"}).status_code == 202
    right = AddedDevice(found=FOUND, choices={"description": "right"})
    assert sent(city)[-1].devices == {"canal-1": right}


def searched(command: str, state: str = "done", **keys: Any) -> DiscoveryReport:
    one = FoundDevice(
        found=FOUND, domain="water", driver="modbus-tcp", title="Unit 2", title_zh="單元 2"
    )
    fields = {"command_id": command, "state": state, "began": "2026-05-01T08:00:00Z", **keys}
    return DiscoveryReport.model_validate({**fields, "found": [one]})


def test_the_newest_search_is_shown_as_it_goes_on(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    assert get(city, "/search") == {"asked": None, "report": None}
    asked = post(city, "/commands", {"action": "discover", "arguments": {"last_unit": 3}})
    assert asked.status_code == 202, asked.text
    command = asked.json()["id"]
    assert sent(city)[0].arguments["last_unit"] == 3
    assert get(city, "/search")["report"] is None

    city.send(CommandResult(command_id=command, accepted=True), GATEWAY)
    city.send(searched(command, "searching"), GATEWAY)
    assert get(city, "/search")["report"]["state"] == "searching"
    city.send(searched(command), GATEWAY)
    city.send(searched(command, "searching"), GATEWAY)  # overtaken on its way
    shown = get(city, "/search")
    assert (shown["asked"]["id"], shown["report"]["state"]) == (command, "done")
    assert shown["report"]["found"][0]["title"] == "Unit 2"

    # What another gateway says of it is not believed.
    city.send(searched(command, "interrupted"), "gw-other", "gw-other")
    assert get(city, "/search")["report"]["state"] == "done"
    city.later(minutes=1)
    post(city, "/commands", {"action": "report_health"})
    assert get(city, "/search")["asked"]["id"] == command


def test_the_newest_search_is_found_behind_any_number_of_commands(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    command = post(city, "/commands", {"action": "discover", "arguments": {}}).json()["id"]
    with writing(city.services.sessions) as session:
        row = session.get_one(Downlink, command)
        for number in range(600):
            session.add(
                Downlink(
                    id=f"look-{number}",
                    gateway=row.gateway,
                    channel=row.channel,
                    payload={"action": "look"},
                    account="maintainer",
                    created=row.created + timedelta(seconds=number + 1),
                )
            )
    with statements(city.services.engine) as asked:
        assert get(city, "/search")["asked"]["id"] == command
    assert sum("FROM downlinks" in statement for statement, _ in asked) == 1


def test_wrong_searches_are_refused_before_they_are_sent(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    for arguments in (
        {"last_unit": 300},
        {"addresses": ["with blank"]},
        {"addresses": ["x"] * 17},
        {"domain": "Water!"},
        {"more": 1},
    ):
        answer = post(city, "/commands", {"action": "discover", "arguments": arguments})
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong-command"), arguments


def test_a_look_tells_raw_values(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    body = {"action": "look", "arguments": {"found": FOUND, "choices": {"description": "x"}}}
    command = post(city, "/commands", body).json()["id"]
    assert get(city, f"/looks/{command}")["report"] is None
    reading = RawReading(name="pH", raw="40e8 0000", value=7.25, unit="pH")
    city.send(
        LookReport(command_id=command, found=FOUND, time=city.time, readings=[reading]), GATEWAY
    )
    shown = get(city, f"/looks/{command}")
    assert shown["report"]["readings"] == [
        {"name": "pH", "raw": "40e8 0000", "value": 7.25, "unit": "pH", "doubt": None}
    ]
    other = post(city, "/commands", {"action": "report_health"}).json()["id"]
    answer = city.client("maintainer").get(f"{PATH}/looks/{other}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-command")


def test_a_refusal_ends_when_the_gateway_found_the_device(city: City) -> None:
    """Given another box that knows nothing yet: it refuses, searches, and takes it."""
    city.birth(session=2, accepts=NEW)
    add(city, 0)
    sent(city)
    city.send(
        CommandResult(command_id="config-1", accepted=False, code="bad-configuration"), GATEWAY
    )
    refused = RefusedConfiguration(revision=1, mistakes=[])
    city.send(
        ConfigurationReport(revision=1, in_force=False, settings={}, refused=refused), GATEWAY
    )
    assert get(city, "/configurations")["revisions"][0]["accepted"] is False
    city.time += timedelta(minutes=1)
    city.send(CommandResult(command_id="config-1", accepted=True), GATEWAY)
    city.send(ConfigurationReport(revision=1, in_force=True, settings={}), GATEWAY)
    newest = get(city, "/configurations")["revisions"][0]
    assert (newest["accepted"], newest["code"]) == (True, "ok")


def test_pausing_keeps_what_was_added(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    add(city, 0)
    whole = {"paused_devices": ["canal-1"], "settings": {"canal-1": {"name": "Weir"}}}
    assert post(city, "/configurations", whole).status_code == 202
    assert sent(city)[-1].devices == {"canal-1": AddedDevice(found=FOUND)}


def test_whoever_pauses_on_an_older_look_takes_nothing_back(city: City) -> None:
    city.birth(session=2, accepts=NEW)
    add(city, 0, name="Weir")  # by somebody else, since the page was read
    paused = {"revision": 0, "paused_devices": ["mic-1"]}
    refused = post(city, "/configurations", paused)
    assert (refused.status_code, refused.json()["code"]) == (409, "configuration-moved")
    assert post(city, "/configurations", {**paused, "revision": 1}).status_code == 202
    mistyped = post(city, "/configurations", {"pause_devices": ["mic-1"]})
    assert (mistyped.status_code, mistyped.json()["code"]) == (422, "invalid-request")
