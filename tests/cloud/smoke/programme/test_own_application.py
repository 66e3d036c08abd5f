"""Residents apply on line: eligible or not at once, and why; they follow it and withdraw it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from fire_town import HOME
from programme_town import OWN, WANG, Programme
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.smoke.programme_models import ProgrammeHome, ProgrammeStep


def look(programme: Programme, *risks: str, who: str = "resident") -> dict[str, Any]:
    body = {"household": HOME, "risks": list(risks)}
    found: dict[str, Any] = programme.say(who, "POST", "/homes/mine/eligibility", body)
    return found


def count(programme: Programme, *models: Any) -> list[int]:
    with programme.city.services.sessions() as session:
        return [session.scalar(select(func.count()).select_from(one)) or 0 for one in models]


def test_whether_a_home_is_eligible_is_told_before_anything_is_written(
    programme: Programme,
) -> None:
    for who in ("resident", "guardian"):
        look(programme, who=who)  # a sign-in is audited
    before = count(programme, ProgrammeHome, ProgrammeStep, AuditEntry)
    assert look(programme) == {"eligible": False, "objections": ["no-risk-group"]}
    assert look(programme, "elder-alone") == {"eligible": True, "objections": []}
    assert look(programme, "elder-alone", who="guardian")["eligible"] is True
    assert count(programme, ProgrammeHome, ProgrammeStep, AuditEntry) == before
    for who, status in (("neighbour", 404), ("registrar", 403)):
        body = {"household": HOME, "risks": ["elder-alone"]}
        assert programme.ask(who, "POST", "/homes/mine/eligibility", body).status_code == status


def test_what_is_not_eligible_is_refused_at_once_with_every_reason(programme: Programme) -> None:
    def refused(**more: Any) -> tuple[int, str, list[str]]:
        answer = programme.ask("resident", "POST", "/homes/mine", {**OWN, **more})
        said = answer.json()
        return answer.status_code, said["code"], said["data"]["objections"]

    not_eligible = (409, "programme-not-eligible")
    assert refused(risks=[]) == (*not_eligible, ["no-risk-group"])
    home = programme.own()
    assert look(programme, "elder-alone")["objections"] == ["another-application"]
    assert refused() == (*not_eligible, ["another-application"])
    assert refused(risks=[]) == (*not_eligible, ["no-risk-group", "another-application"])
    programme.fitted(home, "S-001")
    programme.signed(home)
    assert refused() == (*not_eligible, ["served-already"])
    assert count(programme, ProgrammeHome) == [1]


@pytest.mark.parametrize(
    "bad",
    [
        {"agreed": False},
        {"agreed": None},
        {"risks": ["rich"]},
        {"phone": "call me"},
        {"name": "two\nlines"},
        {"village": "x" * 41},
        {"household": ""},
        {"address": "somewhere else"},
        {"country": "somewhere else"},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_bad_input_is_named_and_changes_nothing(programme: Programme, bad: dict[str, Any]) -> None:
    answer = programme.ask("resident", "POST", "/homes/mine", {**OWN, **bad})
    assert answer.status_code == 422
    assert next(iter(bad)) in answer.text or "household" in answer.text
    assert count(programme, ProgrammeHome) == [0]


def test_consent_is_kept_and_whoever_applied_follows_what_became_of_it(
    programme: Programme,
) -> None:
    applied = programme.applied(phone="05-222-3333", name="陳美玲")
    assert (applied["home"]["phase"], applied["name"]) == ("applied", "陳美玲")
    home = applied["home"]["home"]
    programme.say("dispatcher", "POST", f"/homes/{home}/decision", {"refused": "not-in-the-city"})
    (mine,) = programme.say("resident", "GET", "/homes/mine")["homes"]
    assert (mine["home"]["phase"], mine["home"]["reason"]) == ("refused", "not-in-the-city")
    steps = [one["what"] for one in mine["steps"]]
    assert steps == ["applied:online", "agreed:notice-1", "refused:not-in-the-city"]
    assert all(set(one) == {"at", "what"} for one in mine["steps"]), "nobody's account name"
    assert look(programme, "elder-alone")["eligible"] is True, "refused, it may apply again"


def test_an_application_is_withdrawn_by_those_who_live_there_until_alarms_hang(
    programme: Programme,
) -> None:
    home = programme.own()
    path = f"/homes/{home}/withdrawal"
    assert programme.ask("neighbour", "POST", path).status_code == 404
    assert programme.say("resident", "POST", path)["home"]["phase"] == "withdrawn"
    again = programme.ask("resident", "POST", path)
    assert (again.status_code, again.json()["code"]) == (409, "programme-out-of-turn")
    assert programme.own() == home, "the same home, applied for anew"
    programme.fitted(home, "S-001")
    assert programme.ask("resident", "POST", path).status_code == 409


def test_a_referral_is_answered_with_whether_the_home_is_eligible(programme: Programme) -> None:
    body = {"particulars": WANG, "risks": [], "agreed": True}
    said = programme.say("registrar", "POST", "/homes", body)
    assert (said["phase"], said["objections"]) == ("applied", ["no-risk-group"])
    said = programme.say("registrar", "POST", "/homes", {**body, "risks": ["elder-alone"]})
    assert said["objections"] == []
    with programme.city.services.sessions() as session:
        steps = select(ProgrammeStep.what).where(ProgrammeStep.home == said["home"])
        assert list(session.scalars(steps)) == ["applied:referral", "agreed:notice-1"]
    for agreed in (False, None):
        refused = programme.ask("registrar", "POST", "/homes", {**body, "agreed": agreed})
        assert refused.status_code == 422


UNKNOWN = {
    "address": "嘉義市東區民族路8號",
    "name": "王先生",
    "phone": "05-222-3333",
    "risks": ["elder-alone"],
    "agreed": True,
}


@pytest.fixture
def wang(programme: Programme) -> Programme:
    """An account of a family that belongs to no home."""
    programme.city.account("wang", Role.FAMILY)
    return programme


def test_whoever_lives_in_a_home_that_is_not_known_applies_and_opens_nothing(
    wang: Programme,
) -> None:
    applied = wang.say("wang", "POST", "/homes/mine", UNKNOWN)
    home = applied["home"]["home"]
    assert (applied["address"], applied["home"]["household"]) == (UNKNOWN["address"], None)
    (mine,) = wang.say("wang", "GET", "/homes/mine")["homes"]
    assert mine["home"]["home"] == home
    assert wang.say("resident", "GET", "/homes/mine")["homes"] == []
    second = wang.ask("wang", "POST", "/homes/mine", {**UNKNOWN, "address": "elsewhere"})
    assert second.json()["data"]["objections"] == ["another-application"]
    assert wang.say("dispatcher", "GET", f"/homes/{home}")["claimed"] is True
    accepted = wang.say("dispatcher", "POST", f"/homes/{home}/decision", {})
    assert accepted["household"].startswith("programme-")
    (mine,) = wang.say("wang", "GET", "/homes/mine")["homes"]
    assert mine["home"]["phase"] == "accepted", "it is followed"
    assert wang.city.client("wang").get("/api/v1/households/mine").json()["homes"] == []
    assert wang.ask("wang", "POST", f"/homes/{home}/withdrawal").status_code == 404
    wang.say("dispatcher", "POST", f"/homes/{home}/closing", {"reason": "moved"})
    assert wang.say("wang", "GET", "/homes/mine")["homes"] == []


def test_the_office_finds_that_they_live_there_and_they_sign(wang: Programme) -> None:
    home = wang.say("wang", "POST", "/homes/mine", UNKNOWN)["home"]["home"]
    accepted = wang.say("dispatcher", "POST", f"/homes/{home}/decision", {"lives_there": True})
    (own,) = wang.city.client("wang").get("/api/v1/households/mine").json()["homes"]
    assert (own["key"], own["relation"]) == (accepted["household"], "resident")
    at = (wang.city.time + timedelta(days=2)).isoformat()
    wang.say("maintainer", "POST", f"/homes/{home}/appointment", {"at": at})
    wang.photo(home)
    expires = (wang.city.time + timedelta(days=3650)).date().isoformat()
    alarms = [{"serial": "S-001", "room": "bedroom", "expires": expires}]
    wang.say("maintainer", "POST", f"/homes/{home}/installation", {"alarms": alarms})
    assert wang.sign("wang", home, "household").is_success
    assert wang.sign("resident", home, "household").status_code == 404


def test_who_applied_withdraws_what_nobody_has_decided(wang: Programme) -> None:
    home = wang.say("wang", "POST", "/homes/mine", UNKNOWN)["home"]["home"]
    assert wang.ask("resident", "POST", f"/homes/{home}/withdrawal").status_code == 404
    assert wang.say("wang", "POST", f"/homes/{home}/withdrawal")["home"]["phase"] == "withdrawn"
    assert wang.say("wang", "POST", "/homes/mine", UNKNOWN)["home"]["home"] != home


def test_who_left_a_home_follows_nothing_of_it(programme: Programme) -> None:
    """Given a resident who applied and moves out before anything was decided."""
    programme.own()
    assert programme.say("resident", "GET", "/homes/mine")["homes"]
    city = programme.city
    with writing(city.services.sessions) as session:
        members = households.find(session, city.cipher, city.time, HOME).members
        (number,) = [one.id for one in members if one.account == "resident"]
        households.remove_member(session, HOME, number, by="test", now=city.time)
    city.later(seconds=1)
    assert programme.say("resident", "GET", "/homes/mine")["homes"] == []


def test_nobody_becomes_a_resident_of_what_was_referred(wang: Programme) -> None:
    home = wang.referred()
    entry = wang.say("dispatcher", "POST", f"/homes/{home}/decision", {"lives_there": True})
    with wang.city.services.sessions() as session:
        found = households.find(session, wang.city.cipher, wang.city.time, entry["household"])
    assert found.members == []


@pytest.mark.parametrize("bad", [{"household": HOME}, {"address": " "}, {"address": "x" * 201}])
def test_an_application_is_for_one_home(wang: Programme, bad: dict[str, Any]) -> None:
    assert wang.ask("wang", "POST", "/homes/mine", {**UNKNOWN, **bad}).status_code == 422
