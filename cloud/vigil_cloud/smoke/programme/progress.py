"""How one home goes through the programme. Pure; time comes in as an argument.

An application is decided, an appointment made, at most two alarms are fitted, and three parties
sign for them: the household, whoever fitted them and the city, each somebody else. From then on
the home is in service: visited once a year, its alarms replaced as they fail, and applied for anew
before they expire (a further round). While a further round waits the alarms of the last one hang
on, and are visited and replaced as before. Events return the next state; what does not follow from
where the home stands raises ``OutOfTurn``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal, get_args

Phase = Literal[
    "applied", "refused", "withdrawn", "accepted", "scheduled", "installed", "in-service", "closed"
]
"""``accepted``: waits for an appointment. ``installed``: waits for signatures."""
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
OVER: Final[frozenset[Phase]] = frozenset({"refused", "withdrawn", "closed"})
WAITING: Final[frozenset[Phase]] = frozenset({"applied", "accepted", "scheduled", "installed"})
"""An application is open."""
SERVED: Final[frozenset[Phase]] = frozenset({"in-service", "applied", "accepted", "scheduled"})
"""What hangs there is visited and replaced. What waits for signatures is sent back instead."""
Party = Literal["household", "installer", "city"]
PARTIES: Final[tuple[Party, ...]] = get_args(Party)
MOST_ALARMS: Final = 2
LONGEST_AHEAD: Final = timedelta(days=180)
WARRANTY: Final = timedelta(days=3 * 365)
"""After it the city itself mends what fails."""
VISITED_EVERY: Final = timedelta(days=365)
RENEWED_BEFORE: Final = timedelta(days=180)
"""So long before an alarm expires a home may be applied for anew."""


class OutOfTurn(Exception):
    """This step does not follow where the home stands; the message says why."""


class NotWhatHangs(OutOfTurn):
    """A signature for other alarms than those that hang there, or for another round."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One alarm. ``until``: when it was taken down."""

    serial: str
    model: str
    room: str
    expires: date
    fitted: date
    device: str | None = None
    """As its gateway names it, where one hears it."""
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """One party has looked and found it well."""

    party: Party
    who: str
    at: datetime
    round: int | None = None
    digest: str | None = None
    """Of the alarms that were looked at (``State.digest``); ``None``, as ``round``: of a signature
    that was given before they were kept."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a home stands."""

    phase: Phase = "applied"
    round: int = 1
    """How often it was applied for: a later one is a renewed subsidy."""
    alarms: tuple[Fitted, ...] = ()
    """Also those that were taken down."""
    appointment: datetime | None = None
    missed: int = 0
    """Appointments at which nobody was at home, of this round."""
    signatures: tuple[Signature, ...] = ()
    warranty_until: date | None = None
    next_visit: date | None = None
    reason: str = ""
    """Why it was refused, sent back or closed."""

    @property
    def hanging(self) -> tuple[Fitted, ...]:
        """Alarms that hang there now."""
        return tuple(one for one in self.alarms if one.until is None)

    @property
    def expires(self) -> date | None:
        """Of the alarm that does so first."""
        return min((one.expires for one in self.hanging), default=None)

    @property
    def digest(self) -> str:
        """What a signature is for: SHA-256 of the round and of each alarm that hangs there, 64
        hexadecimal digits."""
        alarms = sorted(
            [
                *(one.serial, one.model, one.room, one.expires.isoformat()),
                *(one.fitted.isoformat(), one.device or ""),
            ]
            for one in self.hanging
        )
        told = json.dumps([self.round, alarms], separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def due(self) -> date | None:
        """When somebody has to do something next; ``None``: nobody waits for a day. That it is
        applied for anew is done where a further round waits: its yearly visit is not."""
        if self.phase in OVER or not self.hanging:
            return None
        expires = self.expires if self.phase == "in-service" else None
        ends = [expires - RENEWED_BEFORE] if expires is not None else []
        return min([*ends, *([self.next_visit] if self.next_visit else [])], default=None)


def accepted(state: State) -> State:
    """The home is in."""
    _needs(state, "applied")
    return replace(state, phase="accepted", reason="")


def refused(state: State, reason: str) -> State:
    """It is not; a home whose alarms hang goes on being served with them."""
    _needs(state, "applied")
    return replace(state, phase="in-service" if state.hanging else "refused", reason=reason)


def withdrawn(state: State) -> State:
    """The household does not want it."""
    _needs(state, "applied", "accepted", "scheduled")
    phase: Phase = "in-service" if state.hanging else "withdrawn"
    return replace(state, phase=phase, appointment=None)


def applied_again(state: State) -> State:
    """After it was refused or withdrawn: another try of the same round. A home that left comes back
    with a further one."""
    _needs(state, "refused", "withdrawn", "closed")
    number = state.round + (state.phase == "closed")
    return replace(state, phase="applied", round=number, reason="", missed=0)


def scheduled(state: State, at: datetime, now: datetime) -> State:
    """An appointment, or another one."""
    _needs(state, "accepted", "scheduled")
    if not now < at <= now + LONGEST_AHEAD:
        raise OutOfTurn(f"an appointment lies ahead, within {LONGEST_AHEAD.days} days")
    return replace(state, phase="scheduled", appointment=at)


def missed(state: State) -> State:
    """Nobody was at home."""
    _needs(state, "scheduled")
    return replace(state, phase="accepted", appointment=None, missed=state.missed + 1)


def installed(state: State, alarms: Sequence[Fitted], today: date) -> State:
    """Alarms hang, as photographs show; what hung there before was taken down."""
    _needs(state, "scheduled")
    if not 1 <= len(alarms) <= MOST_ALARMS:
        raise OutOfTurn(f"a home gets one or two alarms, not {len(alarms)}")
    _fit(state, alarms, today)
    return replace(
        state,
        phase="installed",
        appointment=None,
        alarms=(*(_down(one, today) for one in state.alarms), *alarms),
        signatures=(),
    )


def signed(state: State, by: Signature) -> State:
    """One party signs for the round and the alarms that it has looked at; with the third the home
    is in service. Idempotent. Raises ``NotWhatHangs`` where they changed meanwhile."""
    party, who = by.party, by.who
    if (by.round, by.digest) != (state.round, state.digest):
        raise NotWhatHangs("other alarms hang there now than those that were looked at")
    if any(one.party == party and one.who == who for one in state.signatures):
        return state
    _needs(state, "installed")
    if any(one.party == party for one in state.signatures):
        raise OutOfTurn(f"the party {party} has signed already")
    if any(one.who == who for one in state.signatures):
        raise OutOfTurn(f"{who} has signed for another party: three people look at it")
    signatures = (*state.signatures, by)
    state = replace(state, signatures=signatures)
    if {one.party for one in signatures} != set(PARTIES):
        return state
    today = max(one.fitted for one in state.hanging)
    return replace(
        state,
        phase="in-service",
        warranty_until=today + WARRANTY,
        next_visit=today + VISITED_EVERY,
        missed=0,
        reason="",
    )


def sent_back(state: State, reason: str, today: date) -> State:
    """One party found it wrong: somebody has to come again, and what was fitted counts no more."""
    _needs(state, "installed")
    alarms = tuple(_down(one, today) for one in state.alarms)
    return replace(state, phase="accepted", alarms=alarms, signatures=(), reason=reason)


def visited(state: State, replaced: Sequence[tuple[str, Fitted]], today: date) -> State:
    """A maintenance visit. ``replaced``: serial of the alarm that was taken down, and the one that
    hangs there instead."""
    _needs(state, *SERVED)
    if not state.hanging:
        raise OutOfTurn("nothing hangs there yet")
    hanging = {one.serial for one in state.hanging}
    gone = [serial for serial, _ in replaced]
    if len(set(gone)) < len(gone) or not set(gone) <= hanging:
        raise OutOfTurn("what is replaced has to hang there, each once")
    _fit(state, [new for _, new in replaced], today)
    alarms = tuple(_down(one, today) if one.serial in gone else one for one in state.alarms)
    return replace(
        state,
        alarms=(*alarms, *(new for _, new in replaced)),
        next_visit=today + VISITED_EVERY,
    )


def renewed(state: State, today: date) -> State:
    """A further round: its alarms expire soon, or have expired. They hang until others do."""
    _needs(state, "in-service")
    if state.expires is not None and state.expires - RENEWED_BEFORE > today:
        raise OutOfTurn(f"its alarms last until {state.expires}")
    return replace(state, phase="applied", round=state.round + 1, missed=0, reason="")


def closed(state: State, reason: str, today: date) -> State:
    """Nobody lives there any more, or the home leaves the programme."""
    if state.phase in OVER:
        raise OutOfTurn("it is over already")
    alarms = tuple(_down(one, today) for one in state.alarms)
    return replace(state, phase="closed", alarms=alarms, appointment=None, reason=reason)


def _needs(state: State, *phases: Phase) -> None:
    if state.phase not in phases:
        raise OutOfTurn(f"the home is {state.phase}, and not {' or '.join(phases)}")


def _fit(state: State, alarms: Sequence[Fitted], today: date) -> None:
    serials = [one.serial for one in alarms]
    if len(set(serials)) < len(serials):
        raise OutOfTurn("two alarms of one serial number")
    if set(serials) & {one.serial for one in state.alarms}:
        raise OutOfTurn("an alarm that hung there before is no new one")
    if any(one.expires <= today for one in alarms):
        raise OutOfTurn("an alarm that has expired is fitted nowhere")
    if any(one.until is not None or one.fitted != today for one in alarms):
        raise OutOfTurn("alarms are fitted today")


def _down(one: Fitted, today: date) -> Fitted:
    return one if one.until is not None else replace(one, until=max(today, one.fitted))
