"""Policies that name somebody who can be called no longer: told at once, and where they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cloud_city import SECRET, City
from escalation_stage import Stage, put
from vigil_cloud import cli
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, remove_account, set_active
from vigil_cloud.notify.escalation import gaps, policies
from vigil_cloud.notify.escalation.policy import parse
from vigil_cloud.notify.removal import remove_channel
from webhook import channel

FIRST = {"after_s": 0, "channel": "sms", "persons": ["dispatcher"]}


def told(city: City) -> list[tuple[str, str]]:
    found = city.alerts("administrator", domain="platform")
    return [
        (one["title"], one["severity"])
        for one in found
        if one["kind"] == "policy-gap" and one["state"]["active"]
    ]


def check(city: City) -> None:
    with writing(city.services.sessions) as session:
        policies.check(session, city.time)


def close(city: City, name: str) -> None:
    with writing(city.services.sessions) as session:
        set_active(session, name, active=False, by="operator", now=city.time)


def remove(city: City, name: str) -> None:
    with writing(city.services.sessions) as session:
        remove_account(session, name, by="operator", now=city.time)


def take_away(city: City, name: str) -> None:
    with writing(city.services.sessions) as session:
        remove_channel(session, name, by="operator", now=city.time)


@pytest.mark.parametrize(
    ("act", "name", "why"),
    [
        (close, "dispatcher", "account-closed"),
        (remove, "dispatcher", "no-account"),
        (take_away, "first", "no-channel"),
    ],
)
def test_who_is_closed_is_told_with_the_step_that_names_them(
    stage: Stage, act: Callable[[City, str], None], name: str, why: str
) -> None:
    city = stage.city
    check(city)
    assert told(city) == []
    act(city, name)
    check(city)
    check(city)
    assert told(city) == [
        ("Escalation policy fire at home names somebody who cannot be called", "minor")
    ]
    (listed,) = city.client("administrator").get("/api/v1/escalation-policies").json()["policies"]
    assert listed["gaps"] == [{"step": 1, "person": "dispatcher", "why": why}]
    assert listed["ends_nowhere"] is False


def test_a_policy_that_ends_nowhere_is_told_as_the_channel_goes(stage: Stage) -> None:
    city = stage.city
    take_away(city, "control room")
    assert told(city) == [("Escalation policy fire at home ends nowhere", "major")], "at once"
    (listed,) = city.client("administrator").get("/api/v1/escalation-policies").json()["policies"]
    assert listed["ends_nowhere"] is True

    channel(city, stage.control.url, "control room", role=Role.DISPATCHER)
    check(city)
    assert told(city) == []


def test_a_policy_that_is_changed_or_taken_away_is_amiss_no_more(stage: Stage) -> None:
    city = stage.city
    close(city, "dispatcher")
    check(city)
    assert told(city) != []
    put(city, step=[])
    assert told(city) == []
    account = "dispatcher"
    with writing(city.services.sessions) as session:
        account_named(session, account).active = True
    put(city)
    close(city, account)
    check(city)
    assert told(city) != []
    with writing(city.services.sessions) as session:
        policies.remove(session, "fire at home", by="operator", now=city.time)
    assert told(city) == []


def test_a_role_that_nobody_holds_and_no_channel_has_calls_nobody(stage: Stage) -> None:
    city = stage.city
    close(city, "maintainer")
    with city.services.sessions() as session:
        (one,) = policies.stored(session)
    assert [(gap.step, gap.person, gap.why) for gap in one.gaps] == [
        (2, "role:maintainer", "nobody")
    ]


def test_of_a_rota_everybody_counts_and_the_page_needs_no_channel(city: City) -> None:
    steps: dict[str, Any] = {
        "name": "rota",
        "step": [{"after_s": 0, "channel": "page", "persons": ["role:police", "dispatcher"]}],
        "fallback": {"after_s": 60, "channel": "page", "rota": ["dispatcher", "maintainer"]},
    }
    policy = parse(steps)
    with city.services.sessions() as session:
        assert gaps.Reachable(session, [policy]).gaps(policy) == []
    close(city, "maintainer")
    with city.services.sessions() as session:
        found = gaps.Reachable(session, [policy]).gaps(policy)
    assert [(gap.step, gap.person, gap.why) for gap in found] == [
        (2, "maintainer", "account-closed")
    ]
    assert not gaps.ends_nowhere(policy, found)
    close(city, "dispatcher")
    with city.services.sessions() as session:
        assert gaps.ends_nowhere(policy, gaps.Reachable(session, [policy]).gaps(policy))


def test_what_may_have_changed_is_looked_at_within_a_second(stage: Stage) -> None:
    """The job's own question: two reads, and no turn while nothing has changed."""
    city, watched = stage.city, gaps.Watched()

    def waiting() -> bool:
        with city.services.sessions() as session:
            return watched.waiting(session, city.time)

    assert [waiting(), waiting()] == [True, False]
    close(city, "dispatcher")
    assert [waiting(), waiting()] == [True, False]
    take_away(city, "first")
    assert [waiting(), waiting()] == [True, False]


def test_who_closes_an_account_reads_which_policies_need_another(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    city = stage.city
    monkeypatch.setenv("VIGIL_SECRET_KEY", SECRET)
    monkeypatch.setenv("VIGIL_DATA_DIR", str(city.settings.data_dir))
    assert cli.main(["account", "close", "dispatcher"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "account dispatcher: closed",
        "escalation policy fire at home: step 1 dispatcher (account-closed)",
    ]
    assert cli.main(["alerts", "policy", "list"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["gaps"] == [{"step": 1, "person": "dispatcher", "why": "account-closed"}]
