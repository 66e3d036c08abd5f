"""Volunteers of a cohort, and with hours of their own: nobody is called outside of them."""

from __future__ import annotations

from typing import Any

import pytest

from aed_town import alert_of, callouts, press, ready, rounds
from cloud_city import City
from vigil_cloud.aed import on_call

SCHOOL = {
    "name": "Class 3A",
    "name_zh": "三年甲班",
    "kind": "pupils",
    "hours": "Mo-Fr 07:30-17:00",
}
RIDERS = {"name": "Riders", "kind": "carriers", "hours": "Mo-Su 10:00-22:00", "speed_mps": 6.0}


def ask(town: City, method: str, path: str, body: Any = None, who: str = "administrator") -> Any:
    return town.client(who).request(method, f"/api/v1/aed{path}", json=body)


def say(town: City, method: str, path: str, body: Any = None, who: str = "administrator") -> Any:
    answer = ask(town, method, path, body, who)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def bars(town: City, who: str) -> list[str]:
    found: list[str] = say(town, "GET", "/volunteer", who=who)["bars"]
    return found


def test_nobody_of_a_cohort_is_called_outside_of_its_hours(town: City) -> None:
    """Others are called at all hours."""
    say(town, "PUT", "/cohorts/class-3a", {**SCHOOL, "hours": "Mo-Fr 23:00-23:01"})
    say(town, "PUT", "/volunteers/ann/cohort", {"cohort": "class-3a"})
    for name, east in (("ann", 0.001), ("bo", 0.002)):
        ready(town, name, east)
    assert bars(town, "ann") == ["outside-cohort-hours"]
    assert say(town, "GET", "/volunteer", who="ann")["cohort"]["name_zh"] == "三年甲班"
    press(town)
    rounds(town)
    assert {one["username"] for one in callouts(town)} == {"bo"}
    say(town, "PUT", "/cohorts/class-3a", {**SCHOOL, "hours": "24/7"})
    assert bars(town, "ann") == []
    press(town, "call-0002")
    rounds(town)
    calls = say(town, "GET", "/calls")["calls"]
    called = {one["username"] for call in calls for one in call["callouts"]}
    assert called == {"ann", "bo"}


def test_who_is_called_has_said_at_what_hours(town: City) -> None:
    ready(town, "ann", 0.001)
    say(town, "PUT", "/volunteer/hours", {"hours": "Mo-Su 23:00-23:01"}, who="ann")
    assert bars(town, "ann") == ["outside-hours"]
    press(town)
    rounds(town)
    assert alert_of(town)["detail"]["nobody_in_reach"] is True
    refused = ask(town, "PUT", "/volunteer/hours", {"hours": "whenever"}, "ann")
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-opening-hours")
    say(town, "PUT", "/volunteer/hours", {"hours": ""}, who="ann")
    assert bars(town, "ann") == []
    (named,) = [
        one for one in say(town, "GET", "/volunteers")["volunteers"] if one["username"] == "ann"
    ]
    assert named["hours"] == "", "when somebody is free is nobody else's business"


def test_carriers_on_wheels_are_there_sooner(town: City) -> None:
    ready(town, "ann", 0.004)
    press(town)
    rounds(town)
    (walks,) = callouts(town)
    with town.services.sessions() as session:
        (before,) = on_call.to_call(session, town.cipher, town.time)
    say(town, "PUT", "/cohorts/riders", {**RIDERS, "hours": "24/7"})
    say(town, "PUT", "/volunteers/ann/cohort", {"cohort": "riders"})
    with town.services.sessions() as session:
        (rides,) = on_call.to_call(session, town.cipher, town.time)
    assert (before.speed_mps, rides.speed_mps) == (1.8, 6.0)
    press(town, "call-0002")
    rounds(town)
    calls = say(town, "GET", "/calls")["calls"]
    soonest = min(one["predicted_s"] for call in calls for one in call["callouts"])
    assert soonest < walks["predicted_s"]


def test_a_class_is_certified_at_once_and_a_cohort_goes_once_nobody_is_of_it(town: City) -> None:
    """Pupils whose class were removed would be called at all hours."""
    say(town, "PUT", "/cohorts/class-3a", SCHOOL)
    for name in ("ann", "bo"):
        say(town, "PUT", f"/volunteers/{name}/cohort", {"cohort": "class-3a"})
    told = say(town, "PUT", "/cohorts/class-3a/certificate", {"until": "2028-06-30"})
    assert told == {"members": 2}
    assert say(town, "GET", "/volunteer", who="bo")["certificate_until"] == "2028-06-30"
    (cohort,) = say(town, "GET", "/cohorts")["cohorts"]
    assert (cohort["members"], cohort["kind"]) == (2, "pupils")
    kept = ask(town, "DELETE", "/cohorts/class-3a")
    assert (kept.status_code, kept.json()["code"]) == (409, "aed-cohort-in-use")
    assert kept.json()["data"] == {"members": 2}
    assert say(town, "GET", "/volunteer", who="bo")["cohort"]["id"] == "class-3a"
    for name in ("ann", "bo"):
        say(town, "PUT", f"/volunteers/{name}/cohort", {"cohort": None})
    say(town, "DELETE", "/cohorts/class-3a")
    say(town, "DELETE", "/cohorts/class-3a")
    assert say(town, "GET", "/volunteer", who="bo")["cohort"] is None
    assert say(town, "GET", "/volunteer", who="bo")["certificate_until"] == "2028-06-30"
    gone = ask(town, "PUT", "/volunteers/bo/cohort", {"cohort": "class-3a"})
    assert (gone.status_code, gone.json()["code"]) == (404, "aed-cohort-unknown")


def test_whose_cohort_is_not_there_any_more_is_called_at_no_hour(town: City) -> None:
    """Nobody knows its hours: rows of an earlier version, or of a hand in the database."""
    say(town, "PUT", "/cohorts/class-3a", {**SCHOOL, "hours": "24/7"})
    say(town, "PUT", "/volunteers/ann/cohort", {"cohort": "class-3a"})
    ready(town, "ann", 0.001)
    with town.services.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM aed_cohorts")
    assert bars(town, "ann") == ["outside-cohort-hours"]
    press(town)
    rounds(town)
    assert callouts(town) == []


@pytest.mark.parametrize(
    "bad",
    [{"hours": "at lunch"}, {"kind": "pirates"}, {"speed_mps": 0}, {"speed_mps": 99}, {"name": ""}],
    ids=str,
)
def test_bad_cohorts_are_refused(town: City, bad: dict[str, Any]) -> None:
    answer = ask(town, "PUT", "/cohorts/class-3a", {**SCHOOL, **bad})
    assert answer.status_code == 422
    assert say(town, "GET", "/cohorts")["cohorts"] == []
