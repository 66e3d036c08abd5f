"""An alert that a policy answers for: who is called when, what answers do, and what is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_city import GATEWAY, City
from vigil_cloud.alerts.acts import AlertUnknown
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.escalation import answers, engine, policies
from vigil_cloud.notify.escalation.policy import BadPolicy, parse
from vigil_cloud.notify.models import Channel, Escalation, EscalationAnswer, EscalationPolicy
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.notify.removal import remove_channel
from webhook import Hook, channel

HOME: dict[str, Any] = {
    "name": "fire at home",
    "match": {"domain": "smoke", "severity": "critical"},
    "remind_s": 120,
    "step": [
        {"after_s": 0, "channel": "sms", "persons": ["dispatcher"]},
        {"after_s": 60, "channel": "webhook", "persons": ["role:maintainer"]},
    ],
    "fallback": {"after_s": 180, "channel": "webhook", "persons": ["channel:control room"]},
}


def fire(city: City, *, active: bool = True, **changes: Any) -> None:
    values: dict[str, Any] = {
        "domain": "smoke",
        "reference": "alarm-0001",
        "kind": "smoke",
        "gateway": GATEWAY,
        "device": "alarm-1",
        "title": "Smoke alarm at Chen home",
        "title_zh": "陳宅 火災警報",
        "severity": "critical",
        "event_time": city.time,
        "active": active,
    }
    with writing(city.services.sessions) as session:
        record(session, Occurrence(**(values | changes)), city.time)


def put(city: City, **changes: Any) -> None:
    with writing(city.services.sessions) as session:
        policies.put(session, parse(HOME | changes), by="operator", now=city.time)


def answer(city: City, who: str, word: Any, *, via: Any = "link") -> bool:
    alert = the_alert(city)["id"]
    with writing(city.services.sessions) as session:
        return answers.record(session, alert, who, word, city.time, via=via)


def the_alert(city: City, username: str = "administrator") -> dict[str, Any]:
    (alert,) = city.alerts(username, domain="smoke")
    return alert


def standing(city: City) -> list[str]:
    """Kinds of the platform's own alerts that stand."""
    found = city.listed("administrator", domain="platform")
    return [one["kind"] for one in found if one["state"]["active"]]


class Stage:
    """A city with three people's hooks, and a sender."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.first, self.second, self.control = Hook(), Hook(), Hook()
        channel(city, self.first.url, "first", username="dispatcher", kind="sms")
        channel(city, self.second.url, "second", username="maintainer")
        channel(city, self.control.url, "control room", role=Role.DISPATCHER)
        self.sender = NotificationSender(city.services)

    def later(self, seconds: float) -> None:
        self.city.later(seconds=seconds)
        self.sender.deliver_due()

    @property
    def told(self) -> tuple[int, int, int]:
        """How often of the fire itself; maintainers hear of the platform's alerts as well."""
        first, second, control = (
            sum("Smoke alarm" in title for title in hook.titles)
            for hook in (self.first, self.second, self.control)
        )
        return first, second, control

    def close(self) -> None:
        for hook in (self.first, self.second, self.control):
            hook.close()


@pytest.fixture
def stage(city: City) -> Iterator[Stage]:
    made = Stage(city)
    put(city)
    yield made
    made.close()


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
        (row,) = session.scalars(select(Escalation))
        row.due = city.time
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
    assert alert["acknowledged_by"] == f"channel {name}"[:64]


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


def test_without_a_policy_everybody_is_told_at_once(city: City) -> None:
    made = Stage(city)
    fire(city)
    made.later(0)
    assert made.told == (1, 1, 1)
    assert the_alert(city)["escalation"] is None
    made.later(600)
    made.sender.remind()
    made.later(0)
    assert made.told == (2, 2, 2)
    made.close()


def test_reminders_of_what_a_policy_answers_for_are_its_own(stage: Stage) -> None:
    fire(stage.city)
    stage.later(0)
    stage.city.later(seconds=30)
    for _ in range(3):
        stage.sender.remind()
    stage.later(0)
    assert stage.told == (1, 0, 0)


def test_what_only_informs_or_is_a_test_is_not_escalated(stage: Stage) -> None:
    city = stage.city
    put(city, match={}, name="everything")
    fire(city, severity="info", reference="alarm-0002")
    fire(city, audience="home", reference="alarm-0003")
    stage.later(0)
    with city.services.sessions() as session:
        assert session.scalars(select(Escalation)).all() == []


