"""From a pressed button to a closed case, without a broker."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from aed_town import (
    Line119,
    alert_of,
    callouts,
    calls_of,
    end,
    press,
    ready,
    rounds,
    say,
    tell,
)
from cloud_city import City
from vigil_cloud.aed import live
from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.app import jobs
from vigil_cloud.emergency import service as emergency
from vigil_cloud.emergency.cap import NAMESPACE
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_schemas.aed import AedCall
from webhook import Hook, channel

CAP = f"{{{NAMESPACE}}}"


def test_a_call_from_the_button_to_the_closed_case(town: City, line: Line119, hook: Hook) -> None:
    ready(town, "ann", 0.001)
    ready(town, "bo", 0.0012)
    channel(town, hook.url, name="ann's phone", username="ann")
    at_home = Hook()
    channel(town, at_home.url, name="ann's computer", username="ann")

    press(town)
    rounds(town, 2)

    assert len(at_home.received) == 1, "through each of her channels"
    at_home.close()
    (told,) = line.received
    assert line.authorization == ["Bearer of the line's own"]
    cap = ET.fromstring(told)
    assert (cap.tag, cap.findtext(f"{CAP}status")) == (f"{CAP}alert", "Actual")
    assert cap.findtext(f"{CAP}info/{CAP}area/{CAP}circle", "").startswith("23.480000,120.440500")
    alert = alert_of(town)
    assert (alert["severity"], alert["detail"]["emergency"]["state"]) == ("critical", "answered")
    assert (alert["detail"]["called"], alert["detail"]["nobody_in_reach"]) == (2, False)
    (mine,) = calls_of(town, "ann")
    (other,) = calls_of(town, "bo")
    assert {mine["role"], other["role"]} == {"patient", "aed"}
    fetches = mine if mine["role"] == "aed" else other
    assert fetches["fetch"]["location"] == "ground floor, left of the door"
    assert [one["title"].partition("：")[0] for one in hook.received] == ["心跳停止 AED 求救"]

    assert say(town, "ann", "accepted").status_code == 200
    assert say(town, "ann", "accepted").status_code == 200, "idempotent"
    downlinks = town.client("administrator").get("/api/v1/gateways/gw-hall/downlinks").json()
    (voice,) = [one for one in downlinks["downlinks"] if one["channel"] == "command"]
    assert voice["payload"]["arguments"]["prompt"] == "help_coming"
    for word in ("on-the-way", "arrived"):
        assert say(town, "ann", word).status_code == 200
    assert say(town, "ann", "declined").json()["code"] == "aed-answer-out-of-turn"
    detail = alert_of(town)["detail"]
    assert "arrived" in {detail["patient_role"], detail["aed_role"]}

    dispatcher = town.client("dispatcher")
    (listed,) = dispatcher.get("/api/v1/aed/calls").json()["calls"]
    assert listed["state"] == "calling"
    case = listed["case"]
    for path, body in (
        ("take", {}),
        ("decisions", {"outcome": "rosc", "reason": "pulse after one shock"}),
        ("close", {"resolution": "aed-back"}),
    ):
        version = dispatcher.get(f"/api/v1/cases/{case}").json()["version"]
        done = dispatcher.post(f"/api/v1/cases/{case}/{path}", json={"version": version} | body)
        assert done.is_success, done.text
    closed = dispatcher.get(f"/api/v1/cases/{case}").json()
    assert (closed["state"], closed["outcome"]) == ("closed", "rosc")
    (section,) = closed["sections"]
    assert section["code"] == "aed-call"
    assert alert_of(town)["work"] == "done", "nobody is asked a second time"
    rounds(town)
    (after,) = calls_of(town, "bo")
    assert (after["state"], after["over"]) == ("recalled", True)
    assert say(town, "bo", "accepted").json()["code"] == "aed-call-over"


def test_nobody_in_reach_is_said_at_once(town: City) -> None:
    press(town)
    rounds(town)
    alert = alert_of(town)
    assert alert["detail"]["nobody_in_reach"] is True
    assert "nobody is in reach" in alert["title"]
    assert "附近無志工" in alert["title_zh"]


def test_who_declines_is_replaced_and_a_silent_phase_is_followed_by_the_next(town: City) -> None:
    for number in range(12):
        town.account(f"v{number:02}", Role.VOLUNTEER)
        ready(town, f"v{number:02}", 0.0005 * (number + 1))
    with town.services.engine.begin() as connection:  # they nearly always accept: few are called
        connection.exec_driver_sql("UPDATE aed_volunteers SET asked_day = 50, accepted_day = 50")
    press(town)
    rounds(town)
    called = {
        name: calls
        for name in (f"v{number:02}" for number in range(12))
        if (calls := calls_of(town, name))
    }
    first = min(called)
    assert say(town, first, "declined").status_code == 200
    after = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"][0]["callouts"]
    assert len(after) == len(called) + 1
    town.later(seconds=46)
    rounds(town)
    later = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"][0]["callouts"]
    assert len(later) > len(after), "nobody has accepted: the next phase is called"
    for one in later:
        if one["state"] == "called":
            assert say(town, one["username"], "accepted").status_code == 200
    town.later(seconds=60)
    rounds(town)
    last = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"][0]["callouts"]
    assert len(last) == len(later), "every role is filled"


def test_a_call_told_again_is_one_call(town: City, line: Line119) -> None:
    press(town)
    rounds(town)
    tell(town, AedCall(call_id="call-0001", pressed=town.time, presses=3))
    rounds(town, 2)
    assert len(line.received) == 1
    (listed,) = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    assert listed["presses"] == 3


def test_a_press_after_the_call_was_ended_is_a_call_of_its_own(town: City, line: Line119) -> None:
    first = press(town)
    rounds(town)
    end(town, first["id"])
    tell(town, AedCall(call_id="call-0001", pressed=town.time, presses=1))
    rounds(town)
    assert len(line.received) == 1, "the press that was known"
    for presses in (2, 3):
        tell(town, AedCall(call_id="call-0001", pressed=town.time, presses=presses))
    rounds(town)
    assert len(line.received) == 2
    assert len(town.alerts("dispatcher", domain="aed")) == 2
    listed = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    assert sorted((one["state"], one["presses"]) for one in listed) == [("calling", 3), ("over", 1)]


def test_a_damaged_count_of_presses_costs_no_call(town: City, line: Line119) -> None:
    tell(town, AedCall(call_id="call-0001", pressed=town.time, presses=2**53 - 1))
    rounds(town)
    assert len(line.received) == 1


def test_who_gives_a_role_back_leaves_it_to_those_who_were_left_out(town: City) -> None:
    for number in range(12):
        town.account(f"v{number:02}", Role.VOLUNTEER)
        ready(town, f"v{number:02}", 0.0005 * (number + 1))
    with town.services.engine.begin() as connection:  # they nearly always accept: few are called
        connection.exec_driver_sql("UPDATE aed_volunteers SET asked_day = 50, accepted_day = 50")
    press(town)
    rounds(town)
    accepted = callouts(town)
    for one in accepted:
        assert say(town, one["username"], "accepted").status_code == 200
    town.later(minutes=3)
    rounds(town)
    assert len(callouts(town)) == len(accepted), "the later phases found every role filled"
    for one in accepted:
        assert say(town, one["username"], "declined").status_code == 200
    with town.services.sessions() as session:
        phases = session.get_one(AedCallRow, "gw-hall:call-0001").phases
        called = set(session.scalars(select(AedCallout.account_id)))
    assert len(phases) > 1
    assert {int(one["who"]) for phase in phases for one in phase["calls"]} <= called


def test_phases_that_nobody_called_in_time_are_told_and_not_dropped(town: City, hook: Hook) -> None:
    """The platform was away: whoever would be called now runs to nobody, and somebody must know."""
    for number in range(12):
        town.account(f"v{number:02}", Role.VOLUNTEER)
        ready(town, f"v{number:02}", 0.0005 * (number + 1))
    with town.services.engine.begin() as connection:  # they nearly always accept: few are called
        connection.exec_driver_sql("UPDATE aed_volunteers SET asked_day = 50, accepted_day = 50")
    channel(town, hook.url, name="duty", username="dispatcher")
    press(town)
    rounds(town)
    called = len(callouts(town))
    town.later(minutes=16)
    rounds(town, 2)
    alert = alert_of(town)
    assert len(callouts(town)) == called
    assert "volunteers were not called" in alert["detail"]["dispatch_trouble"]
    again = [one for one in alert["history"] if one["action"] == "told-again"]
    assert len(again) == 1, "once"
    NotificationSender(town.services).deliver_due()
    assert any("further volunteers were not called" in str(one) for one in hook.received) or any(
        "其餘志工未能及時召集" in str(one) for one in hook.received
    )


def test_where_every_role_was_filled_nobody_is_missing(town: City) -> None:
    for number in range(12):
        town.account(f"v{number:02}", Role.VOLUNTEER)
        ready(town, f"v{number:02}", 0.0005 * (number + 1))
    with town.services.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE aed_volunteers SET asked_day = 50, accepted_day = 50")
    press(town)
    rounds(town)
    for one in callouts(town):
        assert say(town, one["username"], "accepted").status_code == 200
    town.later(minutes=16)
    rounds(town)
    assert alert_of(town)["detail"]["dispatch_trouble"] is None


def test_a_call_that_cannot_be_led_keeps_no_other_waiting(town: City, line: Line119) -> None:
    press(town)
    press(town, "call-0002")
    with town.services.engine.begin() as connection:  # its alert is gone: 119's row cannot be made
        connection.exec_driver_sql(
            "UPDATE aed_calls SET alert_id = 'none' WHERE id = 'gw-hall:call-0001'"
        )
    with pytest.raises(IntegrityError):  # the job shows it
        live.look(town.services)
    emergency.send_due(town.services)
    (told,) = line.received
    assert b"call-0002" in told


def test_a_call_that_waits_for_its_dispatcher_takes_no_turn(town: City) -> None:
    due = {one.name: one.waiting for one in jobs(town.services, ingest=False)}
    names = ("aed-calls", "aed-summons", "emergency-line")

    def waiting() -> list[str]:
        with town.services.sessions() as session:
            return [name for name in names if (ask := due[name]) and ask(session, town.time)]

    assert waiting() == []
    ready(town, "ann", 0.001)
    alert = press(town)
    assert waiting() == ["aed-calls"]
    live.look(town.services)
    assert waiting() == ["aed-summons", "emergency-line"]
    rounds(town)
    town.later(minutes=5)
    rounds(town)
    assert waiting() == []
    end(town, alert["id"])
    assert waiting() == ["aed-calls"], "it ends with its alert"
    rounds(town)
    assert waiting() == []


def test_a_case_that_could_not_be_opened_is_tried_again_and_the_call_goes_on(
    town: City, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(town, "ann", 0.001)

    def broken(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("vigil_cloud.aed.live.open_case", broken)
        press(town)
        rounds(town)
        assert (len(line.received), len(calls_of(town, "ann"))) == (1, 1)
        with pytest.raises(RuntimeError):  # the job is shown as failing
            rounds(town)
    rounds(town)
    (listed,) = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    assert listed["case"] is not None
    end(town, alert_of(town)["id"])
    rounds(town)
    with town.services.sessions() as session:
        assert session.scalars(select(AedCallRow.state)).all() == ["over"]
