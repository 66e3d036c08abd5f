"""``vigil-cloud alerts``: who is called of alerts, tried out and decided."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened

if TYPE_CHECKING:
    from vigil_cloud.notify.escalation.policy import Policy

_TOLD: Final = 5
"""So many answers that are not used are named."""


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """simulate; policy add, list, remove."""
    actions = add_subject(commands, "alerts", "who is called of alerts, step by step")
    text = "what a policy would do, one JSON object a call; touches no database"
    simulate = add_command(actions, "simulate", _simulate, text)
    simulate.add_argument("policy", type=Path, metavar="POLICY.toml")
    text = "person,channel,delay_s,answer; who is missing does not answer"
    simulate.add_argument("--answers", type=Path, required=True, metavar="FILE.csv", help=text)
    text = "when the alert is raised, for rotas and quiet hours (default: now)"
    simulate.add_argument("--at", type=_moment, metavar="TIME", help=text)
    text = "quiet hours put off what is not critical (default: critical)"
    simulate.add_argument(
        "--severity", choices=["critical", "major", "minor"], default="critical", help=text
    )
    policies = add_subject(actions, "policy", "the policies that are in force")
    put = add_command(policies, "add", _add, "add it, or change the one of its name", common)
    put.add_argument("policy", type=Path, metavar="FILE.toml")
    text = "one JSON object a line, the most special first"
    add_command(policies, "list", _list, text, common)
    text = "alerts are told as channels ask for it, or by a more general policy"
    add_command(policies, "remove", _remove, text, common).add_argument("name")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a time: {text!r}") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("a time needs its zone, such as 2026-01-05T08:00+08:00")
    if not 1970 < moment.year < 2999:
        raise argparse.ArgumentTypeError("a time of this calendar is wanted, from 1971 to 2998")
    return moment.astimezone(UTC)


def read_policy(path: Path) -> Policy:
    """Raises ``BadPolicy``, ``OSError``."""
    from vigil_cloud.mistakes import Mistake
    from vigil_cloud.notify.escalation.policy import BadPolicy, parse

    try:
        document = tomllib.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also a number of endless digits
        mistake = Mistake("", "no-toml", f"not TOML in UTF-8: {error}")
        raise BadPolicy([mistake], path.name) from None
    return parse(document, path.name)


def _simulate(options: argparse.Namespace) -> int:
    from vigil_cloud.notify.escalation.simulation import read_replies, simulate, unused

    policy, replies = read_policy(options.policy), read_replies(options.answers)
    if left := unused(policy, replies):
        more = f"; and {len(left) - _TOLD} more" if len(left) > _TOLD else ""
        told = "; ".join(left[:_TOLD])
        print(f"{options.answers.name}: not used: {told}{more}", file=sys.stderr)
    started = options.at or datetime.now(UTC).replace(microsecond=0)
    critical = options.severity == "critical"
    for call in simulate(policy, replies, started, critical=critical):
        line = {
            "t": call.t,
            "step": call.step,
            "channel": call.channel,
            "person": call.person,
            "outcome": call.outcome,
        }
        print(json.dumps(line, ensure_ascii=False))
    return 0


def _add(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.notify.escalation import policies

    policy = read_policy(options.policy)
    with opened(options) as services, writing(services.sessions) as session:
        policies.put(session, policy, by=OPERATOR, now=services.now())
    print(json.dumps({"policy": policy.name, "stored": True}, ensure_ascii=False))
    return 0


def _list(options: argparse.Namespace) -> int:
    from vigil_cloud.notify.escalation import policies

    with opened(options) as services, services.sessions() as session:
        for entry in policies.stored(session):
            print(entry.model_dump_json())
    return 0


def _remove(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.notify.escalation import policies

    with opened(options) as services, writing(services.sessions) as session:
        policies.remove(session, options.name, by=OPERATOR, now=services.now())
    print(json.dumps({"policy": options.name, "removed": True}, ensure_ascii=False))
    return 0
