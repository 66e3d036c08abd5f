"""`vigil-cloud guardian` and `consent`: what is opened is named, and who is not called is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloud.test_cli import Done, Operator

ALL = ["last_place", "footprint", "live", "alerts"]
NOT_CALLED = "mei guards p1 and will not be called"


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    made = Operator(tmp_path)
    for words in (
        ["account", "add", "mei", "--role", "family", "--password-stdin"],
        ["account", "add", "duty", "--role", "inspector", "--password-stdin"],
        ["person", "add", "p1", "Lin"],
    ):
        assert (done := made.run(*words)).returncode == 0, done.stderr
    return made


def said(done: Done) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def opened(operator: Operator) -> list[list[str]]:
    lines = operator.run("consent", "list", "p1").stdout.splitlines()
    return [one["scopes"] for one in map(json.loads, lines) if one["revoked"] is None]


def test_a_guardian_is_made_with_everything_that_is_named(operator: Operator) -> None:
    first = operator.run("guardian", "add", "p1", "mei", "--scopes", "all")
    assert said(first)["scopes"] == ALL
    assert said(first)["until"] > "2026"
    assert first.stderr == ""
    assert said(operator.run("guardian", "add", "p1", "mei"))["scopes"] == []
    assert opened(operator) == [ALL]
    listed = said(operator.run("guardian", "list", "p1"))
    assert (listed["called"], listed["called_in_30_days"]) == (True, True)
    listed = json.loads(operator.run("person", "list").stdout)
    assert (listed["guardians"], listed["not_called"]) == (["mei"], [])


@pytest.mark.parametrize(
    ("scopes", "opens"), [("", []), ("none", []), ("last_place", [["last_place"]])]
)
def test_who_is_not_called_is_told_with_what_mends_it(
    operator: Operator, scopes: str, opens: list[list[str]]
) -> None:
    """Unnamed is not opened, as in a file and in a request."""
    named = ["--scopes", scopes] if scopes else []
    made = operator.run("guardian", "add", "p1", "mei", *named)
    assert said(made)["scopes"] == (opens or [[]])[0]
    assert NOT_CALLED in made.stderr
    assert opened(operator) == opens
    assert said(operator.run("guardian", "list", "p1"))["called"] is False
    mends = made.stderr.split("(vigil-cloud ")[1].split(")")[0]
    assert operator.run(*mends.split()).stderr == ""
    assert said(operator.run("guardian", "list", "p1"))["called"] is True


def test_a_guardians_consent_without_alerts_is_told_of_and_a_relatives_is_not(
    operator: Operator,
) -> None:
    relative = operator.run("consent", "grant", "p1", "mei")
    assert (said(relative)["scopes"], relative.stderr) == (["last_place", "footprint"], "")
    operator.run("guardian", "add", "p1", "mei", "--scopes", "none")
    assert NOT_CALLED in operator.run("consent", "grant", "p1", "mei").stderr
    named = operator.run("consent", "grant", "p1", "mei", "--scopes", "alerts,live")
    assert named.stderr == ""
    number = str(said(named)["number"])
    less = operator.run("consent", "narrow", "p1", number, "--scopes", "live")
    assert NOT_CALLED in less.stderr
    again = operator.run("guardian", "add", "p1", "mei", "--scopes", "last_place,footprint,alerts")
    assert again.stderr == "", "an operator opens again what was taken back, by naming it"
    number = str(max(one["number"] for one in consents(operator)))
    assert NOT_CALLED in operator.run("consent", "revoke", "p1", number).stderr


def test_a_guardian_whose_consent_ends_within_a_month_is_listed(operator: Operator) -> None:
    operator.run("guardian", "add", "p1", "mei", "--scopes", "all", "--days", "29")
    listed = said(operator.run("guardian", "list", "p1"))
    assert (listed["called"], listed["called_in_30_days"]) == (True, False)


def test_a_beginning_without_a_footprint_makes_no_guardian(operator: Operator) -> None:
    refused = operator.run("guardian", "add", "p1", "mei", "--footprint-from", "now")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert operator.run("guardian", "list", "p1").stdout == ""


def consents(operator: Operator) -> list[dict[str, Any]]:
    return [json.loads(one) for one in operator.run("consent", "list", "p1").stdout.splitlines()]


def test_what_was_taken_back_is_not_opened_unnamed(operator: Operator) -> None:
    number = said(operator.run("consent", "grant", "p1", "mei", "--scopes", ",".join(ALL)))
    operator.run("consent", "revoke", "p1", str(number["number"]))
    made = operator.run("guardian", "add", "p1", "mei")
    assert said(made)["scopes"] == []
    assert NOT_CALLED in made.stderr
    assert opened(operator) == []


def test_an_account_without_the_role_is_a_guardian_and_is_told_of(operator: Operator) -> None:
    made = operator.run("guardian", "add", "p1", "duty")
    assert said(made)["scopes"] == []
    assert "duty guards p1 and will not be called" in made.stderr
    named = operator.run("guardian", "add", "p1", "duty", "--scopes", "alerts")
    assert named.returncode == 2
    assert "No relative has an account of this name" in named.stderr
    with pytest.raises(SystemExit):
        operator.run("guardian", "add", "p1", "mei", "--scopes", "everything")
    assert opened(operator) == []
