"""What the page of policies is answered: refusals by field, and what a policy would do."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_city import City
from escalation_stage import HOME, Stage

FALLBACK = HOME["fallback"]
TWO = HOME["step"]


def put(city: City, **changes: Any) -> Any:
    body = {key: value for key, value in (HOME | changes).items() if value is not None}
    path = "/api/v1/escalation-policies/fire at home"
    return city.client("administrator").put(path, json=body)


def step(**changes: Any) -> dict[str, Any]:
    return {"after_s": 0, "channel": "page", "persons": ["dispatcher"], **changes}


@pytest.mark.parametrize(
    ("changes", "place", "kind", "value"),
    [
        ({"fallback": None}, "fallback", "missing", ""),
        ({"step": [step(channel="pigeon")]}, "step.0.channel", "literal-error", ""),
        ({"step": [step(persons=[])]}, "step.0.persons", "nobody", ""),
        ({"step": [step(), step(persons=["a", "a"])]}, "step.1.persons", "named-twice", "a"),
        ({"step": [step(after_s=90), step(after_s=30)]}, "step.1.after_s", "goes-back", "30"),
        ({"step": [step(after_s=500)]}, "fallback.after_s", "goes-back", "180"),
        ({"step": [step(after_s=-1)]}, "step.0.after_s", "greater-than-equal", ""),
        ({"step": [step(persons=[], rota="x")]}, "step.0.rota", "no-rota", "x"),
        ({"step": [step(rota=["a"])]}, "step.0.persons", "two-ways", ""),
        ({"quiet_hours": {"from": "7", "to": "8:00"}}, "quiet_hours.from", "time-of-day", ""),
        ({"quiet_hours": "07:00-07:00"}, "quiet_hours", "same-time", ""),
        ({"step": [step(persons=["nobody"])]}, "step.0.persons", "unknown-account", "nobody"),
        (
            {"fallback": FALLBACK | {"persons": ["channel:gone"]}},
            "fallback.persons",
            "unknown-channel",
            "channel:gone",
        ),
        ({"match": {"severity": "huge"}}, "match.severity", "literal-error", ""),
        ({"name": "another"}, "name", "other-name", "fire at home"),
    ],
)
def test_a_refusal_names_the_field(
    stage: Stage, changes: dict[str, Any], place: str, kind: str, value: str
) -> None:
    refused = put(stage.city, **changes)
    assert refused.status_code == 422, refused.text
    data = refused.json()["data"]
    told = list(zip(data["places"], data["kinds"], data["values"], strict=True))
    assert (place, kind, value) in told


def test_two_policies_for_the_same_alerts_name_the_other(stage: Stage) -> None:
    body = HOME | {"name": "second"}
    path = "/api/v1/escalation-policies/second"
    refused = stage.city.client("administrator").put(path, json=body)
    assert refused.json()["data"] == {
        "places": ["match"],
        "kinds": ["match-taken"],
        "values": ["fire at home"],
    }


def simulate(city: City, who: str = "administrator", **changes: Any) -> Any:
    body = {"policy": HOME, "at": "2026-01-05T00:00:00Z", **changes}
    return city.client(who).post("/api/v1/escalation-policies/simulate", json=body)


def test_what_a_policy_would_do_is_worked_out_by_the_machine_that_does_it(city: City) -> None:
    """Also of one whose channels are not there yet: nothing is stored and nobody is called."""
    all_of_it = simulate(city).json()["calls"]
    assert [(call["after_s"], call["step"], call["fallback"]) for call in all_of_it] == [
        (0, 1, False),
        (60, 2, False),
        (180, 3, True),
    ]
    answers = [
        {"person": "dispatcher", "channel": "sms", "delay_s": 20, "answer": "declined"},
        {"person": "role:maintainer", "channel": "webhook", "delay_s": 30, "answer": "accepted"},
    ]
    some = simulate(city, answers=answers).json()["calls"]
    assert [(call["person"], call["outcome"], call["answered_s"]) for call in some] == [
        ("dispatcher", "declined", 20),
        ("role:maintainer", "accepted", 90),
    ]
    assert city.client("administrator").get("/api/v1/escalation-policies").json() == {
        "policies": []
    }


def test_quiet_hours_and_rotas_go_by_the_moment_that_is_asked_for(city: City) -> None:
    rota = {"persons": ["li", "wang"], "start": "2026-01-05T00:00:00+08:00", "shift_s": 86400}
    policy = HOME | {
        "quiet_hours": {"from": "22:00", "to": "07:00"},
        "rota": {"duty": rota},
        "step": [{"after_s": 0, "channel": "sms", "rota": "duty"}],
    }
    late = {"at": "2026-01-05T15:00:00Z", "severity": "minor"}  # 23:00 in Taipei
    first, _ = simulate(city, policy=policy, **late).json()["calls"]
    assert (first["after_s"], first["person"]) == (8 * 3600, "wang")
    urgent = simulate(city, policy=policy, at=late["at"]).json()["calls"]
    assert (urgent[0]["after_s"], urgent[0]["person"]) == (0, "li")


def test_it_is_refused_like_one_that_is_stored_and_to_others_than_administrators(
    city: City,
) -> None:
    wrong = {key: value for key, value in HOME.items() if key != "fallback"}
    refused = simulate(city, policy=wrong)
    assert refused.json()["data"]["places"] == ["policy.fallback"]
    twice = [{"person": "a", "channel": "sms", "delay_s": 1, "answer": "accepted"}] * 2
    refused = simulate(city, answers=twice)
    assert refused.json()["data"]["places"] == ["answers.1.person"]
    assert simulate(city, "dispatcher").status_code == 403
