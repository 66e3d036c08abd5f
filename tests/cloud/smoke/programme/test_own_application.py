"""Residents apply on line: eligible or not at once, and why; they follow it and withdraw it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from fire_town import HOME
from programme_town import OWN, WANG, Programme
from vigil_cloud.identity.models import AuditEntry
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
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_bad_input_is_named_and_changes_nothing(programme: Programme, bad: dict[str, Any]) -> None:
    answer = programme.ask("resident", "POST", "/homes/mine", {**OWN, **bad})
    assert answer.status_code == 422
    assert next(iter(bad)) in answer.text
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
