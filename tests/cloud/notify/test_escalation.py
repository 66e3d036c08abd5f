"""An alert that a policy answers for: who is called when, what answers do, and what is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from cloud_city import City
from escalation_stage import Stage, answer, fire, put, standing, the_alert
from vigil_cloud.alerts.acts import AlertUnknown
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.escalation import answers
from vigil_cloud.notify.models import EscalationAnswer
from vigil_cloud.notify.removal import remove_channel
from vigil_cloud.notify.untold import forget_removed, tell_stuck, tell_untold
from webhook import Hook, channel


def test_each_step_is_called_at_its_moment_until_somebody_accepts(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    assert stage.told == (1, 0, 0)
    assert the_alert(city)["escalation"]["next"]["at"] == "2026-03-01T04:01:00Z"
    stage.later(59)
    assert stage.told == (1, 0, 0)
    stage.later(1)
    assert stage.told == (1, 1, 0)

    assert answer(city, "maintainer", "accepted")

    stage.later(3600)
    assert stage.told == (1, 1, 0)
    shown = the_alert(city)
    assert shown["acknowledged_by"] == "maintainer"
    assert shown["state"]["acknowledged"]
    escalation = shown["escalation"]
    assert (escalation["phase"], escalation["accepted_by"]) == ("taken", "maintainer")
    assert escalation["next"] is None
    assert [
        (call["step"], call["channel"], call["person"], call["answer"])
        for call in escalation["calls"]
    ] == [(1, "sms", "dispatcher", None), (2, "webhook", "maintainer", "accepted")]


def test_acknowledging_on_the_page_is_accepting(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)

    path = f"/api/v1/alerts/{the_alert(city)['id']}/acknowledge"
    assert city.client("dispatcher").post(path, json={}).status_code == 200

    stage.later(3600)
    assert stage.told == (1, 0, 0)
    escalation = the_alert(city)["escalation"]
    assert (escalation["phase"], escalation["accepted_by"]) == ("taken", "dispatcher")


def test_the_fallback_is_reminded_and_administrators_are_told_until_somebody_accepts(
    stage: Stage,
) -> None:
    city = stage.city
    fire(city)
    for _ in range(3):
        stage.later(60)
    assert stage.told == (1, 1, 1)
    assert standing(city) == ["unanswered"]
    (told,) = city.alerts("administrator", domain="platform")
    assert told["detail"]["alert"] == the_alert(city)["id"]
    assert told["detail"]["policy"] == "fire at home"
    assert told["doubts"] == []

    stage.later(119)
    assert stage.told == (1, 1, 1)
    stage.later(1)
    assert stage.told == (1, 1, 2)
    stage.later(120)
    assert stage.told == (1, 1, 3)
    assert stage.control.titles[-1].startswith("REMINDER")
    assert the_alert(city)["escalation"]["reminders"] == 2

    assert answer(city, "channel control room", "accepted", via="webhook")

    stage.later(3600)
    assert stage.told == (1, 1, 3)
    assert standing(city) == []
    assert the_alert(city)["acknowledged_by"] == "channel control room"


def test_who_cannot_after_all_gives_it_back_and_the_next_is_called(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    assert answer(city, "dispatcher", "accepted")
    stage.later(90)
    assert stage.told == (1, 0, 0)

    assert answer(city, "dispatcher", "declined")

    stage.later(0)
    assert stage.told == (1, 1, 0)
    shown = the_alert(city)
    assert shown["acknowledged_by"] is None
    assert [entry["action"] for entry in shown["history"]][-3:] == [
        "acknowledged",
        "declined",
        "escalated",
    ]


def test_whoever_is_behind_a_sign_in_page_is_tried_on_and_not_waited_for(stage: Stage) -> None:
    stage.first.headers = {"Content-Type": "text/html"}
    stage.first.body = b"<html><form><input type=password></form></html>"
    fire(stage.city)
    stage.later(0)
    assert stage.told == (1, 1, 0), "the next step is called at once"
    assert [one["given_up"] for one in the_alert(stage.city)["escalation"]["calls"]] == [
        True,
        False,
    ]

    stage.first.headers, stage.first.body = {}, b""
    stage.later(60)

    assert stage.told == (2, 1, 0)
    assert stage.first.titles[-1] == "REPEAT: Smoke alarm at Chen home"
    assert answer(stage.city, "dispatcher", "accepted")
    stage.later(3600)
    assert stage.told == (2, 1, 0)


def test_an_answer_twice_is_one(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    assert answer(city, "dispatcher", "declined")
    assert not answer(city, "dispatcher", "declined")
    city.later(seconds=5)
    assert answer(city, "dispatcher", "accepted")
    assert not answer(city, "dispatcher", "accepted")
    assert answer(city, "maintainer", "accepted"), "a second one who goes is known, too"
    with city.services.sessions() as session:
        rows = session.scalars(select(EscalationAnswer).order_by(EscalationAnswer.id)).all()
    assert [(row.who, row.answer) for row in rows] == [
        ("dispatcher", "declined"),
        ("dispatcher", "accepted"),
        ("maintainer", "accepted"),
    ]
    assert the_alert(city)["acknowledged_by"] == "dispatcher"

    assert answer(city, "dispatcher", "declined")
    assert the_alert(city)["acknowledged_by"] == "maintainer", "the other one goes"


@pytest.mark.parametrize("who", ["nobody", "inspector", "channel second", "channel nowhere"])
def test_who_may_not_answer_is_refused(stage: Stage, who: str) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    with pytest.raises(Forbidden):
        answer(city, who, "accepted")
    assert the_alert(city)["escalation"]["answers"] == []
    with pytest.raises(AlertUnknown), writing(city.services.sessions) as session:
        answers.record(session, "0" * 36, "dispatcher", "accepted", city.time, via="link")


def test_over_means_nobody_new_and_an_all_clear_to_whoever_was_called(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    city.later(seconds=30)
    fire(city, active=False)
    stage.later(0)
    stage.later(3600)

    assert stage.first.titles == [
        "Smoke alarm at Chen home",
        "ALL CLEAR: Smoke alarm at Chen home",
    ]
    assert stage.told == (2, 0, 0)
    assert the_alert(city)["escalation"]["phase"] == "over"


def test_what_was_over_before_anybody_looked_is_told_all_the_same(stage: Stage) -> None:
    fire(stage.city)
    stage.city.later(seconds=1)
    fire(stage.city, active=False)
    stage.later(0)
    assert stage.first.titles[0] == "Smoke alarm at Chen home"
    stage.later(3600)
    assert stage.told[1:] == (0, 0)


def test_a_worse_alert_begins_anew(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    assert answer(city, "dispatcher", "accepted")
    city.later(seconds=300)

    fire(city, tell_again="heat")

    stage.later(0)
    assert [len(stage.first.titles), len(stage.second.titles)] == [2, 0]
    assert stage.first.received[-1]["message"].startswith("Told again: heat")
    escalation = the_alert(city)["escalation"]
    assert (escalation["round"], escalation["phase"]) == (1, "calling")
    assert escalation["answers"] == []
    stage.later(60)
    assert stage.told == (2, 1, 0)
    assert answer(city, "dispatcher", "accepted"), "what was said before was said of less"


def test_who_cannot_be_reached_is_passed_over_at_once(stage: Stage) -> None:
    city = stage.city
    put(
        city,
        step=[
            {"after_s": 0, "channel": "line", "persons": ["dispatcher"]},  # has none
            {"after_s": 60, "channel": "webhook", "persons": ["role:maintainer"]},
        ],
    )
    fire(city)
    stage.later(0)
    assert stage.told == (0, 1, 0)
    lines = [one["comment"] for one in the_alert(city)["history"] if one["action"] == "escalated"]
    assert "1: nobody" in lines, "a step that calls nobody is no silence"


def test_whose_right_ended_is_passed_over_at_once(stage: Stage) -> None:
    city = stage.city
    put(city, step=[{"after_s": 0, "channel": "webhook", "persons": ["inspector", "maintainer"]}])
    other = Hook()
    channel(city, other.url, "an inspector's", username="inspector")
    fire(city)
    stage.later(0)
    assert other.titles == [], "whoever may not see it is not called, whatever a policy says"
    assert stage.told == (0, 1, 0)
    other.close()


def test_a_channel_that_was_taken_away_is_passed_over_at_once(stage: Stage) -> None:
    city = stage.city
    stage.first.status = 500
    fire(city)
    stage.later(0)
    assert stage.told == (0, 0, 0)
    with writing(city.services.sessions) as session:
        remove_channel(session, "first", by="operator", now=city.time)
    stage.later(1)
    assert stage.told == (0, 1, 0)
    assert the_alert(city)["escalation"]["calls"][0]["given_up"]


def test_a_channel_that_is_down_for_hours_is_tried_until_it_works(stage: Stage) -> None:
    city = stage.city
    stage.control.status = 503
    fire(city)
    for _ in range(20):
        stage.later(720)
    assert stage.told == (1, 1, 0)
    stage.control.status = 200
    stage.later(300)
    assert len(stage.control.titles) >= 1
    assert answer(city, "channel control room", "accepted")


def test_the_page_calls_accounts_that_may_see_it(stage: Stage) -> None:
    city = stage.city
    put(
        city,
        step=[{"after_s": 0, "channel": "page", "persons": ["role:dispatcher", "inspector"]}],
        fallback={"after_s": 600, "channel": "page", "persons": ["role:administrator"]},
    )
    fire(city)
    stage.later(0)
    calls = the_alert(city)["escalation"]["calls"]
    assert [(call["channel"], call["person"]) for call in calls] == [("page", "dispatcher")]
    stage.later(600)
    assert [call["person"] for call in the_alert(city)["escalation"]["calls"]] == [
        "dispatcher",
        "administrator",
    ]


def test_a_home_calls_its_own_people(stage: Stage) -> None:
    city = stage.city
    home = Hook()
    for username in ("family", "aunt"):
        if username == "aunt":
            city.account("aunt", Role.FAMILY)
        channel(city, home.url, f"of {username}", username=username)
    with writing(city.services.sessions) as session:
        said: dict[str, Any] = {"by": "operator", "now": city.time}
        households.put(session, city.cipher, "h1", households.Described(name="Chen"), **said)
        households.give_device(session, "h1", "alarm-1", **said)
        for username, relation in (("family", Relation.RESIDENT), ("aunt", Relation.CONTACT)):
            account = account_named(session, username)
            households.add_member(session, "h1", account=account, relation=relation, **said)
    put(
        city,
        match={"domain": "smoke", "household": "h1"},
        name="at the Chens'",
        step=[
            {"after_s": 0, "channel": "webhook", "persons": ["household:resident"]},
            {"after_s": 30, "channel": "webhook", "persons": ["household:*"]},
        ],
    )
    fire(city)
    stage.later(0)
    assert [call["person"] for call in the_alert(city)["escalation"]["calls"]] == ["family"]
    stage.later(30)
    calls = the_alert(city)["escalation"]["calls"]
    assert {(call["step"], call["person"]) for call in calls} == {
        (1, "family"),
        (2, "family"),
        (2, "aunt"),
    }
    assert the_alert(city)["escalation"]["policy"] == "at the Chens'"
    home.close()


def test_a_shelf_puts_off_who_comes_next(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    path = f"/api/v1/alerts/{the_alert(city)['id']}/shelve"
    until = (city.time + timedelta(hours=1)).isoformat()
    assert city.client("dispatcher").post(path, json={"until": until}).status_code == 200
    stage.later(600)
    assert stage.told == (1, 0, 0)
    stage.later(3000)
    assert stage.told == (1, 1, 1)


def test_a_control_room_of_the_longest_name_answers(either_city: City) -> None:
    city, name = either_city, "control room ".ljust(80, "z")
    channel(city, "json://127.0.0.1:1", name, role=Role.DISPATCHER)
    fire(city)
    for _ in range(2):
        answer(city, f"channel {name}", "accepted", via="webhook")
    alert = the_alert(city)
    assert [one["who"] for one in alert["answers"]] == [f"channel {name}"], "and once"
    assert alert["acknowledged_by"] == f"channel {name}", "all of it"
    answer(city, f"channel {name}", "declined", via="webhook")
    alert = the_alert(city)
    assert alert["acknowledged_by"] is None, "given back by whoever had it"
    assert {line["account"] for line in alert["history"]} == {None, f"channel {name}"}


def test_who_gives_it_back_at_night_has_nobody_called_before_the_morning(stage: Stage) -> None:
    """Given quiet hours from 22:00 in Taipei, and what is not critical."""
    city = stage.city
    put(city, match={"domain": "smoke", "severity": "major"}, quiet_hours="22:00-07:00", name="m")
    city.later(hours=9, minutes=55)  # 21:55
    fire(city, severity="major")
    stage.later(0)
    assert answer(city, "dispatcher", "accepted")
    stage.later(3600)
    assert answer(city, "dispatcher", "declined")
    stage.later(0)
    stage.later(4 * 3600)
    assert stage.told == (1, 0, 0)
    assert "unanswered" not in standing(city)
    stage.later(4 * 3600 + 300)  # 07:00
    assert stage.told == (1, 1, 1)
    assert "unanswered" in standing(city)


def test_of_what_is_out_of_service_nobody_is_told_that_nobody_accepts(city: City) -> None:
    """Given a policy of a fallback alone, which is called at once."""
    made = Stage(city)
    put(
        city, step=[], fallback={"after_s": 0, "channel": "webhook", "persons": ["role:maintainer"]}
    )
    until = (city.time + timedelta(hours=2)).isoformat()
    test = {"kind": "out-of-service", "reason": "a test", "until": until}
    shelves = "/api/v1/devices/alarm-1/shelves"
    assert city.client("maintainer").post(shelves, json=test).status_code == 201
    fire(city)
    made.later(0)
    made.later(3600)
    assert standing(city) == []
    made.later(3600)
    assert made.told == (0, 1, 0)
    assert standing(city) == ["unanswered"]
    made.close()


def test_what_comes_next_is_never_past(stage: Stage) -> None:
    """Neither in quiet hours, which put it off, nor while a shelf does."""
    city = stage.city
    put(city, match={"domain": "smoke", "severity": "major"}, quiet_hours="22:00-07:00", name="m")
    city.later(hours=9, minutes=55)  # 21:55
    fire(city, severity="major")
    stage.later(0)
    assert answer(city, "dispatcher", "accepted")
    stage.later(3600)
    assert answer(city, "dispatcher", "declined")
    stage.later(0)
    coming = the_alert(city)["escalation"]["next"]
    assert (coming["step"], coming["at"]) == (2, "2026-03-01T23:00:00Z"), "07:00 in Taipei"

    alert = the_alert(city)["id"]
    until = (city.time + timedelta(hours=12)).isoformat()
    client = city.client("administrator")
    client.post(f"/api/v1/alerts/{alert}/shelve", json={"until": until}).raise_for_status()
    stage.later(0)
    assert the_alert(city)["escalation"]["next"]["at"] == "2026-03-02T02:55:00Z"
    client.post(f"/api/v1/alerts/{alert}/service", json={"out_of_service": True}).raise_for_status()
    assert the_alert(city)["escalation"]["next"] is None, "before somebody ends it"


@pytest.mark.parametrize("kind", ["unanswered", "alert-untold"])
def test_of_an_alert_that_was_erased_nothing_stays_open(stage: Stage, kind: str) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    if kind == "unanswered":
        stage.later(60)
        stage.later(120)
    else:
        alert = the_alert(city)["id"]
        with writing(city.services.sessions) as session:
            tell_stuck(session, alert, "an error", city.time, urgent=True)
            tell_untold(session, alert, "an error", city.time, urgent=True)

    def forget() -> None:
        with writing(city.services.sessions) as session:
            forget_removed(session, city.time)

    forget()
    assert kind in standing(city)
    with writing(city.services.sessions) as session:
        session.execute(delete(AlertRow).where(AlertRow.domain == "smoke"))
    forget()
    assert standing(city) == []
