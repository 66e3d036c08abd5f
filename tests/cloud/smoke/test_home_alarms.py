"""What those who live in a home see of its alarms, and ask of them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from fire_town import BEDROOM, HOME, KITCHEN, Home, ring
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device, Downlink
from vigil_cloud.identity import households
from vigil_cloud.identity.models import Household
from vigil_schemas.smoke import SmokeAlarm


def can_be_asked(home: Home, device: str = KITCHEN) -> None:
    with writing(home.city.services.sessions) as session:
        session.get_one(Device, device).commands = ["self_test", "mute"]


def ask(home: Home, who: str, act: str, device: str = KITCHEN) -> int:
    path = f"/api/v1/smoke/homes/{HOME}/alarms/{device}/{act}"
    return home.city.client(who).post(path).status_code


def test_residents_test_and_hush_and_guardians_test(home: Home) -> None:
    can_be_asked(home)
    assert ask(home, "resident", "test") == 202
    assert ask(home, "resident", "hush") == 202
    assert ask(home, "guardian", "test") == 202
    assert ask(home, "guardian", "hush") == 403
    assert ask(home, "neighbour", "test") == 403
    assert ask(home, "dispatcher", "test") == 404
    assert ask(home, "resident", "test", BEDROOM) == 409, "it takes no commands"
    assert ask(home, "resident", "test", "elsewhere") == 404
    with home.city.services.sessions() as session:
        sent = session.scalars(select(Downlink).order_by(Downlink.created)).all()
    assert [one.payload["action"] for one in sent] == ["self_test", "mute", "self_test"]
    assert {one.account for one in sent} == {"resident", "guardian"}
    assert all(one.expires is not None for one in sent)
    assert {one.expires - one.created for one in sent if one.expires} == {timedelta(seconds=60)}


def test_an_alarm_that_was_taken_away_is_asked_nothing(home: Home) -> None:
    can_be_asked(home)
    with writing(home.city.services.sessions) as session:
        households.take_device(session, HOME, KITCHEN, by="test", now=home.city.time)
        assert session.get(Household, HOME) is not None
    home.city.later(seconds=1)
    assert ask(home, "resident", "test") == 404


def test_how_alarms_are_and_whom_they_call(home: Home) -> None:
    can_be_asked(home)
    told = {"alarm_id": "test-0001", "condition": "test", "since": home.city.time}
    home.city.send(SmokeAlarm.model_validate({**told, "active": True}), KITCHEN)
    home.city.send(SmokeAlarm.model_validate({**told, "active": False}), KITCHEN)
    ring(home, BEDROOM)
    found = home.say("resident", "GET", f"/homes/{HOME}/alarms").json()
    alarms = {one["device"]: one for one in found["alarms"]}
    assert alarms[KITCHEN]["tested"] is not None
    assert alarms[KITCHEN]["acts"] == ["test", "hush"]
    assert alarms[BEDROOM]["conditions"] == ["smoke"]
    assert [(one["relation"], one["people"], one["reached"]) for one in found["called"]] == [
        ("resident", 1, 0),
        ("contact", 1, 0),
        ("guardian", 1, 0),
    ]
    assert found["window_s"] == 60
