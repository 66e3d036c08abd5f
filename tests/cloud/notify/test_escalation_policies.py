"""Which policy answers for which alert, and what keeps one from answering."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_city import City
from escalation_stage import HOME, Stage, answer, fire, put, standing, the_alert
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.escalation import engine, policies
from vigil_cloud.notify.escalation.policy import BadPolicy, parse
from vigil_cloud.notify.models import Channel, Escalation, EscalationPolicy
from vigil_cloud.notify.notification_sender import NotificationSender


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
