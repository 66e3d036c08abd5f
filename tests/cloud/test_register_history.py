"""An entry's history: what was done to this entry, and to nothing else of its name."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_city import City
from vigil_cloud.app import registers
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices import downlinks
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.rows import new_device
from vigil_cloud.devices.schema import CommandRequest
from vigil_cloud.identity import audit
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.service import remove_account
from vigil_schemas.gateway import CommandResult

PATH = "/api/v1/registers"
ONE_NAME = "north-1"


def put(city: City, register: str, *, new: bool = True, key: str = ONE_NAME, **values: Any) -> None:
    body = {"key": key, "new": new, "values": values}
    answer = city.client("administrator").put(f"{PATH}/{register}/entry", json=body)
    assert answer.status_code == 200, answer.text


def retire(city: City, register: str) -> None:
    answer = city.client("administrator").post(
        f"{PATH}/{register}/retirement", json={"key": ONE_NAME}
    )
    assert answer.status_code == 204, answer.text


def actions(city: City, register: str, key: str = ONE_NAME) -> list[str]:
    answer = city.client("administrator").get(f"{PATH}/{register}/history", params={"key": key})
    assert answer.status_code == 200, answer.text
    return [line["action"] for line in answer.json()["lines"]]


@pytest.fixture
def north(city: City) -> City:
    """An account, a channel, a home, a district, a gateway, a device and a person of one name,
    with something done to each."""
    put(city, "districts", name="North", name_zh="北區")
    put(city, "accounts", roles=["family"])
    put(city, "channels", address="json://127.0.0.1/x", role="police")
    put(city, "homes", name="林宅")
    put(city, "people", name="Lin")
    with writing(city.services.sessions) as session:
        session.add(Gateway(gateway=ONE_NAME, added=city.time, updated=city.time))
        insert_missing(session, Device, [new_device(ONE_NAME, ONE_NAME, "water", city.time)])
    put(city, "gateways", new=False, district=ONE_NAME)
    put(city, "devices", new=False, district=ONE_NAME)
    return city


def test_things_of_one_name_have_each_its_own_history(north: City) -> None:
    assert {one.name: actions(north, one.name) for one in registers()} == {
        "accounts": ["account.registered", "account.added"],
        "channels": ["channel.added"],
        "policies": [],
        "homes": ["household.added"],
        "districts": ["district.put"],
        "gateways": ["gateway.placed"],
        "devices": ["device.placed"],
        "people": ["person.enrolled"],
        "tags": [],
    }


def test_a_gateways_commands_are_not_its_devices(north: City) -> None:
    """Both are asked for and answered under the subject's name alone."""
    for device, action in ((None, "resend_birth"), (ONE_NAME, "sample_now")):
        with writing(north.services.sessions) as session:
            asked = CommandRequest(action=action, device=device)
            row = downlinks.send_command(session, ONE_NAME, asked, "operator", north.time)
            done = CommandResult(command_id=row.id, accepted=True)
            downlinks.answered(session, ONE_NAME, done, north.time, north.time)
    with north.services.sessions() as session:
        commands = session.query(AuditEntry).filter(AuditEntry.action.startswith("command."))
        assert [line.subject for line in commands] == [ONE_NAME] * 4
    commands_of = ["command.answered", "command.sent"]
    assert actions(north, "gateways") == [*commands_of, "gateway.placed"]
    assert actions(north, "devices") == [*commands_of, "device.placed"]


def test_a_line_that_does_not_say_whose_it_is_is_shown_to_both(north: City) -> None:
    """Nothing of what was written before is lost from sight."""
    with writing(north.services.sessions) as session:
        audit.append(
            session, at=north.time, account="x", action="command.sent", subject=ONE_NAME, detail={}
        )
    assert actions(north, "gateways")[0] == actions(north, "devices")[0] == "command.sent"


def test_whoever_takes_over_a_name_has_nothing_of_whoever_had_it(north: City) -> None:
    put(north, "accounts", new=False, email="old@example.org")
    with writing(north.services.sessions) as session:
        remove_account(session, ONE_NAME, by="operator", now=north.time)
    assert actions(north, "accounts")[:2] == ["account.removed", "account.changed"], "how it ended"
    retire(north, "channels")

    put(north, "accounts", roles=["police"])
    put(north, "channels", address="json://127.0.0.1/y", role="inspector")
    assert actions(north, "accounts") == ["account.registered", "account.added"]
    assert actions(north, "channels") == ["channel.added"]


def test_every_register_says_what_its_history_is_made_of(city: City) -> None:
    for one in registers():
        assert one.told_by, one.name
        assert all(action.startswith(one.told_by) for action in one.ended_by), one.name


def test_what_domains_say_of_an_entry_is_in_its_history(north: City) -> None:
    """Stations' links of a device, a home's codes, a volunteer's certificate."""
    said = {
        "devices": "station-links.made",
        "homes": "home.code-set",
        "accounts": "aed.certified",
    }
    with writing(north.services.sessions) as session:
        for action in said.values():
            audit.append(
                session, at=north.time, account="x", action=action, subject=ONE_NAME, detail={}
            )
    assert {name: actions(north, name)[0] for name in said} == said
