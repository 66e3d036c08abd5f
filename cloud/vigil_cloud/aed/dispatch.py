"""Who is called to a heart that stopped: who goes to the patient, who fetches a defibrillator.

Pure: positions, time and street network in, phases of calls out; used by the command line and by
live calls. Nobody is called whose certificate has lapsed or who cannot be there in ``REACH_S``.

Whom a phase begins with minimises the expected loss of survival (Larsen and others, Ann Emerg Med
1993: 2.3 percentage points for each minute without CPR, 1.1 for each without a shock), given how
likely each volunteer accepts by day or by night. Whoever is called may come, and whoever comes
beyond one for each role came in vain: so each phase takes the soonest, until as many are expected
to come as ``COMING`` says. Where few accept, more are called.
``choose`` is the seam for a better choice: it sees candidates alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import product
from math import inf, isfinite
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from vigil_cloud.aed.streets import Network, Position, Reach

Role = Literal["patient", "aed"]
ROLES: Final[tuple[Role, ...]] = ("patient", "aed")

REACH_S: Final = 900.0
"""Later than this the ambulance has been there for long."""
PHASE_S: Final = 45.0
"""So long a phase may take to answer before the next is called."""
PHASES: Final = 3
MOST_CALLS: Final = 16
"""Of one phase."""
COMING: Final = (2.1, 1.0, 0.8)
"""So many are expected to accept in each phase, if nobody of an earlier one has; chosen on another
seed than the one by which ``make bench ARGS=aed_rules`` judges."""
WITH_AED: Final = 1 / 3
"""Of those who are expected, so many by way of a defibrillator."""
CPR_LOSS: Final = 2.3
SHOCK_LOSS: Final = 1.1
_MARGIN: Final = 1.02
"""Two maps of one city, each plane around its own middle, differ by less."""
_FEW: Final = 40
"""So many candidates for each role are compared with each other."""
DAY: Final = (7, 22)
"""Hours; the rest is night."""
_CLOCK: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours of one day, in minutes; past midnight where ``closes`` is not after
    ``opens``."""

    opens: int = 0
    closes: int = 24 * 60

    def open_at(self, minute: int) -> bool:
        """``minute`` of the day."""
        if self.opens < self.closes:
            return self.opens <= minute < self.closes
        return minute >= self.opens or minute < self.closes


def always(_moment: datetime) -> bool:
    """Reachable at all hours."""
    return True


@dataclass(frozen=True, slots=True)
class Aed:
    """A defibrillator that may be fetched."""

    id: str
    at: Position
    open_at: Callable[[datetime], bool] = always


@dataclass(frozen=True, slots=True)
class Volunteer:
    """Somebody who may be called, and how they answered so far."""

    id: str
    at: Position
    speed_mps: float
    available: bool
    certificate_until: date | None
    asked_day: int = 0
    accepted_day: int = 0
    asked_night: int = 0
    accepted_night: int = 0
    answer_s: float = 20.0
    """Usual seconds from the call to the answer."""

    def accepts(self, moment: datetime) -> float:
        """Probability, by the hour of ``moment``'s own zone; a third where nothing is known
        (17 to 47 % accept in published services)."""
        by_day = DAY[0] <= moment.hour < DAY[1]
        asked = self.asked_day if by_day else self.asked_night
        accepted = self.accepted_day if by_day else self.accepted_night
        return (accepted + 1) / (asked + 3)

    def lapsed(self, moment: datetime) -> bool:
        """The certificate counts to the end of its last day."""
        return self.certificate_until is None or self.certificate_until < moment.date()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A volunteer in reach. Seconds from the call to the patient's side; infinite: not that way."""

    who: str
    accepts: float
    patient_s: float
    aed_s: float
    """With a defibrillator."""
    aed: str | None = None

    def predicted(self, role: Role) -> float:
        """Seconds from the call to the patient's side in this role."""
        return self.patient_s if role == "patient" else self.aed_s


