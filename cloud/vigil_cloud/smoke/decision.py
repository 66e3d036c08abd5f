"""How a fire in a home goes on: whom it calls, and who may say that it is none. Pure.

The home is asked first, for as long as its window. Without a word that counts, or at once where a
second device of the home rings, heat joins smoke, the signs add up to a fire (``grade``), or
somebody says that it burns, neighbours, guardians and the emergency line are called. Whatever is
unknown calls: a clock that went back, a code that nobody set, a wrong one, an alarm that fell
silent. Only the home's code, given before a second device confirmed the fire, or whoever leads the
call, takes it back.

Events return the next state and are idempotent. What is to be done outside (tell people, call
119, take it back) is counted up in the state and done by whoever holds it (``live``), so that a
process may die anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from vigil_cloud.smoke.grade import CALLS_AT, Setting, graded

Phase = Literal["asking", "called", "false-alarm", "past", "over"]
"""``asking``: the home, until its window ends. ``called``: everybody, and 119. ``false-alarm``:
taken back, while its alarms still ring. ``past``: a late report of what its own alarms ended
before anybody could be asked: everybody knows, and whoever leads decides. ``over``."""
WAITS: Final[frozenset[Phase]] = frozenset({"asking", "called", "past"})
"""While the emergency line is to be told, or is at work."""
Reason = Literal[
    "no-answer", "second-alarm", "heat", "signs", "rings-anew", "burns", "clock", "leader"
]
"""Why everybody was called. ``signs``: none of them alone, all of them together."""
HEAT: Final = "heat"
"""A condition of its own, or a sign of an alarm that feels smoke as well."""
DENSITY: Final = "density"
"""A sign: smoke has risen by half since the alarm began, or since that was told last; or it fell
by half, and doubled."""
End = Literal["code", "leader", "all-clear"]
Cause = Literal["fire", "cooking", "steam", "test", "fault"]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)
LEAST_WINDOW: Final = timedelta(seconds=30)
WINDOW: Final = timedelta(seconds=60)
LONGEST_WINDOW: Final = timedelta(seconds=60)
CLOCK_TOLERANCE: Final = timedelta(seconds=5)
"""So far two machines' clocks may lie apart."""
SAME_FIRE: Final = timedelta(hours=1)
"""What rings so long after everybody was called is more than they were called for."""
LATE: Final = timedelta(minutes=5)
"""A report that is older was kept through an outage (``domain.port.CATCHING_UP``)."""


class CodeRefused(Exception):
    """The code is right and takes nothing back. ``why``: ``confirmed``, ``arrived`` or ``over``."""

    def __init__(self, why: Literal["confirmed", "arrived", "over"]) -> None:
        super().__init__(why)
        self.why = why


class OutOfTurn(Exception):
    """This step does not follow where the call stands."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One condition of one device of the home."""

    reference: str
    device: str
    condition: str
    began: datetime
    """By the device."""
    heard: datetime
    """By our clock."""
    over: datetime | None = None
    signs: tuple[str, ...] = ()
    density: float | None = None
    """The densest smoke that was told of it, in the device's own measure."""
    rises: int = 0
    """How many rises of its smoke its gateway has told; 0 of one that does not count them."""


@dataclass(frozen=True, slots=True)
class State:
    """Where it stands. Times are those of our clock unless said otherwise."""

    opened: datetime
    """The home is asked since then; the window counts from here."""
    window: timedelta = WINDOW
    phase: Phase = "asking"
    alarms: tuple[Alarm, ...] = ()
    reason: Reason | None = None
    confirmed: bool = False
    """Two devices of the home agree: no code takes that back."""
    asked: int = 1
    """How often the home was asked."""
    calls: int = 0
    """How often everybody and 119 were called."""
    called: datetime | None = None
    """When they were called last."""
    taken_back: int = 0
    """How many of these calls were taken back."""
    clears: int = 0
    """How often everybody who was called was told that it is over."""
    acknowledged: datetime | None = None
    arrived: datetime | None = None
    burns: datetime | None = None
    """When somebody who belongs to the home said so first."""
    addresses: int = 1
    """At how many places it was known to be, the first one included."""
    ended_by: End | None = None
    cause: Cause | None = None
    setting: Setting = field(default_factory=Setting)
    """Of the home, for its grade."""

    @property
    def window_ends(self) -> datetime:
        """Of the home."""
        return self.opened + self.window

    @property
    def ringing(self) -> tuple[Alarm, ...]:
        """Alarms that their devices have not taken back."""
        return tuple(one for one in self.alarms if one.over is None)

    @property
    def waits(self) -> bool:
        """Whether the emergency line is to be told, or is at work."""
        return self.phase in WAITS

    @property
    def closed(self) -> bool:
        """Nothing is left to be done."""
        return self.phase == "over" and (self.cause is not None or self.calls == 0)