def test_the_most_special_policy_answers(city: City) -> None:
    def named(name: str, **match: str) -> None:
        put(
            city,
            name=name,
            match=match,
            step=[],
            fallback={"after_s": 0, "channel": "page", "persons": ["role:dispatcher"]},
        )

    named("all")
    named("smoke", domain="smoke")
    named("critical", severity="critical")
    named("smoke critical", domain="smoke", severity="critical")
    named("heat", kind="heat")
    named("east", district="east")
    named("home", household="h1")
    row = {"audience": "all", "kind": "smoke", "domain": "smoke", "district": None}
    with city.services.sessions() as session:
        chooser = policies.Chooser(session)

        def chosen(severity: str = "critical", **fields: Any) -> str | None:
            policy = chooser.choose(AlertRow(**(row | fields)), severity)
            return policy.name if policy is not None else None

        assert chosen() == "smoke critical"
        assert chosen("major") == "smoke"
        assert chosen(domain="water") == "critical"
        assert chosen("minor", domain="water") == "all"
        assert chosen(kind="heat") == "heat"
        assert chosen(kind="heat", district="east") == "east"
        assert chosen(district="east", household="h1") == "home"
        assert chosen("info") is None

    with pytest.raises(BadPolicy, match="'smoke' answers for the same"):
        named("another", domain="smoke")


@pytest.mark.parametrize(
    "person", ["nobody", "role:king", "household:cousin", "channel:nowhere", "district:x"]
)
def test_a_policy_that_calls_nobody_known_is_refused(city: City, person: str) -> None:
    step = {"after_s": 0, "channel": "sms", "persons": [person]}
    with pytest.raises(BadPolicy, match="there is no"):
        put(city, step=[step])


