"""An account that is closed or removed leaves nothing to nobody: what it was called for, what it
had taken on, and the cases that it had in hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cases_office import Office
from cloud_city import City
from escalation_stage import Stage, answer, fire, put, the_alert
from sql import statements
from vigil_cloud.alerts.acts import act
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cases import history
from vigil_cloud.cases.models import CaseEvent
from vigil_cloud.cases.port import CaseKinds
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import consents, districts, households
from vigil_cloud.identity.models import AuditEntry, Consent, HouseholdMember
from vigil_cloud.identity.reader import Relation, reader_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, remove_account, set_active
from vigil_cloud.jobs.platform import platform_jobs
from vigil_cloud.notify.escalation import answers, ended_rights

LATE: list[dict[str, Any]] = [
    {"after_s": 0, "channel": "sms", "persons": ["dispatcher"]},
    {"after_s": 1800, "channel": "webhook", "persons": ["role:maintainer"]},
]
LAST = {"after_s": 3600, "channel": "webhook", "persons": ["channel:control room"]}
Leave = Callable[[City, str], None]


def closed(city: City, username: str) -> None:
    with writing(city.services.sessions) as session:
        set_active(session, username, False, by="operator", now=city.time)


def removed(city: City, username: str) -> None:
    with writing(city.services.sessions) as session:
        remove_account(session, username, by="operator", now=city.time)


def retired(city: City, username: str) -> None:
    """On the registers' page."""
    answer = city.client("administrator").post(
        "/api/v1/registers/accounts/retirement", json={"key": username}
    )
    assert answer.status_code == 204, answer.text


def demoted(city: City, username: str) -> None:
    """Its role is taken away, on the registers' page."""
    answer = city.client("administrator").put(
        "/api/v1/registers/accounts/entry",
        json={"key": username, "new": False, "values": {"roles": ["host"]}},
    )
    assert answer.status_code == 200, answer.text


def moved(city: City, username: str) -> None:
    """It is limited to a district where none of this lies."""
    with writing(city.services.sessions) as session:
        districts.put(session, "far", "Far", "遠", by="operator", now=city.time)
    answer = city.client("administrator").put(
        f"/api/v1/accounts/{username}/districts", json={"districts": ["far"]}
    )
    assert answer.status_code == 204, answer.text


WAYS = [closed, removed, retired, demoted, moved]


@pytest.fixture
def stage(either_city: City) -> Iterator[Stage]:
    made = Stage(either_city)
    put(either_city, step=LATE, fallback=LAST)
    yield made
    made.close()


@pytest.mark.parametrize("leave", WAYS)
def test_whom_a_step_reaches_no_more_is_passed_over_at_once(stage: Stage, leave: Leave) -> None:
    city = stage.city
    stage.first.status = 500
    fire(city)
    stage.later(0)
    leave(city, "dispatcher")
    stage.later(70)  # the message that waits is looked at within a minute
    assert stage.told == (0, 1, 0)


@pytest.mark.parametrize("leave", WAYS)
def test_whoever_was_called_on_the_page_alone_is_passed_over(stage: Stage, leave: Leave) -> None:
    city = stage.city
    page = {"after_s": 0, "channel": "page", "persons": ["dispatcher"]}
    put(city, step=[page, LATE[1]], fallback=LAST)
    fire(city)
    stage.later(0)
    leave(city, "dispatcher")
    stage.later(1)
    assert stage.told == (0, 1, 0)


@pytest.mark.parametrize("leave", WAYS)
def test_what_somebody_had_taken_on_calls_others(stage: Stage, leave: Leave) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    answer(city, "dispatcher", "accepted")
    stage.later(1800)
    assert stage.told == (1, 0, 0)
    leave(city, "dispatcher")
    stage.later(1)
    alert = the_alert(city)
    assert stage.told == (1, 1, 0)
    assert (alert["state"]["acknowledged"], alert["acknowledged_by"]) == (False, None)
    actions = [(one["action"], one["account"]) for one in alert["history"]]
    assert ("released", None) in actions, "why it is open again stands in its history"


@pytest.mark.parametrize("leave", WAYS)
def test_whoever_else_accepted_has_it(stage: Stage, leave: Leave) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    city.account("second", Role.DISPATCHER)
    city.account("third", Role.DISPATCHER)
    for who in ("dispatcher", "second", "third"):
        answer(city, who, "accepted")
        stage.later(1)
    leave(city, "second")
    leave(city, "dispatcher")
    stage.later(3600)
    assert stage.told == (1, 0, 0)
    assert the_alert(city)["acknowledged_by"] == "third"


