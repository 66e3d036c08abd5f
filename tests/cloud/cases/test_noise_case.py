"""A loud vehicle: two reviewers, blind to each other, neither of them the opener."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from cases_office import Office, decision
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cases.deadline_alerts import told as hears_of_deadlines
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import case_kinds
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.channels import put_channel
from vigil_cloud.notify.models import Channel, Delivery
from webhook import plan


def test_two_reviewers_who_agree_fine_and_the_case_goes_its_way(office: Office) -> None:
    # Given a case that an inspector opened from an alert
    case = office.noise()
    assert (case["state"], case["opened_by"], case["decisions_needed"]) == ("new", "inspector", 2)
    assert case["title"] == "Loud vehicle 91.2 dB(A)"
    assert case["number"] == "2026-000001"
    assert [alert["domain"] for alert in case["alerts"]] == ["noise"]
    assert case["sections"][0]["facts"][0]["value"] == "91.2 dB"

    # When the first reviewer decides, it is in progress, and nobody else sees what was said
    first = office.decide("ana", case, "fine", 3000)
    assert (first["state"], first["decisions"]) == ("in_progress", 1)
    assert [one["outcome"] for one in first["decisions_given"]] == ["fine"]
    for other in ("bo", "inspector", "administrator"):
        seen = office.see(other, case["id"])
        assert (seen["decisions"], seen["decisions_given"]) == (1, []), other
        assert "3000" not in str(seen), other
        assert "Seen and heard." not in str(seen), other

    # When the second agrees, also on the version that she looked at before the first decided
    second = office.decide("bo", case, "fine", 3000)
    assert (second["state"], second["outcome"], second["amount_twd"]) == ("decided", "fine", 3000)
    assert {one["account"] for one in second["decisions_given"]} == {"ana", "bo"}

    # Then it is referred, paid and closed, and kept for ten years
    path = f"/{case['id']}"
    referred = office.do(
        "ana", f"{path}/refer", {"version": second["version"], "text": "To the EPB."}
    )
    assert referred["state"] == "referred"
    closed = office.do(
        "inspector", f"{path}/close", {"version": referred["version"], "resolution": "paid"}
    )
    assert (closed["state"], closed["resolution"], closed["due"]) == ("closed", "paid", None)
    assert closed["kept_until"].startswith("2036-02-")
    assert [event["action"] for event in closed["history"]] == [
        "opened",
        "deadline-set",
        "decision-given",
        "decision-given",
        "decided",
        "referred",
        "closed",
    ]


def test_a_disagreement_goes_to_a_third_who_sees_both(office: Office) -> None:
    case = office.noise()
    office.decide("ana", case, "fine", 3000)
    after = office.decide("bo", case, "dismissed")
    assert (after["state"], after["outcome"]) == ("in_progress", None)

    third = office.see("chen", case["id"])
    assert {one["outcome"] for one in third["decisions_given"]} == {"fine", "dismissed"}
    assert "decide" in third["may"]
    decided = office.decide("chen", third, "dismissed")

    assert (decided["state"], decided["outcome"]) == ("decided", "dismissed")
    # What was dismissed is filed, neither referred nor appealed.
    assert not {"refer", "appeal"} & set(office.see("ana", case["id"])["may"])
    status, code, _ = office.refused(
        "ana", f"/{case['id']}/refer", {"version": decided["version"], "text": "To the EPB."}
    )
    assert (status, code) == (409, "case-wrong-state")


def test_nobody_reviews_twice_nor_what_they_opened(office: Office) -> None:
    case = office.noise("ana")
    status, code, _ = office.refused("ana", f"/{case['id']}/decisions", decision(case, "dismissed"))
    assert (status, code) == (403, "not-impartial")
    seen = office.see("ana", case["id"])
    assert (seen["may_not_decide"], "decide" in seen["may"]) == ("not-impartial", False)

    first = office.decide("bo", case, "dismissed")
    assert (first["may_not_decide"], "decide" in first["may"]) == ("decided-already", False)
    again = office.refused("bo", f"/{case['id']}/decisions", decision(first, "dismissed"))
    assert again[:2] == (409, "decided-already")
    assert office.see("bo", case["id"])["decisions"] == 1


def test_an_appeal_is_judged_by_others(office: Office) -> None:
    case = office.noise()
    office.decide("ana", case, "fine", 3000)
    decided = office.decide("bo", case, "fine", 3000)
    appealed = office.do(
        "inspector",
        f"/{case['id']}/appeal",
        {"version": decided["version"], "text": "The owner says the car was sold."},
    )
    assert (appealed["state"], appealed["round"], appealed["outcome"]) == ("appealed", 2, "fine")

    status, code, _ = office.refused("ana", f"/{case['id']}/decisions", decision(appealed, "fine"))
    assert (status, code) == (422, "bad-decision")  # a fine without an amount
    status, code, _ = office.refused(
        "ana", f"/{case['id']}/decisions", decision(appealed, "dismissed")
    )
    assert (status, code) == (403, "not-impartial")

    office.decide("chen", appealed, "dismissed")
    revoked = office.decide("reviewer", appealed, "dismissed")
    assert (revoked["state"], revoked["outcome"], revoked["amount_twd"]) == (
        "decided",
        "dismissed",
        None,
    )
    assert len(revoked["decisions_given"]) == 4  # what was decided first stays in the file


@pytest.mark.parametrize(
    ("outcome", "amount"),
    [("fine", None), ("dismissed", 3000), ("x", 1)],
)
def test_an_amount_belongs_to_a_fine_and_to_nothing_else(
    office: Office, outcome: str, amount: int | None
) -> None:
    case = office.noise()
    status, code, _ = office.refused(
        "ana", f"/{case['id']}/decisions", decision(case, outcome, amount)
    )
    assert (status, code) == (422, "bad-decision")


@pytest.mark.parametrize("amount", [3000.0, 3000.5, "3000", True, 0, -1, 10**9 + 1])
def test_an_amount_is_a_whole_number(office: Office, amount: Any) -> None:
    case = office.noise()
    answer = office.refused("ana", f"/{case['id']}/decisions", decision(case, "fine", amount))
    assert answer[:2] == (422, "invalid-request")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"overload": True}, "flagged the sound"),
        ({"calibrated": False}, "not calibrated"),
    ],
)
def test_no_fine_rests_on_a_measurement_that_proves_nothing(
    office: Office, change: dict[str, Any], why: str
) -> None:
    case = office.noise(**change)

    assert [one["code"] for one in case["outcomes"] if one["barred"]] == ["fine"]
    status, code, detail = office.refused(
        "ana", f"/{case['id']}/decisions", decision(case, "fine", 3000)
    )
    assert (status, code) == (409, "outcome-barred")
    assert why in detail
    office.decide("ana", case, "not-admissible")


def test_the_deadline_for_deciding_is_near_then_over_then_met(office: Office) -> None:
    case = office.noise()
    (deadline,) = case["deadlines"]
    assert deadline["title_zh"] == "作成審查決定"
    assert office.city.client("ana").get("/api/v1/cases/counts").json()["overdue"] == 0

    office.later(days=26)
    office.chore()
    office.chore()
    office.later(days=5)
    office.chore()
    office.chore()

    late = office.see("ana", case["id"])
    told = [event["action"] for event in late["history"] if "deadline" in event["action"]]
    assert told == ["deadline-set", "deadline-near", "deadline-over"]
    assert late["overdue"]
    assert late["deadlines"][0]["overdue"]
    assert [one["id"] for one in office.listed("ana", view="overdue")] == [case["id"]]
    # A reminder is no reason to refuse what somebody is just doing.
    office.decide("ana", case, "dismissed")
    decided = office.decide("bo", case, "dismissed")
    assert decided["due"] is None
    assert office.listed("ana", view="overdue") == []


def deadline_alerts(office: Office, who: str) -> list[dict[str, Any]]:
    return [one for one in office.city.alerts(who) if one["kind"] == "case-deadline"]


def test_a_deadline_that_is_near_or_over_is_an_alert_until_it_is_met(office: Office) -> None:
    """For those who see the case; the police, who see the domain's alerts, do not."""
    case = office.noise()
    office.later(days=26)
    office.chore()

    (near,) = deadline_alerts(office, "ana")
    assert near["severity"] == "minor"
    assert case["number"] in near["title"]
    assert "is due on" in near["title"]
    assert near["title_zh"].startswith(f"案件 {case['number']}：作成審查決定將於")
    assert near["detail"]["case"] == case["id"]
    assert deadline_alerts(office, "police") == []
    answer = office.city.client("police").get(f"/api/v1/alerts/{near['id']}")
    assert answer.status_code == 404

    office.later(days=5)
    office.chore()
    (over,) = deadline_alerts(office, "ana")
    assert (over["id"], over["severity"]) == (near["id"], "major")
    assert "was due on" in over["title"]

    office.decide("ana", case, "dismissed")
    office.decide("bo", case, "dismissed")
    (met,) = deadline_alerts(office, "ana")
    assert met["state"]["active"] is False


def test_a_deadline_reaches_the_channels_of_those_who_see_the_case(office: Office) -> None:
    city = office.city
    with writing(city.services.sessions) as session:
        for role in (Role.INSPECTOR, Role.POLICE, Role.DISPATCHER):
            put_channel(session, city.cipher, name=role.value, url="json://127.0.0.1:1/", role=role)
    office.noise()
    plan(city)
    office.later(days=26)
    office.chore()
    plan(city)
    with city.services.sessions() as session:
        rows = session.execute(
            select(Channel.name)
            .join(Delivery, Delivery.channel_id == Channel.id)
            .join(AlertRow, AlertRow.id == Delivery.alert_id)
            .where(AlertRow.kind == "case-deadline")
        )
        assert {row.name for row in rows} == {"inspector"}


def test_every_shipped_kind_of_case_has_somebody_who_hears_of_its_deadlines() -> None:
    for kind in case_kinds():
        assert not kind.deadlines or hears_of_deadlines(kind), kind.name
