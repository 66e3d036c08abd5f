"""One alert's way through its policy: a pure state machine, moved by events and by the clock.

Events (``answered``, ``given_back``, ``given_up``, ``ended``, ``resumed``, ``renewed``) are
idempotent and change the state alone; ``advance`` says what is to be done at a moment, and
``due`` when to ask again.

- A step is called at its moment, unless somebody has accepted, or the alert is over, before it.
  A step whose moment passed while nobody looked (a restart) is called at the next look.
- In quiet hours nobody is called or reminded of what is not critical, however late or early the
  call is: what a restart, an acceptance given back or the end of a shelf brings up waits as well.
- A call that is given up (no address, no right, a service that takes nothing for hours) counts as
  not answered. When all of a step are, the next is called at once.
- The fallback is the last step. Once it is called, whoever runs the platform is told, nobody new
  is called, and the fallback is reminded until somebody accepts or the alert is over. Only where
  the fallback reached nobody at all is it resolved again at each reminder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from vigil_cloud.notify.escalation.policy import ChannelKind, Policy

Answer = Literal["accepted", "declined"]
Phase = Literal["calling", "fallback", "taken", "over"]


class Target(NamedTuple):
    """Somebody who can be called. ``address``: where, for whoever calls; ``None``: the page."""

    person: str
    address: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """One person called in one step."""

    step: int
    """From 1."""
    channel: ChannelKind
    person: str
    at: datetime
    address: int | None = None
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    who: str
    answer: Answer
    at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """Where one alert stands with its policy."""

    started: datetime
    round: int = 0
    """How often everything began anew, because more became known."""
    reason: str = ""
    """Why it began anew."""
    reached: int = 0
    """Steps that were called, from the first."""
    calls: tuple[Call, ...] = ()
    """Of this round, in order."""
    answers: tuple[Said, ...] = ()
    """Of this round, in order: the last of each person."""
    accepted: tuple[str, ...] = ()
    """Who takes it on, the first first."""
    over: datetime | None = None
    reminded: datetime | None = None
    """When the fallback was called or reminded last."""
    reminders: int = 0
    told: bool = False
    """Whether those who run the platform know that nobody has accepted."""

    @property
    def taken(self) -> bool:
        """Whether somebody has accepted and not given it back."""
        return bool(self.accepted)

    def phase(self, policy: Policy) -> Phase:
        """In one word."""
        if self.taken:
            return "taken"
        if self.over is not None:
            return "over"
        return "fallback" if self.reached >= len(policy.steps) else "calling"

    @property
    def exhausted(self) -> bool:
        """Whether nobody of the step that was called last can answer."""
        last = [call for call in self.calls if call.step == self.reached]
        return self.reached > 0 and all(call.given_up for call in last)


@dataclass(frozen=True, slots=True)
class Place:
    """These calls are to be made."""

    calls: tuple[Call, ...]
    """Empty: of those whom the step names nobody can be called."""
    step: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class Remind:
    """The fallback's calls, to be repeated."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class TellAdministrators:
    """Nobody has accepted, and everybody has been called."""


@dataclass(frozen=True, slots=True)
class StandDown:
    """What the administrators were told is over."""


Effect = Place | Remind | TellAdministrators | StandDown
Resolve = Callable[[int], Sequence[Target]]
"""Who is called in a step (from 1), at the moment of asking."""


def answered(state: State, who: str, answer: Answer, at: datetime) -> State:
    """Somebody said something, whether they were called or not. A later word replaces an earlier
    one, but only ``given_back`` takes an acceptance away."""
    said = {one.who: one for one in state.answers}
    known = said.get(who)
    if at < state.started or (known is not None and (known.at > at or known.answer == answer)):
        return state
    said.pop(who, None)
    accepted = state.accepted
    if answer == "accepted" and who not in accepted:
        accepted = (*accepted, who)
    return replace(state, answers=(*said.values(), Said(who, answer, at)), accepted=accepted)


def given_back(state: State, who: str, at: datetime) -> State:
    """Whoever accepted cannot after all. A word that is older than their last changes nothing."""
    if any(one.who == who and one.at > at for one in state.answers):
        return state
    state = answered(state, who, "declined", at)
    return replace(state, accepted=tuple(one for one in state.accepted if one != who))


def given_up(state: State, calls: Iterable[tuple[int, str, str]]) -> State:
    """These calls (step, channel, person) will reach nobody."""
    lost = set(calls)
    if not lost:
        return state
    return replace(
        state,
        calls=tuple(
            replace(call, given_up=True) if (call.step, call.channel, call.person) in lost else call
            for call in state.calls
        ),
    )


def ended(state: State, at: datetime) -> State:
    """The alert is over, or was closed."""
    return state if state.over is not None else replace(state, over=at)