def home_of_li(city: City) -> int:
    """The number of li's membership of the home where the fire will be."""
    city.account("li", Role.FAMILY)
    with writing(city.services.sessions) as session:
        home = households.Described("Chen", "7 Zhongshan Road")
        households.put(session, city.cipher, "h1", home, by="operator", now=city.time)
        households.give_device(session, "h1", "alarm-1", by="operator", now=city.time)
        return households.add_member(
            session,
            "h1",
            account=account_named(session, "li"),
            relation=Relation.CONTACT,
            until=city.time + timedelta(hours=1),
            by="operator",
            now=city.time,
        )


def look(city: City) -> None:
    """The platform's job, where it waits."""
    jobs = {one.name: one for one in platform_jobs(CaseKinds([]), timedelta(minutes=5), ())}
    waiting = jobs["ended-rights-released"].waiting
    assert waiting is not None
    with city.services.sessions() as session:
        waits = waiting(session, city.time)
    if waits:
        with writing(city.services.sessions) as session:
            ended_rights.release(session, city.time)


@pytest.mark.parametrize("way", ["removed", "by its time", "another relation", "home erased"])
def test_whoever_belongs_to_the_home_no_more_lets_go_of_its_fire(stage: Stage, way: str) -> None:
    city = stage.city
    member = home_of_li(city)
    fire(city)
    stage.later(0)
    assert answer(city, "li", "accepted")
    look(city)
    assert the_alert(city)["acknowledged_by"] == "li", "nothing has ended yet"
    with writing(city.services.sessions) as session:
        if way == "removed":
            households.remove_member(session, "h1", member, by="operator", now=city.time)
        elif way == "another relation":
            session.delete(session.get_one(HouseholdMember, member))
        elif way == "home erased":
            households.erase(session, "h1", by="operator", now=city.time)
    stage.later(3600 if way == "by its time" else 1800)
    assert stage.told == (1, 0, 0)

    look(city)
    stage.later(0)

    assert stage.told[:2] == (1, 1)
    alert = the_alert(city)
    assert alert["acknowledged_by"] is None
    assert ("released", None) in [(one["action"], one["account"]) for one in alert["history"]]
    assert audited(city) == [("platform", alert["id"], {"account": "li"})]


def audited(city: City) -> list[tuple[str, str, dict[str, Any]]]:
    """Of what a right's end released: by whom, which alert, and what more."""
    query = select(AuditEntry).where(AuditEntry.action == "alert.released")
    with city.services.sessions() as session:
        lines = session.scalars(query.order_by(AuditEntry.number)).all()
        return [(line.account, line.subject, line.detail) for line in lines]


@pytest.mark.parametrize("way", ["revoked", "by its time"])
def test_whose_consent_has_ended_lets_go_of_what_it_opened(city: City, way: str) -> None:
    for name in ("li", "second"):
        city.account(name, Role.FAMILY)
        city.consent(name)
    fire(city, domain="checkin", kind="absent", person_key="p1", severity="major", device="")
    alert = the_alert(city, "li", "checkin")["id"]
    for name in ("li", "second"):
        with writing(city.services.sessions) as session:
            answers.record(session, alert, name, "accepted", city.time, via="page")
        city.later(seconds=1)
    with writing(city.services.sessions) as session:
        of_li = Consent.account_id == account_named(session, "li").id
        (consent,) = session.scalars(select(Consent).where(of_li))
        if way == "revoked":
            consents.revoke(
                session, person_key="p1", consent_id=consent.id, by="operator", now=city.time
            )
        else:
            consent.expires = city.time

    look(city)

    assert the_alert(city, "second", "checkin")["acknowledged_by"] == "second"
    assert audited(city) == [("platform", alert, {"account": "li"})]
    with city.services.sessions() as session:
        of_alerts = select(AuditEntry).where(AuditEntry.action.startswith("alert."))
        last = session.scalars(of_alerts.order_by(AuditEntry.number.desc()).limit(2))
        assert [(one.action, one.account, one.person_key) for one in last] == [
            ("alert.acknowledged", "second", "p1"),
            ("alert.released", "platform", "p1"),
        ]


def test_a_right_that_began_while_somebody_waited_is_no_end(stage: Stage) -> None:
    """A turn judges by the moment that it began: what was taken on since is the next one's."""
    city = stage.city
    began = city.time
    city.later(seconds=2)
    home_of_li(city)
    fire(city)
    assert answer(city, "li", "accepted")
    with writing(city.services.sessions) as session:
        assert not ended_rights.release(session, began)
    assert the_alert(city)["acknowledged_by"] == "li"


