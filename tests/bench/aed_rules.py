"""Whom to call to 1,000 simulated arrests: our plan beside two rules of other services.

5,025 volunteers, 250 AEDs, streets in a grid of 100 m over 8 by 8 km with a river and four bridges;
20 % of the volunteers on wheels. Each has a true probability of accepting by day and by night,
drawn from a beta distribution (mean 0.3), of which the plan knows only up to 30 earlier calls.
Whoever does not accept declines after their usual time, or ignores the call (a third). Ways take as
long as the streets say, times a log-normal factor. Survival after Larsen (1993) with the ambulance
after 8 minutes; redundant are those who set off beyond one for each role.

``500m``: everyone within 500 m at once. ``seven``: the seven nearest, each who declines replaced by
the next. In both every second one, by distance, fetches a defibrillator, as far as one is open.
"""

from __future__ import annotations

import heapq
import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from statistics import mean, median
from typing import Final

from bench.aed_dispatch import AEDS, BLOCK_M, HALF_M, VOLUNTEERS, Point, apart_m, at
from vigil_cloud.aed.dispatch import (
    REACH_S,
    Aed,
    Call,
    Candidate,
    Hours,
    Plan,
    Role,
    Volunteer,
    daily,
    dispatch,
)
from vigil_cloud.aed.streets import network

ARRESTS: Final = int(os.environ.get("VIGIL_ARRESTS", "1000"))
ON_WHEELS: Final = 0.2
AMBULANCE_S: Final = 480.0
_ZONE: Final = timezone(timedelta(hours=8))
_BRIDGES_M: Final = (-3000, -1000, 1000, 3000)


@dataclass(frozen=True)
class Truth:
    """What a volunteer really does, which nobody knows who calls them."""

    day: float
    night: float


@dataclass
class Outcome:
    """Of one arrest under one rule."""

    calls: int = 0
    first_s: float = math.inf
    cpr_s: float = AMBULANCE_S
    shock_s: float = AMBULANCE_S
    arrivals: int = 0

    def arrives(self, role: Role, seconds: float) -> None:
        self.arrivals += 1
        self.first_s = min(self.first_s, seconds)
        self.cpr_s = min(self.cpr_s, seconds)
        if role == "aed":
            self.shock_s = min(self.shock_s, seconds)

    @property
    def survival(self) -> float:
        lost = 2.3 * self.cpr_s / 60 + 1.1 * self.shock_s / 60 + 2.1 * AMBULANCE_S / 60
        return max(67 - lost, 0)

    @property
    def redundant(self) -> int:
        return max(self.arrivals - 2, 0)


def streets() -> list[list[Point]]:
    """A grid with a river from west to east that four bridges cross."""
    steps = range(-HALF_M, HALF_M + 1, BLOCK_M)
    lines = [[at(x, y) for x in steps] for y in steps]
    for x in steps:
        south = [at(x, y) for y in steps if y <= 0]
        north = [at(x, y) for y in steps if y > 0]
        lines += [south + north] if x in _BRIDGES_M else [south, north]
    return lines


class City:
    """Where everybody is, and what they really do."""

    def __init__(self, seed: int = 20260718) -> None:
        self.random = random.Random(seed)
        self.truth: dict[str, Truth] = {}
        self.people = [self._volunteer(f"v{number:04}") for number in range(VOLUNTEERS)]
        self.at = {one.id: one.at for one in self.people}
        self.aeds = [
            Aed(f"aed-{n}", self.somewhere(), daily(Hours(8 * 60, 22 * 60) if n % 3 else Hours()))
            for n in range(AEDS)
        ]

    def somewhere(self) -> Point:
        return at(self.random.uniform(-HALF_M, HALF_M), self.random.uniform(-HALF_M, HALF_M))

    def _volunteer(self, name: str) -> Volunteer:
        day = self.random.betavariate(1.5, 3.5)
        truth = self.truth[name] = Truth(day, day * self.random.uniform(0.3, 1.0))
        asked_day, asked_night = self.random.randint(0, 20), self.random.randint(0, 10)
        wheels = self.random.random() < ON_WHEELS
        return Volunteer(
            id=name,
            at=self.somewhere(),
            speed_mps=self.random.uniform(4.0, 7.0) if wheels else self.random.uniform(1.4, 2.6),
            available=True,
            certificate_until=date(2027, 12, 31),
            asked_day=asked_day,
            accepted_day=sum(self.random.random() < truth.day for _ in range(asked_day)),
            asked_night=asked_night,
            accepted_night=sum(self.random.random() < truth.night for _ in range(asked_night)),
            answer_s=self.random.uniform(8, 40),
        )