@dataclass(frozen=True, slots=True)
class Call:
    """One volunteer, one role."""

    who: str
    role: Role
    predicted_s: float
    aed: str | None = None
    """Which to fetch."""
    on_reject: str | None = None
    """Who is called for the same role where this one declines."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Called ``after_s`` from the alert, for the roles that are still unfilled."""

    after_s: float
    calls: tuple[Call, ...]
    spare: tuple[Call, ...] = ()
    """Those whom ``on_reject`` names."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to call, and who is not called though they are near."""

    phases: tuple[Phase, ...] = ()
    candidates: tuple[Candidate, ...] = field(default=(), repr=False)
    lapsed: tuple[str, ...] = ()
    """In reach and available, without a valid certificate."""


def dispatch(
    patient: Position,
    moment: datetime,
    volunteers: Sequence[Volunteer],
    aeds: Sequence[Aed],
    streets: Network | None,
) -> Plan:
    """``moment``: aware; its zone is the city's. Without ``streets`` ways are guessed."""
    from vigil_cloud.aed.streets import apart, reach, straight  # scipy is large

    able = [one for one in volunteers if one.available and one.speed_mps > 0]
    # No way is shorter than the straight one: most of a city need not be looked at closer.
    asked = [
        one
        for one, straight_m in zip(able, apart(patient, [one.at for one in able]), strict=True)
        if straight_m <= one.speed_mps * REACH_S * _MARGIN
    ]
    if not asked:
        return Plan()
    fastest = max(one.speed_mps for one in asked)
    aeds, changing = _of_use(aeds, moment)
    places, people = [one.at for one in aeds], [one.at for one in asked]
    found = (
        straight(patient, places, people)
        if streets is None
        else reach(streets, patient, places, people, fastest * REACH_S, changing)
    )
    candidates: list[Candidate] = []
    lapsed: list[str] = []
    for number, volunteer in enumerate(asked):
        one = _candidate(volunteer, number, aeds, found, moment)
        if min(one.patient_s, one.aed_s) > REACH_S:
            continue
        if volunteer.lapsed(moment):
            lapsed.append(volunteer.id)
        else:
            candidates.append(one)
    return Plan(tuple(choose(candidates)), tuple(candidates), tuple(lapsed))