def opened(alarm: Alarm, window: timedelta, setting: Setting | None = None) -> State:
    """A first alarm: the home is asked, unless it says enough by itself."""
    window = min(max(window, LEAST_WINDOW), LONGEST_WINDOW)
    state = State(alarm.heard, window, alarms=(alarm,), setting=setting or Setting())
    return _hastened(_hot_now(state, alarm), alarm.heard)


def rings(state: State, alarm: Alarm) -> State:
    """A device says that it rings, for the first time or with more that it knows. After the end
    nothing joins: what rings then is another fire (``takes_in``)."""
    known = next((one for one in state.alarms if one.reference == alarm.reference), None)
    if known is not None:
        new = tuple(sign for sign in alarm.signs if sign not in known.signs)
        more = says_more(known, alarm)
        state = replace(state, alarms=tuple(_replaced(state.alarms, _joined(known, alarm))))
        if not more or known.over is not None:
            return state
        state = _asked_again(state, alarm.heard)
        state = _called(state, "heat", alarm.heard) if HEAT in new else state
        return _hastened(state, alarm.heard)
    others = state.alarms
    state = replace(state, alarms=(*others, alarm))
    now = alarm.heard
    if any(one.device != alarm.device for one in others):
        return _called(replace(state, confirmed=True), "second-alarm", now)
    lasting = [one for one in others if one.over is None]
    if any({one.condition, alarm.condition} == {"smoke", HEAT} for one in lasting):
        return _called(state, "heat", now)
    if state.phase == "called":
        return _called(state, "rings-anew", now)
    return _hastened(_hot_now(_asked_again(state, now), alarm), now)


def says_more(known: Alarm, alarm: Alarm) -> bool:
    """Whether a device says more of an alarm than it did: a sign that is new, or smoke that has
    risen once more, be it to where it had been before it fell. A gateway tells each rise by half
    (``density``) and numbers them, so that what is told twice or late is not taken for another:
    whoever took back the smoke of burnt toast has said nothing of what it lit."""
    if not set(alarm.signs) <= set(known.signs):
        return True
    if DENSITY not in alarm.signs:
        return False
    if alarm.rises > known.rises:
        return True
    if alarm.density is None:
        return False
    return known.density is None or alarm.density > known.density


def takes_in(state: State) -> bool:
    """Whether a further alarm of the home belongs to this fire."""
    return state.phase != "over" and (state.phase != "false-alarm" or bool(state.ringing))


def falls_silent(state: State, reference: str, at: datetime, now: datetime) -> State:
    """A device takes its alarm back, at ``at`` by its own time. That alone ends nothing: an alarm
    also falls silent because it burned."""
    known = next((one for one in state.alarms if one.reference == reference), None)
    if known is None or known.over is not None:
        return state
    silent = replace(known, over=max(at, known.began))
    return tick(replace(state, alarms=tuple(_replaced(state.alarms, silent))), now)


def burns(state: State, now: datetime) -> State:
    """Somebody who belongs to the home says that it burns."""
    if state.phase == "over":
        return state
    return _called(replace(state, burns=state.burns or now), "burns", now)


def code_given(state: State) -> State:
    """The home's code, and right. Raises ``CodeRefused``."""
    if state.phase == "over":
        raise CodeRefused("over")
    if state.confirmed:
        raise CodeRefused("confirmed")
    if state.arrived is not None:
        raise CodeRefused("arrived")
    return state if state.phase == "false-alarm" else _no_fire(state, "code")


def stood_down(state: State) -> State:
    """Whoever leads says that there is no fire. Raises ``OutOfTurn``."""
    if state.phase == "over":
        raise OutOfTurn("it is over already")
    return state if state.phase == "false-alarm" else _no_fire(state, "leader")


def called_by_leader(state: State, now: datetime) -> State:
    """Whoever leads calls everybody without waiting for the home. Raises ``OutOfTurn``."""
    if state.phase == "over":
        raise OutOfTurn("it is over already")
    return _called(state, "leader", now)


def acknowledged(state: State, now: datetime) -> State:
    """Somebody at the emergency line leads it. Raises ``OutOfTurn``."""
    if state.phase == "over":
        raise OutOfTurn("it is over already")
    return state if state.acknowledged is not None else replace(state, acknowledged=now)


def arrived(state: State, now: datetime) -> State:
    """They are there. Raises ``OutOfTurn``."""
    if state.phase not in {"called", "past"}:
        raise OutOfTurn("nobody was sent")
    if state.arrived is not None:
        return state
    return replace(state, arrived=now, acknowledged=state.acknowledged or now)


def all_clear(state: State) -> State:
    """Whoever leads says that it is over. Raises ``OutOfTurn``."""
    if state.phase == "over":
        return state
    if state.phase == "asking":
        raise OutOfTurn("the home is still being asked: stand it down, or call everybody")
    cleared = state.phase != "false-alarm"  # then everybody was told already
    return replace(
        state,
        phase="over",
        ended_by=state.ended_by or "all-clear",
        clears=state.clears + cleared,
    )