def resumed(state: State) -> State:
    """It is there again: what was called stays called, what was not is."""
    return replace(state, over=None)


def renewed(state: State, at: datetime, reason: str) -> State:
    """More is known than what people were called for: everything from the beginning."""
    return State(at, state.round + 1, reason, told=state.told)


def moment_of(policy: Policy, state: State, step: int, *, critical: bool) -> datetime:
    """When a step (from 1) is to be called."""
    after = timedelta(seconds=policy.steps[step - 1].after_s)
    return policy.awake(state.started + after, critical=critical)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What counts beside the policy and what happened."""

    critical: bool
    """Quiet hours do not count then."""
    remind_every: timedelta | None
    """``None``: nobody is reminded."""
    held: bool = False
    """The alert is shelved or out of service, and calls nobody new."""


def advance(
    policy: Policy, state: State, now: datetime, resolve: Resolve, given: Circumstances
) -> tuple[State, list[Effect]]:
    """What is to be done now. Asked again at the same moment it has nothing more to say."""
    state, effects = _advance(policy, state, now, resolve, given)
    if state.told and (state.taken or state.over is not None):
        return replace(state, told=False), [*effects, StandDown()]
    return state, effects


def _advance(
    policy: Policy, state: State, now: datetime, resolve: Resolve, given: Circumstances
) -> tuple[State, list[Effect]]:
    effects: list[Effect] = []
    at_once = state.reached == 0 and policy.steps[0].after_s == 0
    if _rests(policy, state) or (given.held and not at_once):
        return state, effects
    asleep = policy.awake(now, critical=given.critical) > now
    while not asleep and _calls_next(policy, state, now, given):
        step = state.reached + 1
        calls = _calls(policy, step, now, resolve(step))
        state = replace(state, reached=step, calls=(*state.calls, *calls))
        effects.append(Place(calls, step))
        if step == len(policy.steps):
            state = replace(state, reminded=now)
    if given.held or state.over is not None:
        return state, effects
    if state.reached == len(policy.steps) and not state.told:
        state = replace(state, told=True)
        effects.append(TellAdministrators())
    reminds_at = _reminds_at(policy, state, given)
    if not asleep and reminds_at is not None and reminds_at <= now:
        state, reminders = _remind(policy, state, now, resolve)
        effects += reminders
    return state, effects


def due(policy: Policy, state: State, now: datetime, given: Circumstances) -> datetime | None:
    """When ``advance``, which was asked ``now``, has something to say next; ``None``: only after
    an event. While it is held the caller knows for how long."""
    if _rests(policy, state):
        return None
    if state.reached == len(policy.steps):
        moment = _reminds_at(policy, state, given)
    elif state.exhausted:
        moment = now  # quiet hours alone put it off
    else:
        moment = moment_of(policy, state, state.reached + 1, critical=given.critical)
    return None if moment is None else policy.awake(max(moment, now), critical=given.critical)


def _rests(policy: Policy, state: State) -> bool:
    """Whether nobody has to be called. What was over before anybody could be told is told all the
    same: there was a fire."""
    told_though_over = state.reached == 0 and policy.steps[0].after_s == 0
    return state.taken or (state.over is not None and not told_though_over)


def _calls_next(policy: Policy, state: State, now: datetime, given: Circumstances) -> bool:
    if state.reached == len(policy.steps):
        return False
    if state.reached > 0 and (given.held or state.over is not None):
        return False
    moment = moment_of(policy, state, state.reached + 1, critical=given.critical)
    return moment <= now or state.exhausted


def _reminds_at(policy: Policy, state: State, given: Circumstances) -> datetime | None:
    if state.reached < len(policy.steps) or given.remind_every is None or state.reminded is None:
        return None
    return policy.awake(state.reminded + given.remind_every, critical=given.critical)


def _calls(policy: Policy, step: int, now: datetime, targets: Sequence[Target]) -> tuple[Call, ...]:
    channel = policy.steps[step - 1].channel
    return tuple(Call(step, channel, one.person, now, one.address) for one in targets)


def _remind(
    policy: Policy, state: State, now: datetime, resolve: Resolve
) -> tuple[State, list[Effect]]:
    last = len(policy.steps)
    effects: list[Effect] = []
    if state.exhausted:  # the fallback reached nobody: perhaps it does now
        known = {call.person for call in state.calls if call.step == last}
        found = [one for one in resolve(last) if one.person not in known]
        calls = _calls(policy, last, now, found)
        state = replace(state, calls=(*state.calls, *calls))
        if calls:
            effects.append(Place(calls, last))
    asked = tuple(call for call in state.calls if call.step == last and call.at < now)
    if asked:
        effects.append(Remind(asked))
    return replace(state, reminded=now, reminders=state.reminders + 1), effects
