"""Whoever answers, declines, cannot be reached or falls silent, whatever ends, begins anew or is
put aside, and however late somebody looks: nobody of a policy is lost, called twice or called
without a step that says so; after the fallback nobody new is called, it is reminded until somebody
accepts or it is over, and whoever runs the platform is told.

The long form (``VIGIL_FULL=1``) takes more than 100,000 steps.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vigil_cloud.notify.escalation import engine, progress
from vigil_cloud.notify.escalation.policy import Policy, parse
from vigil_cloud.notify.escalation.progress import (
    Call,
    Circumstances,
    Place,
    Remind,
    Said,
    StandDown,
    State,
    Target,
    TellAdministrators,
)

START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
PEOPLE = ["a", "b", "c", "d", "e"]
EVERY = timedelta(seconds=300)
SPANS = st.sampled_from([0, 1, 30, 60, 299, 300, 900, 3600, 40_000]).map(
    lambda seconds: timedelta(seconds=seconds)
)
PERSONS = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True)
STEPS = st.lists(st.tuples(st.sampled_from([0, 0, 30, 60, 600]), PERSONS), min_size=1, max_size=5)
QUIET = st.sampled_from([None, "11:30-13:00", "22:00-07:00"])


def policy_of(steps: list[tuple[int, list[str]]], quiet: str | None) -> Policy:
    after, written = 0, []
    for gap, persons in steps:
        after += gap
        written.append({"after_s": after, "channel": "sms", "persons": persons})
    *first, last = written
    return parse({"name": "p", "quiet_hours": quiet, "step": first, "fallback": last})


class Escalating(RuleBasedStateMachine):
    """One alert after the other under one policy, seen by processes that look when they can."""

    @initialize(steps=STEPS, quiet=QUIET, critical=st.booleans())
    def raised(self, steps: list[tuple[int, list[str]]], quiet: str | None, critical: bool) -> None:
        self.policy = policy_of(steps, quiet)
        self.critical = critical
        self.now = START
        self.state = State(START)
        self.reachable = set(PEOPLE)
        self.held = False
        self.looked = False
        self.said: dict[str, Said] = {}
        self.accepted: list[str] = []
        self.told = False
        """Whether the administrators were, and nobody has told them that it is over."""
        self.begin_round()

    def begin_round(self) -> None:
        self.called: list[Call] = []
        self.unreached: set[tuple[int, str]] = set()
        self.said, self.accepted = {}, []
        self.reminded: datetime | None = None

    @property
    def last(self) -> int:
        return len(self.policy.steps)

    @property
    def asleep(self) -> bool:
        return self.policy.awake(self.now, critical=self.critical) > self.now

    def resolve(self, step: int) -> list[Target]:
        persons = self.policy.called(self.policy.steps[step - 1], self.now)
        return [Target(one, PEOPLE.index(one)) for one in persons if one in self.reachable]

    @rule(span=SPANS)
    def time_passes_and_somebody_looks(self, span: timedelta) -> None:
        self.now += span
        self.look()

    @rule(span=SPANS)
    def time_passes_and_nobody_looks(self, span: timedelta) -> None:
        self.now += span
        self.looked = False

    @rule()
    def look(self) -> None:
        before = self.state
        self.state, effects = self.advanced(before)
        for effect in effects:
            match effect:
                case Place(calls):
                    self.placed(calls, before)
                case Remind(calls):
                    self.remind(calls, before)
                case TellAdministrators():
                    assert not self.told, "twice"
                    self.told = True
                    assert self.state.reached == self.last
                    assert not self.held, "nobody was to be called"
                case StandDown():
                    assert self.told, "they were told of nothing"
                    assert self.accepted or self.state.over is not None
                    self.told = False
        again, nothing = self.advanced(self.state)
        assert (again, nothing) == (self.state, []), "asked again at once it does more"
        self.looked = True
        self.everything_due_was_done()

    def advanced(self, state: State) -> tuple[State, list[progress.Effect]]:
        return progress.advance(
            self.policy,
            state,
            self.now,
            self.resolve,
            Circumstances(self.critical, EVERY, self.held),
        )

    def placed(self, calls: tuple[Call, ...], before: State) -> None:
        assert not self.accepted, "somebody has it in hand"
        assert not self.asleep, "called in quiet hours"
        at_once = self.policy.steps[0].after_s == 0
        for call in calls:
            step = self.policy.steps[call.step - 1]
            assert call.person in step.persons, "called by nobody's wish"
            assert call.channel == step.channel
            assert call.at == self.now
            assert (call.step, call.person) not in {(c.step, c.person) for c in self.called}
            if self.state.over is not None or self.held:
                assert before.reached == 0, "it was over, or put aside"
                assert call.step == 1
                assert at_once
            if before.reached == self.last:
                assert call.step == self.last, "somebody new after the fallback"
            moment = progress.moment_of(self.policy, self.state, call.step, critical=self.critical)
            early = [c for c in self.called if c.step == call.step - 1]
            assert moment <= self.now or all((c.step, c.person) in self.unreached for c in early), (
                "before its time, and somebody of the step before could answer"
            )
            self.called.append(call)
        if before.reached < self.last == self.state.reached:
            self.reminded = self.now

    def remind(self, calls: tuple[Call, ...], before: State) -> None:
        assert before.reached == self.last or self.state.reached == self.last
        assert not self.accepted
        assert self.state.over is None
        assert not self.held
        assert {call.step for call in calls} <= {self.last}
        assert {(c.step, c.person) for c in calls} <= {(c.step, c.person) for c in self.called}
        assert self.reminded is not None
        assert self.now - self.reminded >= EVERY
        assert not self.asleep, "reminded in quiet hours"
        self.reminded = self.now

    def everything_due_was_done(self) -> None:
        state = self.state
        if self.accepted or state.over is not None:
            assert not self.told
            assert not state.told
        if self.accepted or state.over is not None or self.held:
            return
        due = progress.due(self.policy, state, self.now, Circumstances(self.critical, EVERY))
        assert due is not None, "it would be forgotten"
        assert due > self.now, "it would be looked at for ever"
        for number in range(1, self.last + 1):
            moment = progress.moment_of(self.policy, state, number, critical=self.critical)
            done = number <= state.reached
            assert moment > self.now or done or self.asleep, "a step was left out"
        if state.reached == self.last:
            assert self.told
            assert state.reminded is not None
            put_off = self.policy.awake(state.reminded + EVERY, critical=self.critical)
            assert put_off > self.now or self.asleep, "nobody is reminded"
        for call in self.called:  # nothing is lost of what was called
            assert (call.step, call.person) in {(c.step, c.person) for c in state.calls}

    @rule(who=st.sampled_from(PEOPLE), accepts=st.booleans(), late=SPANS)
    def somebody_answers(self, who: str, accepts: bool, late: timedelta) -> None:
        at = self.now - late
        answer: progress.Answer = "accepted" if accepts else "declined"
        self.state = progress.answered(self.state, who, answer, at)
        known = self.said.get(who)
        if at < self.state.started or (
            known is not None and (known.at > at or known.answer == answer)
        ):
            return
        self.said[who] = Said(who, answer, at)
        if accepts and who not in self.accepted:
            self.accepted.append(who)

    @rule(which=st.integers(0, 4))
    def who_accepted_gives_it_back(self, which: int) -> None:
        if self.accepted:
            who = self.accepted.pop(which % len(self.accepted))
            self.give_back(who)

    def give_back(self, who: str) -> None:
        self.state = progress.given_back(self.state, who, self.now)
        if self.said[who].answer == "accepted":
            self.said[who] = Said(who, "declined", self.now)

    @rule(which=st.integers(0, 9))
    def a_call_is_given_up(self, which: int) -> None:
        if self.called:
            call = self.called[which % len(self.called)]
            self.unreached.add((call.step, call.person))
            self.state = progress.given_up(self.state, [(call.step, call.channel, call.person)])

    @rule(who=st.sampled_from(PEOPLE), there=st.booleans())
    def somebody_can_be_reached_or_not(self, who: str, there: bool) -> None:
        (self.reachable.add if there else self.reachable.discard)(who)

    @rule()
    def it_is_over(self) -> None:
        self.state = progress.ended(self.state, self.now)

    @rule()
    def it_is_there_again(self) -> None:
        self.state = progress.resumed(self.state)

    @rule(held=st.booleans())
    def it_is_put_aside_or_not(self, held: bool) -> None:
        self.held = held

    @rule(worse=st.booleans())
    def more_is_known(self, worse: bool) -> None:
        over = self.state.over
        self.critical = self.critical or worse
        self.state = replace(progress.renewed(self.state, self.now, "a second sign"), over=over)
        self.begin_round()

    @invariant()
    def who_takes_it_said_so(self) -> None:
        if not hasattr(self, "state"):
            return
        assert list(self.state.accepted) == self.accepted
        assert {one.who: one for one in self.state.answers} == self.said

    @invariant()
    def it_survives_a_restart(self) -> None:
        if hasattr(self, "state"):
            assert engine.STATE.validate_python(engine.dump(self.state)) == self.state

    def teardown(self) -> None:
        """Left alone it comes to its policy's end, and there it is answered."""
        if not hasattr(self, "state"):
            return
        self.held = False
        self.reachable = set(PEOPLE)
        self.state = progress.resumed(self.state)
        for who in list(self.accepted):
            self.accepted.remove(who)
            self.give_back(who)
        for _ in range(4 * self.last + 4):
            self.now += timedelta(hours=31)  # not always in quiet hours
            self.look()
        assert self.state.phase(self.policy) == "fallback"
        reached = {call.person for call in self.called if call.step == self.last}
        assert reached, "nobody of the fallback was called"
        self.somebody_answers(min(reached), True, timedelta())
        self.look()
        assert self.state.phase(self.policy) == "taken"
        assert not self.told


FULL = os.environ.get("VIGIL_FULL") == "1"
TestEscalating = Escalating.TestCase
TestEscalating.settings = settings(
    max_examples=2000 if FULL else 100,
    stateful_step_count=80 if FULL else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
