"""What a policy would do, given what each person would answer: the engine's own state machine,
with a clock that is turned on by hand.
"""

from __future__ import annotations

import csv
import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, Literal, get_args

from vigil_cloud.mistakes import Mistake
from vigil_cloud.notify.escalation import progress
from vigil_cloud.notify.escalation.policy import LONGEST_S, BadPolicy, ChannelKind, Policy
from vigil_cloud.notify.escalation.progress import Answer, Call, Circumstances, Place, State, Target
from vigil_cloud.spreadsheets import number

CHANNELS: Final[tuple[str, ...]] = get_args(ChannelKind)
COLUMNS: Final = ("person", "channel", "delay_s", "answer")


@dataclass(frozen=True, slots=True)
class Reply:
    """How somebody would answer a call through one channel."""

    delay_s: float
    """From the call."""
    answer: Answer
    line: int = field(default=0, compare=False)
    """Of the file that it was read from."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call and what came of it."""

    t: float
    """Seconds from the alert."""
    step: int
    channel: ChannelKind
    person: str
    outcome: Answer | Literal["none"]


Replies = Mapping[tuple[str, str], Reply]
"""By person and channel; who is not there does not answer."""


def simulate(
    policy: Policy, replies: Replies, started: datetime, *, critical: bool = True
) -> list[Outcome]:
    """Every call in order. Without reminders: they call nobody new."""
    given = Circumstances(critical, remind_every=None)
    state = State(started)
    pending: list[tuple[datetime, int, Call, Reply]] = []
    calls: list[Call] = []
    now: datetime | None = started
    while now is not None:
        # Steps before answers: one that comes at the very moment of a step does not prevent it.
        state, effects = progress.advance(
            policy,
            state,
            now,
            partial(_people, policy, now),
            given,
        )
        placed = [effect.calls for effect in effects if isinstance(effect, Place)]
        for call in chain.from_iterable(placed):
            calls.append(call)
            if (reply := replies.get((call.person, call.channel))) is not None:
                at = call.at + timedelta(seconds=reply.delay_s)
                heapq.heappush(pending, (at, len(calls), call, reply))
        while pending and pending[0][0] <= now:
            at, _, call, reply = heapq.heappop(pending)
            state = progress.answered(state, call.person, reply.answer, at)
        step = progress.due(policy, state, now, given)
        now = min((one for one in (step, pending[0][0] if pending else None) if one), default=None)
    return [_outcome(call, replies, started) for call in calls]


def answered(call: Outcome, replies: Replies) -> float | None:
    """When the answer to a call comes, in seconds from the alert; ``None``: never."""
    reply = replies.get((call.person, call.channel))
    return None if reply is None else call.t + reply.delay_s


def unused(policy: Policy, replies: Replies) -> list[str]:
    """Of answers that answer no call of the policy: who is meant, and where it stands."""
    called = set(policy.calls())
    return [
        f"line {reply.line}: nobody calls {person[:80]!r} by {channel}"
        for (person, channel), reply in replies.items()
        if (person, channel) not in called
    ]


def _people(policy: Policy, now: datetime, step: int) -> list[Target]:
    return [Target(person, None) for person in policy.called(policy.steps[step - 1], now)]


def _outcome(call: Call, replies: Replies, started: datetime) -> Outcome:
    reply = replies.get((call.person, call.channel))
    t = (call.at - started).total_seconds()
    return Outcome(
        int(t) if t.is_integer() else t,
        call.step,
        call.channel,
        call.person,
        reply.answer if reply is not None else "none",
    )


def read_replies(path: Path) -> dict[tuple[str, str], Reply]:
    """Of a CSV file with the header ``person,channel,delay_s,answer``. Raises ``BadPolicy``,
    ``OSError``."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _replies(csv.reader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        wrong = Mistake("", "no-csv", f"not a CSV file in UTF-8: {error}")
    except _Unreadable as error:
        wrong = error.mistake
    raise BadPolicy([wrong], path.name)


class _Unreadable(Exception):
    """A line of a file of answers."""

    def __init__(self, line: int, kind: str, text: str) -> None:
        super().__init__(text)
        where = f"line {line}: " if line else ""
        self.mistake = Mistake(f"line.{line}" if line else "", kind, f"{where}{text}")


def _replies(rows: Iterable[list[str]]) -> dict[tuple[str, str], Reply]:
    found: dict[tuple[str, str], Reply] = {}
    header: list[str] | None = None
    for line, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if header is None:
            header = cells
            if sorted(header) != sorted(COLUMNS):
                raise _Unreadable(line, "header", f"the header is not {','.join(COLUMNS)}")
            continue
        if len(cells) != len(header):
            raise _Unreadable(line, "cells", f"{len(cells)} cells instead of {len(header)}")
        who, reply = _reply(dict(zip(header, cells, strict=True)), line)
        if who in found:
            raise _Unreadable(line, "named-twice", f"a second answer of {who[0]} by {who[1]}")
        found[who] = reply
    if header is None:
        raise _Unreadable(0, "header", f"empty: not even the header {','.join(COLUMNS)}")
    return found


def _reply(cells: Mapping[str, str], line: int) -> tuple[tuple[str, str], Reply]:
    if not cells["person"]:
        raise _Unreadable(line, "nobody", "no person is named")
    if cells["channel"] not in CHANNELS:
        known = ", ".join(CHANNELS)
        text = f"the channel is one of {known}, not {cells['channel']!r}"
        raise _Unreadable(line, "channel", text)
    try:
        delay_s = number(cells["delay_s"])
    except ValueError:
        delay_s = math.nan
    if not 0 <= delay_s <= LONGEST_S:
        text = f"delay_s is not a number of seconds: {cells['delay_s']!r}"
        raise _Unreadable(line, "delay", text)
    match cells["answer"]:
        case "accepted" | "declined" as answer:
            return (cells["person"], cells["channel"]), Reply(delay_s, answer, line)
    text = f"the answer is accepted or declined, not {cells['answer']!r}"
    raise _Unreadable(line, "answer", text)