def _of_use(aeds: Sequence[Aed], moment: datetime) -> tuple[list[Aed], set[int]]:
    """Those that are open at some time before the ambulance is there; which of them not always."""
    whole = moment.replace(second=0, microsecond=0)
    looks = [moment] + [
        whole + timedelta(minutes=minute) for minute in range(1, int(REACH_S // 60) + 1)
    ]
    found: list[Aed] = []
    changing: set[int] = set()
    for one in aeds:
        is_open = {one.open_at(look) for look in looks}
        if True in is_open:
            if False in is_open:
                changing.add(len(found))
            found.append(one)
    return found, changing


def _candidate(
    volunteer: Volunteer, number: int, aeds: Sequence[Aed], found: Reach, moment: datetime
) -> Candidate:
    speed, answer_s = volunteer.speed_mps, volunteer.answer_s
    best_s, best = inf, None
    totals_s = answer_s + (found.to_aed[:, number] + found.aed_to_patient) / speed
    for index in totals_s.argsort(kind="stable"):
        if not totals_s[index] <= REACH_S:
            break
        there = moment + timedelta(seconds=answer_s + float(found.to_aed[index, number]) / speed)
        if aeds[index].open_at(there):
            best_s, best = float(totals_s[index]), aeds[index].id
            break
    return Candidate(
        volunteer.id,
        volunteer.accepts(moment),
        answer_s + float(found.to_patient[number]) / speed,
        best_s,
        best,
    )


def choose(candidates: Sequence[Candidate]) -> Iterator[Phase]:
    """Phase by phase, each as if nobody of an earlier one had accepted."""
    left = {one.who: one for one in candidates}
    for number in range(PHASES):
        chosen = _phase(_nearest(left.values()), COMING[number])
        if not chosen:
            return
        for one, _ in chosen:
            del left[one.who]
        calls, spare = [], []
        for one, role in chosen:
            instead = _instead(left.values(), role)
            if instead is not None:
                del left[instead.who]
                spare.append(_call(instead, role))
            calls.append(_call(one, role, None if instead is None else instead.who))
        yield Phase(number * PHASE_S, tuple(calls), tuple(spare))


Chosen = list[tuple[Candidate, Role]]


def _call(one: Candidate, role: Role, on_reject: str | None = None) -> Call:
    aed = one.aed if role == "aed" else None
    return Call(one.who, role, round(one.predicted(role), 1), aed, on_reject)


def _soonest(role: Role) -> Callable[[Candidate], tuple[float, str]]:
    """By name where two are as soon: a plan is the same every time."""
    return lambda one: (one.predicted(role), one.who)


def _nearest(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The few that can matter: soonest at the patient, soonest with a defibrillator."""
    known = list(candidates)
    few: dict[str, Candidate] = {}
    for role in ROLES:
        for one in sorted(known, key=_soonest(role))[:_FEW]:
            if one.predicted(role) <= REACH_S:
                few[one.who] = one
    return list(few.values())


def _instead(candidates: Iterable[Candidate], role: Role) -> Candidate | None:
    able = [one for one in candidates if one.predicted(role) <= REACH_S]
    return min(able, key=_soonest(role), default=None)


def _phase(candidates: Sequence[Candidate], coming: float) -> Chosen:
    """First somebody for each role; then the soonest with a defibrillator, until a share of those
    who come is expected to bring one; then the soonest to the patient, until enough are expected.
    """
    chosen = _first(candidates)
    wanted: tuple[tuple[Role, float], ...] = (("aed", coming * WITH_AED), ("patient", coming))
    for role, enough in wanted:
        expected = sum(one.accepts for one, has in chosen if role == "patient" or has == role)
        taken = {one.who for one, _ in chosen}
        for one in sorted(candidates, key=_soonest(role)):
            if expected >= enough or len(chosen) >= MOST_CALLS or one.predicted(role) > REACH_S:
                break
            if one.who not in taken:
                chosen.append((one, role))
                expected += one.accepts
    return sorted(chosen, key=lambda each: (each[0].predicted(each[1]), each[0].who))


def _first(candidates: Sequence[Candidate]) -> Chosen:
    to_patient = [one for one in candidates if one.patient_s <= REACH_S]
    with_aed = [one for one in candidates if one.aed_s <= REACH_S]
    pairs: list[Chosen] = [
        [(one, "patient"), (other, "aed")]
        for one, other in product(to_patient, with_aed)
        if one.who != other.who
    ]
    alone: list[Chosen] = [[(one, "patient")] for one in to_patient]
    alone += [[(one, "aed")] for one in with_aed]
    return min(
        pairs or alone,
        key=lambda each: (loss(each), [(one.who, role) for one, role in each]),
        default=[],
    )


def loss(chosen: Sequence[tuple[Candidate, Role]]) -> float:
    """Expected percentage points of survival lost until ``REACH_S``. Whoever brings a
    defibrillator can give CPR as well."""
    arrivals = sorted(
        (one.predicted(role), one.accepts, role) for one, role in chosen if _comes(one, role)
    )
    minutes = 60.0
    cpr = _expected((seconds, accepts) for seconds, accepts, _ in arrivals)
    shock = _expected((seconds, accepts) for seconds, accepts, role in arrivals if role == "aed")
    return (CPR_LOSS * cpr + SHOCK_LOSS * shock) / minutes


def _comes(one: Candidate, role: Role) -> bool:
    return isfinite(one.predicted(role))


def _expected(arrivals: Iterable[tuple[float, float]]) -> float:
    """Expected seconds until the first who accepts is there; arrivals in order."""
    nobody, expected = 1.0, 0.0
    for seconds, accepts in arrivals:
        expected += nobody * accepts * min(seconds, REACH_S)
        nobody *= 1 - accepts
    return expected + nobody * REACH_S


def minute_of(moment: datetime) -> int:
    """Of the day, in the moment's own zone."""
    return moment.hour * 60 + moment.minute


def daily(hours: Hours) -> Callable[[datetime], bool]:
    """The same hours on each day."""
    return lambda moment: hours.open_at(minute_of(moment))


def clock_time(text: str) -> int:
    """Minutes of ``HH:MM``, up to ``24:00``. Raises ``ValueError``."""
    if text == "24:00":
        return 24 * 60
    if not _CLOCK.fullmatch(text):  # ISO 8601 has more of five letters: "T0900", "0900Z"
        raise ValueError("is no time of the form HH:MM, up to 24:00")
    return int(text[:2]) * 60 + int(text[3:])