class Arrest:
    """One arrest; the same luck under every rule."""

    def __init__(self, city: City, moment: datetime, patient: Point, plan: Plan, seed: int) -> None:
        self.city, self.plan, self.patient = city, plan, patient
        self.by_day = 7 <= moment.hour < 22
        self._known = {one.who: one for one in plan.candidates}
        self._seed = seed

    def near(self) -> list[Candidate]:
        return sorted(
            self.plan.candidates, key=lambda one: apart_m(self.patient, self.city.at[one.who])
        )

    def answer(self, who: str) -> tuple[str, float, float]:
        """``accepted``, ``declined`` or ``ignored``; after how long; how slow their way is."""
        luck = random.Random(f"{self._seed}/{who}")
        truth = self.city.truth[who]
        likely = truth.day if self.by_day else truth.night
        said = luck.random()
        word = "accepted" if said < likely else "ignored" if luck.random() < 1 / 3 else "declined"
        return (
            word,
            _usual_s(self.city, who) * luck.lognormvariate(0, 0.4),
            luck.lognormvariate(0, 0.15),
        )

    def go(self, who: str, role: Role, called_s: float, outcome: Outcome) -> tuple[str, float]:
        """Call one; what they answer and when."""
        outcome.calls += 1
        word, after_s, slow = self.answer(who)
        one = self._known[who]
        if word == "accepted":
            way_s = one.predicted(role) - _usual_s(self.city, who)
            if math.isfinite(way_s):
                outcome.arrives(role, called_s + after_s + way_s * slow)
        return word, called_s + after_s


def _usual_s(city: City, who: str) -> float:
    """Until they answer."""
    return city.people[int(who[1:])].answer_s


def ours(arrest: Arrest) -> Outcome:
    """Phase by phase, for roles that nobody has accepted; who declines is replaced as planned."""
    outcome = Outcome()
    spare = {call.who: call for phase in arrest.plan.phases for call in phase.spare}
    filled: dict[Role, float] = {}
    for phase in arrest.plan.phases:
        waiting: list[tuple[float, int, Call]] = [
            (phase.after_s, number, call)
            for number, call in enumerate(phase.calls)
            if filled.get(call.role, math.inf) > phase.after_s
        ]
        heapq.heapify(waiting)
        while waiting:
            called_s, number, call = heapq.heappop(waiting)
            word, answered_s = arrest.go(call.who, call.role, called_s, outcome)
            if word == "accepted":
                filled[call.role] = min(filled.get(call.role, math.inf), answered_s)
            elif (
                word == "declined"
                and call.on_reject in spare
                and filled.get(call.role, math.inf) > answered_s
            ):
                heapq.heappush(waiting, (answered_s, number + 100, spare[call.on_reject]))
    return outcome


def _roles(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Role]]:
    for number, one in enumerate(candidates):
        fetches = number % 2 == 1 and math.isfinite(one.aed_s)
        yield one, "aed" if fetches else "patient"


def everyone(arrest: Arrest) -> Outcome:
    """Within 500 m, at once."""
    outcome = Outcome()
    near = [one for one in arrest.near() if apart_m(arrest.patient, arrest.city.at[one.who]) <= 500]
    for one, role in _roles(near):
        arrest.go(one.who, role, 0.0, outcome)
    return outcome


def seven(arrest: Arrest) -> Outcome:
    """The seven nearest; each who declines is replaced by the next."""
    outcome = Outcome()
    people = _roles(arrest.near())
    waiting = [(0.0, number) for number in range(7)]
    while waiting:
        called_s, number = heapq.heappop(waiting)
        following = next(people, None)
        if following is None or called_s > AMBULANCE_S:
            break
        word, answered_s = arrest.go(following[0].who, following[1], called_s, outcome)
        if word == "declined":
            heapq.heappush(waiting, (answered_s, number))
    return outcome


RULES: Final[dict[str, Callable[[Arrest], Outcome]]] = {
    "ours": ours,
    "500m": everyone,
    "seven": seven,
}


def main() -> int:
    city = City()
    roads = network(streets(), at(0, 0))
    found: dict[str, list[Outcome]] = {name: [] for name in RULES}
    for number in range(ARRESTS):
        patient = city.somewhere()
        moment = datetime(2026, 7, 18, tzinfo=UTC) + timedelta(minutes=city.random.randrange(1440))
        plan = dispatch(patient, moment.astimezone(_ZONE), city.people, city.aeds, roads)
        arrest = Arrest(city, moment.astimezone(_ZONE), patient, plan, number)
        for name, rule in RULES.items():
            found[name].append(rule(arrest))
    print(f"aed_rules_arrests: {ARRESTS}")
    for name, outcomes in found.items():
        came = [one.first_s for one in outcomes]
        print(f"aed_rules_{name}_first_median_s: {median(came):.0f}")
        print(f"aed_rules_{name}_survival_percent: {mean(o.survival for o in outcomes):.2f}")
        in_time = mean(one.first_s <= min(AMBULANCE_S, REACH_S) for one in outcomes)
        print(f"aed_rules_{name}_coverage_percent: {100 * in_time:.1f}")
        print(f"aed_rules_{name}_calls: {mean(one.calls for one in outcomes):.2f}")
        print(f"aed_rules_{name}_redundant: {mean(one.redundant for one in outcomes):.2f}")
    calls = {name: sum(one.calls for one in outcomes) for name, outcomes in found.items()}
    print(f"aed_rules_calls_of_500m_percent: {100 * calls['ours'] / calls['500m']:.0f}")
    return 0