def caused_by(state: State, cause: Cause) -> State:
    """What it was. Raises ``OutOfTurn`` before it is over."""
    if state.phase not in {"over", "false-alarm"}:
        raise OutOfTurn("it is not over yet")
    return replace(state, cause=cause)


def tick(state: State, now: datetime, waited: timedelta = timedelta()) -> State:
    """What follows from time alone. ``waited``: how long the home has been asked by a clock that
    nobody sets, as far as this process knows; it counts beside our clock, which may be set back."""
    if state.phase == "asking":
        if _was_over_before(state):
            return replace(state, phase="past")
        if now < state.opened - CLOCK_TOLERANCE:
            return _called(state, "clock", now)
        if now >= state.window_ends or waited >= state.window:
            return _called(state, "no-answer", now)
    if state.phase == "false-alarm" and not state.ringing:
        return replace(state, phase="over")
    return state


def seconded(state: State, now: datetime) -> State:
    """Another device of the home rings in a fire of its own: no code takes that back."""
    if state.phase == "over":
        return state
    return _called(replace(state, confirmed=True), "second-alarm", now)


def located(state: State, now: datetime) -> State:
    """It became known whose home it is: whoever lives there is asked as well, and where everybody
    was called already, 119 is told the address."""
    state = replace(state, addresses=state.addresses + 1)
    if state.phase == "asking":
        return replace(state, asked=state.asked + 1)
    if state.phase != "called":
        return state
    return replace(state, calls=state.calls + 1, called=now)


def without(state: State, device: str, now: datetime) -> State:
    """The device turned out to stand elsewhere: what it said is told of there. Whom the rest of
    this fire calls stays called, and what was confirmed stays so: more is known, nothing less."""
    left = tuple(one for one in state.alarms if one.device != device)
    return tick(replace(state, alarms=left), now)


def unasked(state: State, now: datetime) -> State:
    """Nobody could be asked in time: what its alarm said could not be followed, and 119 knows."""
    return _called(state, "no-answer", now) if state.phase == "asking" else state


def due(state: State) -> datetime | None:
    """When ``tick`` has something to say without an event; ``None``: never."""
    return state.window_ends if state.phase == "asking" else None


def _was_over_before(state: State) -> bool:
    """Every alarm was reported late and its device had taken it back before the report came:
    it does not ring now, and nobody could have been asked in time."""
    return all(
        one.heard - one.began > LATE and one.over is not None and one.heard - one.over > LATE
        for one in state.alarms
    )


def _called(state: State, reason: Reason, now: datetime) -> State:
    if state.phase == "over":
        return state
    since = now - state.called if state.called is not None else SAME_FIRE
    if state.phase == "called" and -CLOCK_TOLERANCE <= since < SAME_FIRE:
        return state  # they are on their way
    return replace(
        state,
        phase="called",
        reason=reason,
        calls=state.calls + 1,
        called=now,
        ended_by=None,
        acknowledged=None,
        arrived=None,
    )


def _asked_again(state: State, now: datetime) -> State:
    """More is known than what somebody took back, or than a late report said."""
    if state.phase not in {"false-alarm", "past"}:
        return state
    return replace(state, phase="asking", opened=now, asked=state.asked + 1, ended_by=None)


def _hot_now(state: State, alarm: Alarm) -> State:
    """An alarm that begins with the sign of heat is smoke that gets hot, unless it is a late
    report: its end may come with it."""
    hot = HEAT in alarm.signs and alarm.heard - alarm.began <= LATE
    return _called(state, "heat", alarm.heard) if hot else state


def _hastened(state: State, now: datetime) -> State:
    """Nobody waits for the window to end where the signs add up. A late report keeps it: what it
    says is of then. What a home is known for makes nobody there wait longer than elsewhere."""
    late = all(one.heard - one.began > LATE for one in state.alarms)
    known = replace(state, setting=Setting(fires=state.setting.fires))
    if state.phase != "asking" or late or graded(known, now).probability < CALLS_AT:
        return state
    return _called(state, "signs", now)


def _no_fire(state: State, by: End) -> State:
    """Everybody who was called hears it: the home at least."""
    state = replace(
        state,
        phase="false-alarm",
        ended_by=by,
        taken_back=state.calls,
        confirmed=False,
        burns=None,
        clears=state.clears + 1,
    )
    return state if state.ringing else replace(state, phase="over")


def _joined(known: Alarm, alarm: Alarm) -> Alarm:
    new = tuple(sign for sign in alarm.signs if sign not in known.signs)
    told = [one for one in (known.density, alarm.density) if one is not None]
    rises = max(known.rises, alarm.rises)
    return replace(known, signs=(*known.signs, *new), density=max(told, default=None), rises=rises)


def _replaced(alarms: Iterable[Alarm], one: Alarm) -> Iterable[Alarm]:
    return (one if other.reference == one.reference else other for other in alarms)