def test_what_a_channel_took_on_and_what_is_still_ones_own_stays(stage: Stage) -> None:
    city = stage.city
    fire(city)
    fire(city, reference="alarm-0002")
    with city.services.sessions() as session:
        first, second = session.scalars(select(AlertRow.id).order_by(AlertRow.key))
    with writing(city.services.sessions) as session:
        answers.record(session, first, "channel control room", "accepted", city.time, via="webhook")
        answers.record(session, second, "dispatcher", "accepted", city.time, via="page")
    with statements(city.services.engine) as asked, writing(city.services.sessions) as session:
        assert not ended_rights.release(session, city.time)
    assert not [text for text, _ in asked if "feed_head" in text], "nobody waits for that"
    assert audited(city) == []


def test_what_is_over_or_confirmed_stays_as_it_was_left(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    answer(city, "dispatcher", "accepted")
    fire(city, active=False)
    closed(city, "dispatcher")
    assert the_alert(city)["acknowledged_by"] == "dispatcher"
    fire(city, reference="alarm-0002", device="mic-1")
    (other,) = [one for one in city.alerts("administrator", domain="smoke") if not one["cleared"]]
    with writing(city.services.sessions) as session:
        reader = reader_of(session, account_named(session, "administrator"), city.time)
        for action in ("acknowledged", "confirmed"):
            act(session, reader, other["id"], action, now=city.time)
    city.account("chief", Role.ADMINISTRATOR)
    closed(city, "administrator")
    shown = city.client("chief").get(f"/api/v1/alerts/{other['id']}").json()
    assert shown["confirmed_by"] == "administrator"
    assert shown["acknowledged_by"] == "administrator"


def test_cases_of_a_closed_account_are_anybodys(city: City) -> None:
    office = Office(city)
    case = office.water()
    assert case["assignee"] == "inspector"
    closed(city, "inspector")
    assert office.see("other-inspector", case["id"])["assignee"] is None


@pytest.mark.parametrize(
    ("leave", "why", "by"),
    [
        (closed, "closed", "operator"),
        (removed, "removed", "operator"),
        (retired, "closed", "administrator"),
        (demoted, "roles", "administrator"),
    ],
)
def test_a_case_says_from_whose_hands_it_came_and_why(
    city: City, leave: Leave, why: str, by: str
) -> None:
    office = Office(city)
    case = office.water()
    leave(city, "inspector")
    seen = office.see("other-inspector", case["id"])
    assert seen["assignee"] is None
    last = seen["history"][-1]
    assert (last["action"], last["account"]) == ("released", by)
    assert last["detail"] == {"from": "inspector", "why": why}
    assert seen["version"] == case["version"], "whoever is just acting on it is refused nothing"
    with city.services.sessions() as session:
        query = select(CaseEvent).where(CaseEvent.case_id == case["id"])
        assert history.broken(session, session.scalars(query).all(), {}) == [], "and in the log"
    office.do("other-inspector", f"/{case['id']}/take", {"version": case["version"]})


def test_a_case_that_was_given_stays_with_whoever_is_limited_to_a_district(city: City) -> None:
    """What one was given one sees, wherever it lies (ADR 29)."""
    office = Office(city)
    case = office.water()
    moved(city, "inspector")
    assert office.see("inspector", case["id"])["assignee"] == "inspector"


def test_who_gets_more_lets_go_of_nothing(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    answer(city, "dispatcher", "accepted")
    entry = {"key": "dispatcher", "new": False, "values": {"roles": ["dispatcher", "inspector"]}}
    told = city.client("administrator").put("/api/v1/registers/accounts/entry", json=entry)
    assert told.status_code == 200, told.text
    assert the_alert(city)["acknowledged_by"] == "dispatcher"


def test_whoever_else_accepted_and_lost_the_role_since_does_not_get_it(stage: Stage) -> None:
    city = stage.city
    fire(city)
    stage.later(0)
    city.account("second", Role.DISPATCHER)
    for who in ("dispatcher", "second"):
        answer(city, who, "accepted")
        stage.later(1)
    demoted(city, "second")
    demoted(city, "dispatcher")
    assert the_alert(city)["acknowledged_by"] is None


def test_an_account_may_be_added_closed(city: City) -> None:
    answer = city.client("administrator").put(
        "/api/v1/registers/accounts/entry",
        json={"key": "later", "new": True, "values": {"roles": ["inspector"], "active": False}},
    )
    assert answer.status_code == 200, answer.text
