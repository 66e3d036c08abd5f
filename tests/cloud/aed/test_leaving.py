"""A volunteer whose account ends, or is no volunteer's any more, in the middle of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from aed_town import alert_of, callouts, calls_of, end, press, ready, rounds, say
from cloud_city import City
from vigil_cloud.aed.models import AedCallout
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, remove_account, set_active, set_roles

Leave = Callable[[City, str], None]


def closed(town: City, name: str) -> None:
    with writing(town.services.sessions) as session:
        set_active(session, name, False, by="operator", now=town.time)


def removed(town: City, name: str) -> None:
    with writing(town.services.sessions) as session:
        remove_account(session, name, by="operator", now=town.time)


def roles(town: City, name: str) -> None:
    with writing(town.services.sessions) as session:
        account = account_named(session, name)
        set_roles(session, account, [Role.FAMILY], by="operator", now=town.time)


WAYS = [closed, removed, roles]


def crowd(town: City) -> None:
    """So many that not everybody is called: they nearly always accept."""
    for number in range(12):
        town.account(f"v{number:02}", Role.VOLUNTEER)
        ready(town, f"v{number:02}", 0.0005 * (number + 1))
    with town.services.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE aed_volunteers SET asked_day = 50, accepted_day = 50")
    press(town)
    rounds(town)


def by_name(town: City) -> dict[str | None, dict[str, Any]]:
    return {one["username"]: one for one in callouts(town)}


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("word", ["accepted", "on-the-way"])
def test_who_had_accepted_is_released_and_the_next_is_called_at_once(
    town: City, leave: Leave, word: str
) -> None:
    crowd(town)
    first = callouts(town)
    for one in first:
        assert say(town, one["username"], "accepted").is_success
    gone = first[0]["username"]
    if word == "on-the-way":
        assert say(town, gone, word).is_success
    leave(town, gone)
    after = callouts(town)
    assert len(after) > len(first), "somebody else is called, without waiting for a round"
    assert {one["role"] for one in after[len(first) :]} == {first[0]["role"]}
    (out,) = [one for one in after if one["state"] == "released"]
    assert out["username"] == (None if leave is removed else gone)
    alert = alert_of(town)
    role = "patient_role" if first[0]["role"] == "patient" else "aed_role"
    others = [one for one in first[1:] if one["role"] == first[0]["role"]]
    assert alert["detail"][role] == ("accepted" if others else "unfilled")
    assert (alert["detail"]["released"], alert["detail"]["called"]) == (1, len(after))
    assert any("volunteer-left" in one["comment"] for one in alert["history"])
    with town.services.sessions() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.action == "aed.released")).one()
    why = leave.__name__
    assert line.account == "operator"
    assert line.detail == {"volunteer": gone, "was": word, "why": why}


@pytest.mark.parametrize("leave", WAYS)
def test_who_was_called_and_has_not_answered_is_replaced_as_if_declined(
    town: City, leave: Leave
) -> None:
    crowd(town)
    called = callouts(town)
    leave(town, called[0]["username"])
    after = callouts(town)
    assert len(after) == len(called) + 1
    assert after[0]["state"] == "released"


def test_who_has_arrived_stays_there_whatever_becomes_of_the_account(town: City) -> None:
    for name, east in (("ann", 0.001), ("bo", 0.002)):
        ready(town, name, east)
    press(town)
    rounds(town)
    for word in ("accepted", "arrived"):
        assert say(town, "ann", word).is_success
    removed(town, "ann")
    states = [one["state"] for one in callouts(town)]
    assert "arrived" in states
    assert "released" not in states
    assert alert_of(town)["detail"]["released"] == 0


def test_who_may_not_be_called_any_more_is_passed_over_by_later_phases(town: City) -> None:
    """The plan is as old as the press: accounts that ended since, and whoever went off call."""
    crowd(town)
    called = {one["username"] for one in callouts(town)}
    left = sorted({f"v{number:02}" for number in range(12)} - called)
    for name in left[:2]:
        closed(town, name)
    town.client(left[2]).put("/api/v1/aed/volunteer/on-call", json={"position": None})
    town.later(minutes=3)
    rounds(town)
    later = {one["username"] for one in callouts(town)}
    assert later > called
    assert not later & set(left[:3])


def test_a_call_that_is_over_keeps_who_came_and_forgets_what_they_said(town: City) -> None:
    ready(town, "ann", 0.001)
    press(town)
    rounds(town)
    for word in ("accepted", "arrived"):
        assert say(town, "ann", word).is_success
    end(town, alert_of(town)["id"])
    rounds(town)
    path = f"/api/v1/aed/calls/{calls_of(town, 'ann')[0]['call']}/debrief"
    said = {"did": ["cpr"], "feeling": "well", "note": ""}
    assert town.client("ann").put(path, json=said).is_success
    removed(town, "ann")
    (one,) = callouts(town)
    assert (one["username"], one["state"], one["debrief"]) == (None, "arrived", None)
    with town.services.sessions() as session:
        row = session.scalars(select(AedCallout)).one()
        assert (row.account_id, row.debrief) == (None, None)


def test_the_case_says_how_many_could_not_come(town: City) -> None:
    crowd(town)
    gone = callouts(town)[0]["username"]
    assert say(town, gone, "accepted").is_success
    closed(town, gone)
    (call,) = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    (section,) = town.client("dispatcher").get(f"/api/v1/cases/{call['case']}").json()["sections"]
    facts = {fact["title"]: fact["value"] for fact in section["facts"]}
    assert facts["Could not come any more (account closed or limited)"] == "1"
    assert facts["Accepted"] == "0"


def withdrawn(town: City, name: str) -> None:
    path = "/api/v1/aed/volunteer/consent"
    assert town.client(name).put(path, json={"consent": False}).is_success


def uncertified(town: City, name: str) -> None:
    path = f"/api/v1/aed/volunteers/{name}/certificate"
    assert town.client("administrator").put(path, json={"until": None}).is_success


@pytest.mark.parametrize(
    ("leave", "why", "by"),
    [(withdrawn, "consent", ""), (uncertified, "certificate", "administrator")],
)
@pytest.mark.parametrize("word", [None, "accepted", "on-the-way"])
def test_who_takes_the_consent_back_is_released_and_others_are_called(
    town: City, leave: Leave, why: str, by: str, word: str | None
) -> None:
    crowd(town)
    called = callouts(town)
    gone = called[0]["username"]
    for each in [] if word is None else ["accepted", word][: 1 + (word != "accepted")]:
        for one in called if each == "accepted" else called[:1]:
            assert say(town, one["username"], each).is_success
    leave(town, gone)
    after = callouts(town)
    assert by_name(town)[gone]["state"] == "released"
    assert len(after) > len(called), "somebody else is called, without waiting for a round"
    for later in ("accepted", "on-the-way", "arrived", "declined"):
        refused = say(town, gone, later)
        assert (refused.status_code, refused.json()["code"]) == (409, "aed-released")
    assert callouts(town) == after
    with town.services.sessions() as session:
        line = session.scalars(select(AuditEntry).where(AuditEntry.action == "aed.released")).one()
    assert line.account == (by or gone)
    assert line.detail == {"volunteer": gone, "was": word or "called", "why": why}


def test_a_consent_that_was_gone_before_is_asked_for_by_each_word(town: City) -> None:
    """Rows of an earlier version: withdrawn in the middle of a call, and still called."""
    ready(town, "ann", 0.001)
    press(town)
    rounds(town)
    with town.services.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE aed_volunteers SET consented = NULL")
    refused = say(town, "ann", "accepted")
    assert (refused.status_code, refused.json()["code"]) == (409, "aed-released")
    assert say(town, "ann", "declined").is_success


def test_who_has_arrived_takes_the_consent_back_and_stays_there(town: City) -> None:
    ready(town, "ann", 0.001)
    press(town)
    rounds(town)
    for word in ("accepted", "arrived"):
        assert say(town, "ann", word).is_success
    withdrawn(town, "ann")
    assert next(one["state"] for one in callouts(town)) == "arrived"
    assert alert_of(town)["detail"]["released"] == 0