def test_an_escalation_goes_on_as_it_began_whatever_becomes_of_its_policy(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    with writing(city.services.sessions) as session:
        policies.remove(session, "fire at home", by="operator", now=city.time)
    stage.later(60)
    stage.later(120)
    assert stage.told == (1, 1, 1)


def test_an_amended_severity_chooses_its_policy(stage: Stage) -> None:
    city = stage.city
    fire(city, severity="minor")
    stage.later(0)
    assert the_alert(city)["escalation"] is None
    with writing(city.services.sessions) as session:
        amend(session, the_alert(city)["id"], Amendment(severity="critical"), city.time)
    stage.later(0)
    assert the_alert(city)["escalation"]["policy"] == "fire at home"
    stage.later(60)
    stage.later(120)
    assert stage.told[2] == 2, "told at first as channels ask for it, then as the fallback"


def test_nobody_is_told_that_nobody_answers_that_nobody_answers(stage: Stage) -> None:
    city = stage.city
    put(
        city,
        name="platform",
        match={"domain": "platform"},
        step=[],
        fallback={"after_s": 0, "channel": "page", "persons": ["role:administrator"]},
    )
    fire(city)
    for _ in range(12):
        stage.later(60)
    assert standing(city) == ["unanswered"]


def test_two_processes_call_each_person_once(either_city: City) -> None:
    city = either_city
    stage = Stage(city)
    put(city)
    for number in range(30):
        fire(city, reference=f"alarm-{number:04}", device=f"alarm-{number}")
    senders = [NotificationSender(city.services) for _ in range(2)]
    for span in (0, 60, 120):
        city.later(seconds=span)
        threads = [threading.Thread(target=sender.deliver_due) for sender in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        senders[0].deliver_due()
    with city.services.sessions() as session:
        rows = session.scalars(select(Escalation)).all()
        kinds = set(session.scalars(select(Channel.kind)))
    assert len(rows) == 30
    assert {len(row.state["calls"]) for row in rows} == {3}
    assert kinds == {"sms", "webhook"}
    assert len(stage.control.titles) >= 1
    stage.close()


def test_a_relative_sees_who_else_is_called_of_no_person(city: City) -> None:
    city.account("aunt", Role.FAMILY)
    for username in ("family", "aunt"):
        city.consent(username)
    put(
        city,
        match={"domain": "checkin"},
        step=[{"after_s": 0, "channel": "page", "persons": ["family", "aunt", "inspector"]}],
        fallback={"after_s": 600, "channel": "page", "persons": ["aunt"]},
    )
    fire(city, domain="checkin", kind="missing", severity="major", person_key="p1", device="x")
    NotificationSender(city.services).deliver_due()

    for username in ("family", "aunt"):
        (alert,) = city.alerts(username)
        escalation = alert["escalation"]
        assert [call["person"] for call in escalation["calls"]] == [username]
        assert escalation["next"]["persons"] == []
    with city.services.sessions() as session:
        (row,) = session.scalars(select(Escalation))
    assert [call["person"] for call in row.state["calls"]] == ["family", "aunt"]


def test_administrators_keep_policies(city: City) -> None:
    client = city.client("administrator")
    path = "/api/v1/escalation-policies"
    body = HOME | {"step": [], "fallback": HOME["fallback"] | {"persons": ["role:dispatcher"]}}

    assert client.put(f"{path}/fire at home", json=body).status_code == 204
    (stored,) = client.get(path).json()["policies"]
    assert stored["policy"]["fallback"]["persons"] == ["role:dispatcher"]
    assert stored["changed_by"] == "administrator"

    refused = client.put(f"{path}/other", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-policy")
    assert client.put(f"{path}/x", json=body | {"name": "x", "colour": 1}).status_code == 422
    del body["fallback"]
    assert client.put(f"{path}/fire at home", json=body).status_code == 422

    assert client.delete(f"{path}/fire at home").status_code == 204
    assert client.delete(f"{path}/fire at home").status_code == 404
    assert client.get(path).json() == {"policies": []}
    with city.services.sessions() as session:
        query = select(AuditEntry.action).where(AuditEntry.action.like("escalation%"))
        said = session.scalars(query.order_by(AuditEntry.number)).all()
    assert said == ["escalation-policy.added", "escalation-policy.removed"]


def misread(city: City, table: type[Escalation] | type[EscalationPolicy]) -> None:
    """As written by a later release, with a key that this one does not know."""
    with writing(city.services.sessions) as session:
        rows: list[Any] = list(session.scalars(select(table)))
        for row in rows:
            row.document = {**row.document, "of_a_later_release": True}


def test_a_policy_that_is_not_understood_leaves_nobody_untold(stage: Stage) -> None:
    city = stage.city
    misread(city, EscalationPolicy)
    fire(city)
    fire(city, reference="alarm-0002", device="alarm-2")
    stage.later(0)
    assert stage.told == (2, 2, 2), "everybody who may hear of it, at once, as without a policy"
    assert standing(city) == ["alert-untold"]
    (told,) = city.listed("administrator", domain="platform")
    assert told["title"].startswith("Escalation policy fire at home is not understood")
    assert city.client("administrator").get("/api/v1/escalation-policies").status_code == 200

    put(city)
    fire(city, reference="alarm-0003", device="alarm-3")
    stage.later(0)
    assert standing(city) == []


def test_an_escalation_that_is_not_understood_is_told_and_answered_all_the_same(
    stage: Stage,
) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    misread(city, Escalation)
    stage.later(60)
    assert standing(city) == ["alert-untold"]
    (told,) = city.listed("administrator", domain="platform")
    assert told["title"].startswith("The escalation of an alert does not go on")
    assert the_alert(city)["escalation"] is None

    assert answer(city, "dispatcher", "accepted")
    assert the_alert(city)["acknowledged_by"] == "dispatcher"

    with writing(city.services.sessions) as session:
        row = session.scalars(select(Escalation).where(Escalation.policy == HOME["name"])).one()
        row.document = parse(HOME).model_dump(mode="json")
    stage.later(31)
    assert standing(city) == []


def test_one_that_cannot_be_moved_on_keeps_no_other_waiting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, move = stage.city, engine._move
    fire(city)
    fire(city, reference="alarm-0002", device="alarm-2")
    broken = city.alerts("administrator", device="alarm-1")[0]["id"]

    def moves(session: Session, row: Escalation, *rest: Any) -> None:
        move(session, row, *rest)
        if row.alert_id == broken:
            raise RuntimeError

    monkeypatch.setattr(engine, "_move", moves)
    stage.later(0)
    assert stage.told[0] == 1
    assert standing(city) == ["alert-untold"]

    monkeypatch.setattr(engine, "_move", move)
    stage.later(31)
    assert stage.told[0] == 2
    assert standing(city) == []
