"""``vigil-cloud alerts simulate``: what a policy would do, by the engine's own state machine."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vigil_cloud import cli
from vigil_cloud.notify.escalation.policy import BadPolicy, parse

POLICY = """
name = "fire at home"

[[step]]
after_s = 0
channel = "push"
persons = ["mother", "父親"]

[[step]]
after_s = 30
channel = "sms"
persons = ["neighbour"]

[[step]]
after_s = 60
channel = "call"
persons = ["guard"]

[fallback]
after_s = 120
channel = "voice"
persons = ["119"]
"""
HEADER = "person,channel,delay_s,answer\n"


@pytest.fixture
def simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(policy: str, answers: str, *options: str) -> list[tuple[Any, ...]]:
        (tmp_path / "policy.toml").write_text(policy, "utf-8")
        (tmp_path / "answers.csv").write_text(answers, "utf-8")
        arguments = ["alerts", "simulate", str(tmp_path / "policy.toml")]
        arguments += ["--answers", str(tmp_path / "answers.csv"), *options]
        assert cli.main(arguments) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert all(list(line) == ["t", "step", "channel", "person", "outcome"] for line in lines)
        return [tuple(line.values()) for line in lines]

    return run


def test_without_an_answer_everybody_is_called_to_the_end(simulate: Any) -> None:
    assert simulate(POLICY, HEADER) == [
        (0, 1, "push", "mother", "none"),
        (0, 1, "push", "父親", "none"),
        (30, 2, "sms", "neighbour", "none"),
        (60, 3, "call", "guard", "none"),
        (120, 4, "voice", "119", "none"),
    ]


@pytest.mark.parametrize(
    ("delay_s", "called"),
    [(29.9, 1), (30, 2), (30.5, 2), (59, 2), (60, 3)],
    ids=["before", "at the moment", "after", "before the third", "at the third"],
)
def test_a_step_is_called_unless_somebody_accepted_strictly_before_it(
    simulate: Any, delay_s: float, called: int
) -> None:
    calls = simulate(POLICY, f"{HEADER}mother,push,{delay_s},accepted\n")
    assert calls[0] == (0, 1, "push", "mother", "accepted")
    assert max(call[1] for call in calls) == called


def test_an_answer_counts_from_its_call(simulate: Any) -> None:
    calls = simulate(POLICY, f"{HEADER}neighbour,sms,29,accepted\n")
    assert [call[1] for call in calls] == [1, 1, 2]
    calls = simulate(POLICY, f"{HEADER}neighbour,sms,31,accepted\n")
    assert [call[1] for call in calls] == [1, 1, 2, 3]


def test_declining_and_another_channel_hasten_and_stop_nothing(simulate: Any) -> None:
    answers = f"{HEADER}mother,push,1,declined\nneighbour,line,1,accepted\n119,voice,5,accepted\n"
    assert simulate(POLICY, answers) == [
        (0, 1, "push", "mother", "declined"),
        (0, 1, "push", "父親", "none"),
        (30, 2, "sms", "neighbour", "none"),
        (60, 3, "call", "guard", "none"),
        (120, 4, "voice", "119", "accepted"),
    ]


def test_one_moment_for_several_steps(simulate: Any) -> None:
    policy = POLICY.replace("after_s = 30", "after_s = 0").replace("after_s = 120", "after_s = 60")
    calls = simulate(policy, f"{HEADER}mother,push,0,accepted\n")
    assert [call[1] for call in calls] == [1, 1, 2], "both moments are now, and none is before"
    calls = simulate(policy, HEADER)
    assert [(call[0], call[1]) for call in calls][-2:] == [(60, 3), (60, 4)]


def test_a_fallback_alone_is_a_policy(simulate: Any) -> None:
    policy = 'name = "x"\n[fallback]\nafter_s = 1.5\nchannel = "email"\npersons = ["a"]\n'
    assert simulate(policy, HEADER) == [(1.5, 1, "email", "a", "none")]


ROTA = """
name = "duty"
quiet_hours = { from = "22:00", to = "07:00" }
[[rota]]
name = "nights"
persons = ["li", "wang", "chen"]
start = 2026-01-05T08:00:00+08:00
shift_s = 43200
[[step]]
after_s = 0
channel = "line"
rota = "nights"
[fallback]
after_s = 7200
channel = "call"
persons = ["boss"]
"""


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-01-05T08:00:00+08:00", "li"),
        ("2026-01-05T19:59:59+08:00", "li"),
        ("2026-01-05T20:00:00+08:00", "wang"),
        ("2026-01-06T08:00:00+08:00", "chen"),
        ("2026-01-04T20:00:00+08:00", "chen"),
        ("2026-01-05T00:00:00Z", "li"),
    ],
)
def test_a_rota_calls_whoever_is_on_duty(simulate: Any, at: str, who: str) -> None:
    assert simulate(ROTA, HEADER, "--at", at)[0] == (0, 1, "line", who, "none")


def test_quiet_hours_put_off_what_is_not_critical(simulate: Any) -> None:
    at = ["--at", "2026-01-05T21:00:00+08:00"]
    assert [call[0] for call in simulate(ROTA, HEADER, *at)] == [0, 7200]
    calls = simulate(ROTA, HEADER, *at, "--severity", "major")
    assert [call[0] for call in calls] == [0, 10 * 3600], "at seven in the morning in Taipei"
    late = ["--at", "2026-01-06T06:59:59+08:00", "--severity", "minor"]
    assert [call[0] for call in simulate(ROTA, HEADER, *late)] == [1, 7200]


@pytest.mark.parametrize(
    "quiet", ['"22:00-07:00"', '["22:00", "07:00"]', '{ start = "22:00", end = 07:00:00 }']
)
def test_quiet_hours_may_be_written_shortly(simulate: Any, quiet: str) -> None:
    policy = ROTA.replace('{ from = "22:00", to = "07:00" }', quiet)
    assert len(simulate(policy, HEADER)) == 2


def test_a_rota_may_be_written_where_it_is_used(simulate: Any) -> None:
    policy = POLICY.replace('persons = ["neighbour"]', 'rota = ["a", "b"]')
    first = simulate(policy, HEADER, "--at", "2026-01-05T08:00:00+08:00")
    second = simulate(policy, HEADER, "--at", "2026-01-06T08:00:00+08:00")
    assert {first[2][3], second[2][3]} == {"a", "b"}


def test_quiet_hours_never_put_a_later_moment_before_an_earlier_one() -> None:
    policy = parse(
        {
            "name": "x",
            "quiet_hours": "22:00-07:00",
            "fallback": {"after_s": 0, "channel": "sms", "persons": ["a"]},
        }
    )
    start = datetime(2026, 1, 5, tzinfo=UTC)
    moments = [start + timedelta(minutes=7 * number) for number in range(500)]
    put_off = [policy.awake(moment, critical=False) for moment in moments]
    assert put_off == sorted(put_off)
    assert all(after >= before for before, after in zip(moments, put_off, strict=True))
    assert [policy.awake(moment, critical=True) for moment in moments] == moments


BAD = {
    "no end": (POLICY.split("[fallback]")[0], "fallback: missing: a policy without an end"),
    "moments go back": (POLICY.replace("after_s = 60", "after_s = 20"), "goes back"),
    "fallback before a step": (POLICY.replace("after_s = 120", "after_s = 59"), "goes back"),
    "unknown channel": (POLICY.replace('"sms"', '"pigeon"'), "step 2: channel"),
    "nobody": (POLICY.replace('["guard"]', "[]"), "step 3: nobody is called"),
    "nobody in the fallback": (POLICY.replace('persons = ["119"]', ""), "fallback: nobody"),
    "an empty name": (POLICY.replace('["guard"]', '[""]'), "step 3: persons"),
    "unknown key": (POLICY.replace("name =", 'colour = "red"\nname ='), "colour: unknown key"),
    "unknown key in a step": (
        POLICY.replace("after_s = 30", "after_s = 30\nretries = 3"),
        "step 2: retries: unknown key",
    ),
    "no name": (POLICY.replace('name = "fire at home"', ""), "name: missing"),
    "negative": (POLICY.replace("after_s = 0", "after_s = -1"), "step 1: after_s"),
    "not a number": (POLICY.replace("after_s = 30", "after_s = nan"), "step 2: after_s"),
    "infinite": (POLICY.replace("after_s = 120", "after_s = inf"), "fallback: after_s"),
    "a word": (POLICY.replace("after_s = 30", 'after_s = "30"'), "step 2: after_s"),
    "truth": (POLICY.replace("after_s = 30", "after_s = true"), "step 2: after_s"),
    "twice": (POLICY.replace('["guard"]', '["guard", "guard"]'), "named twice: guard"),
    "two ways": (POLICY.replace('["guard"]', '["guard"]\nrota = ["a"]'), "persons and a rota"),
    "no such rota": (POLICY.replace('persons = ["guard"]', 'rota = "x"'), "no rota 'x'"),
    "quiet for no time": (f'quiet_hours = "07:00-07:00"\n{POLICY}', "quiet_hours"),
    "quiet at no time": (f'quiet_hours = "7-25"\n{POLICY}', "a time of day"),
    "not TOML": ("name = ", "not TOML"),
    "a number without end": (f"{POLICY}\nat = {'9' * 5000}", "not TOML"),
    "lists without end": (f"at = {'[' * 100_000}", "not TOML"),
    "a key of two lines": (f'"re\\nmind" = 5\n{POLICY}', "re mind: unknown key"),
    "one step": (POLICY.replace("[[step]]", "[step]", 1).split("[[step]]")[0], "step"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_policy_that_could_leave_somebody_uncalled_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    policy, text = BAD[case]
    (tmp_path / "p.toml").write_text(policy, "utf-8")
    (tmp_path / "a.csv").write_text(HEADER, "utf-8")
    arguments = ["alerts", "simulate", str(tmp_path / "p.toml")]
    assert cli.main([*arguments, "--answers", str(tmp_path / "a.csv")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.strip().splitlines()
    assert line.startswith("vigil-cloud: bad-policy: p.toml: ")
    assert text in line


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ("", "empty"),
        ("who,what\n", "line 1: the header"),
        (f"{HEADER}mother,push,soon,accepted\n", "line 2: delay_s"),
        (f"{HEADER}mother,push,-1,accepted\n", "line 2: delay_s"),
        (f"{HEADER}mother,push,nan,accepted\n", "line 2: delay_s"),
        (f"{HEADER}mother,push,1_000,accepted\n", "line 2: delay_s"),
        (f"{HEADER}mother,push,1,perhaps\n", "line 2: the answer"),
        (f"{HEADER}mother,fax,1,accepted\n", "line 2: the channel is one of page, push"),
        (f"{HEADER}mother,PUSH,1,accepted\n", "not 'PUSH'"),
        (f"{HEADER},push,1,accepted\n", "line 2: no person"),
        (f"{HEADER}mother,push,1\n", "line 2: 3 cells"),
        (f"{HEADER}mother,push,1,accepted\nmother,push,2,declined\n", "line 3: a second answer"),
    ],
)
def test_answers_that_cannot_be_read_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: str, text: str
) -> None:
    (tmp_path / "p.toml").write_text(POLICY, "utf-8")
    (tmp_path / "a.csv").write_text(answers, "utf-8")
    arguments = ["alerts", "simulate", str(tmp_path / "p.toml")]
    assert cli.main([*arguments, "--answers", str(tmp_path / "a.csv")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("vigil-cloud: bad-policy: a.csv: ")
    assert text in line


def test_answers_that_answer_no_call_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip of the pen would look like somebody who never answers."""
    policy = POLICY.replace("[fallback]", '[rota]\nduty = ["li", "wang"]\n[fallback]').replace(
        'persons = ["guard"]', 'rota = "duty"'
    )
    (tmp_path / "p.toml").write_text(policy, "utf-8")
    answers = "mother,sms,1,accepted\nmothr,push,1,accepted\nwang,call,5,declined\n"
    more = "".join(f"p{number},sms,1,accepted\n" for number in range(9))
    (tmp_path / "a.csv").write_text(HEADER + answers + more, "utf-8")
    arguments = ["alerts", "simulate", str(tmp_path / "p.toml"), "--answers"]
    assert cli.main([*arguments, str(tmp_path / "a.csv")]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 5
    (line,) = told.err.strip().splitlines()
    assert line.startswith("a.csv: not used: line 2: nobody calls 'mother' by sms; line 3: ")
    assert line.endswith("; and 6 more")
    assert "wang" not in line, "whoever has another turn is called in it"


def test_columns_in_any_order_and_a_byte_order_mark_are_read(simulate: Any) -> None:
    answers = "\ufeffanswer,person,channel,delay_s\naccepted, mother ,push,5\n\n"
    assert len(simulate(POLICY, answers)) == 2


def test_a_policy_is_the_same_after_it_was_stored() -> None:
    policy = parse(tomllib.loads(ROTA))
    assert parse(json.loads(policy.model_dump_json())) == policy


def test_what_is_no_policy_at_all_is_refused() -> None:
    with pytest.raises(BadPolicy):
        parse([])
