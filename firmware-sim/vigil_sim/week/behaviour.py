"""What people and things will do, drawn beforehand. Pure.

Every unit (an episode, a fire, a passage) has a random stream of its own, and each of its chances
and delays is drawn whatever the assumptions are: another assumption changes what it is about and
nothing else, so that two runs can be compared (common random numbers). Times are seconds since the
week's beginning, in the city's zone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from vigil_sim.week.assumptions import Assumptions

_T = TypeVar("_T")
MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
WINDOW_S: Final = 60.0
"""So long a home is asked before everybody is called, where it has set nothing else."""


class Period(NamedTuple):
    """How much of the week is simulated, and for how large a city."""

    length_s: float
    scale: float


class Draw:
    """The random stream of one unit. Each call takes one number, whatever the assumptions say."""

    def __init__(self, seed: int, kind: str, index: int) -> None:
        self._random = random.Random(f"{seed}/{kind}/{index}")

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random.random() < probability

    def lognormal(self, median: float, sigma: float) -> float:
        """A delay."""
        return median * math.exp(sigma * self._random.gauss(0.0, 1.0))

    def exponential(self, mean: float) -> float:
        """From 0 upwards."""
        return -mean * math.log(1.0 - self._random.random())

    def uniform(self, low: float, high: float) -> float:
        """In between."""
        return self._random.uniform(low, high)

    def below(self, count: int) -> int:
        """A whole number from 0."""
        return int(self._random.random() * count)


def counted(seed: int, kind: str, mean: float) -> int:
    """How many units of a kind there are: the mean, rounded up or down by chance, and at least one
    (a week without a fire says nothing of fires). Not Poisson: shares are counted and no rates, and
    the interval of a share is that of its own count."""
    return max(1, int(mean + random.Random(f"{seed}/{kind}/count").random()))


@dataclass(frozen=True, slots=True)
class Episode:
    """An elder goes astray."""

    elder: int
    left_s: float
    missed_s: float
    """When a relative misses them."""
    looks_s: float | None
    """When the relative would open the footprint; ``None``: nobody thinks of it."""
    reports_s: float
    """When they would be reported."""
    found_there: bool
    """Whether they are where the footprint ends, if somebody goes there soon."""
    fresh_s: float
    search_s: float
    """From a report until they are found."""
    hops: tuple[tuple[float, int], ...]
    """On the way: seconds after leaving, and a number that says which station."""

    @property
    def looks_first(self) -> bool:
        """As far as behaviour alone tells."""
        return self.looks_s is not None and self.looks_s <= self.reports_s


def episode(seed: int, index: int, elders: int, period: Period, given: Assumptions) -> Episode:
    """One of them."""
    draw = Draw(seed, "episode", index)
    left = draw.uniform(0.0, max(1.0, period.length_s - 2 * HOUR_S))
    missed = left + draw.lognormal(given["checkin.notices_median_min"] * MINUTE_S, 0.8)
    at_hand = draw.chance(given["checkin.app_at_hand"])
    looks = missed + draw.lognormal(given["checkin.looks_median_min"] * MINUTE_S, 1.0)
    reports = missed + draw.lognormal(given["checkin.reports_median_min"] * MINUTE_S, 0.9)
    found = draw.chance(given["checkin.found_there"])
    search = draw.lognormal(given["checkin.search_median_min"] * MINUTE_S, 0.8)
    gaps = [draw.uniform(8, 35) * MINUTE_S for _ in range(4)]
    hops = tuple((sum(gaps[: n + 1]), draw.below(1_000_000)) for n in range(len(gaps)))
    return Episode(
        elder=draw.below(elders),
        left_s=left,
        missed_s=missed,
        looks_s=looks if at_hand else None,
        reports_s=reports,
        found_there=found,
        fresh_s=given["checkin.fresh_min"] * MINUTE_S,
        search_s=search,
        hops=hops,
    )


@dataclass(frozen=True, slots=True)
class HomeFire:
    """A fire in a home, or burnt rice."""

    home: int
    ignited_s: float
    rings: bool
    rings_s: float
    """When the alarm rings, if it does."""
    growth_s: float
    """From ignition; until then somebody who is there can put it out."""
    resident_s: float | None
    """When somebody of the home stands before it; ``None``: nobody does."""
    second_alarm_s: float | None
    neighbour_after_s: float | None
    """From the call of everybody."""
    brigade_after_s: float
    """From 119's receipt."""

    @property
    def called_s(self) -> float:
        """When everybody is called: nobody has taken it back, or somebody says that it burns."""
        first = self.rings_s + WINDOW_S
        for at in (self.resident_s, self.second_alarm_s):
            if at is not None:
                first = min(first, max(at, self.rings_s))
        return first

    @property
    def on_the_spot_s(self) -> float | None:
        """The first who can do something, told by the alarm; ``None``: it told nobody."""
        if not self.rings:
            return None
        found = [self.called_s + self.brigade_after_s]
        if self.resident_s is not None:
            found.append(self.resident_s)
        if self.neighbour_after_s is not None:
            found.append(self.called_s + self.neighbour_after_s)
        return min(found)

    @property
    def early(self) -> bool:
        """Whether that was in time, as far as behaviour alone tells."""
        at = self.on_the_spot_s
        return at is not None and at <= self.ignited_s + self.growth_s


def home_fire(seed: int, index: int, homes: int, period: Period, given: Assumptions) -> HomeFire:
    """One of them."""
    draw = Draw(seed, "fire", index)
    ignited = draw.uniform(60.0, max(61.0, period.length_s - HOUR_S))
    hour = ignited % DAY_S / HOUR_S
    day = 8 <= hour < 18
    rings = draw.chance(given["smoke.alarm_works"])
    rings_at = ignited + draw.lognormal(given["smoke.detects_median_s"], 0.5)
    growth = draw.lognormal(given["smoke.growth_median_s"], 0.5)
    at_home = draw.chance(given["smoke.at_home_day" if day else "smoke.at_home_night"])
    acts = draw.chance(given["smoke.acts"])
    resident = rings_at + draw.lognormal(given["smoke.acts_median_s"], 0.6)
    second = draw.chance(0.4), rings_at + draw.lognormal(120.0, 0.5)
    neighbour = draw.chance(given["smoke.neighbour_comes"])
    neighbour_after = draw.lognormal(given["smoke.neighbour_median_s"], 0.6)
    brigade = draw.lognormal(given["smoke.brigade_median_s"], 0.35)
    return HomeFire(
        home=draw.below(homes),
        ignited_s=ignited,
        rings=rings,
        rings_s=rings_at,
        growth_s=growth,
        resident_s=resident if at_home and acts else None,
        second_alarm_s=second[1] if second[0] else None,
        neighbour_after_s=neighbour_after if neighbour else None,
        brigade_after_s=brigade,
    )


@dataclass(frozen=True, slots=True)
class Nuisance:
    """Burnt rice: an alarm without a fire."""

    home: int
    rings_s: float
    code_after_s: float | None
    """When somebody enters the home's code; ``None``: nobody does."""
    brigade_after_s: float


def nuisance(seed: int, index: int, homes: int, period: Period, given: Assumptions) -> Nuisance:
    """One of them; meals are at six, twelve and eighteen."""
    draw = Draw(seed, "nuisance", index)
    days = max(1, int(period.length_s // DAY_S))
    meal = (6.5, 12.0, 18.0)[draw.below(3)] * HOUR_S
    at = (draw.below(days) * DAY_S + meal + draw.uniform(0, HOUR_S)) % max(
        60.0, period.length_s - HOUR_S
    )
    in_time = draw.chance(given["smoke.code_in_time"])
    return Nuisance(
        home=draw.below(homes),
        rings_s=max(60.0, at),
        code_after_s=draw.uniform(8.0, 50.0) if in_time else None,
        brigade_after_s=draw.lognormal(given["smoke.brigade_median_s"], 0.35),
    )


@dataclass(frozen=True, slots=True)
class Passage:
    """A vehicle that is louder than the threshold, and what people will make of it."""

    camera: int
    at_s: float
    over_db: float
    background_high: bool
    rain: bool
    wind: bool
    clock_lost: bool
    overload: bool
    lapsed: bool
    """The field calibration of the instrument has lapsed."""
    evidence_lost: bool
    several: bool
    readable: bool
    exempt: bool
    differ: bool
    opens_days: float
    reviews_days: tuple[float, float, float]
    baseline_days: float
    """How long the way without instruments would have taken."""

    @property
    def admissible(self) -> bool:
        """What the cloud's checks are expected to say."""
        return not (
            self.background_high
            or self.rain
            or self.wind
            or self.clock_lost
            or self.overload
            or self.lapsed
            or self.evidence_lost
        )

    @property
    def fined(self) -> bool:
        """As far as behaviour alone tells."""
        return self.admissible and not self.several and self.readable and not self.exempt

    @property
    def decided_s(self) -> float:
        """When the decision is there, as far as behaviour alone tells."""
        at = by_working_day(self.at_s, self.opens_days)
        for days in self.reviews_days[: 3 if self.differ else 2]:
            at = by_working_day(at, days)
        return at


def lapsed(seed: int, camera: int, given: Assumptions) -> bool:
    """Of one instrument, for the whole week."""
    return Draw(seed, "instrument", camera).chance(given["noise.certificate_lapsed"])


def passage(seed: int, index: int, cameras: int, period: Period, given: Assumptions) -> Passage:
    """One of them."""
    draw = Draw(seed, "passage", index)
    camera = draw.below(cameras)
    return Passage(
        camera=camera,
        at_s=draw.uniform(60.0, max(61.0, period.length_s - 120.0)),
        over_db=0.2 + draw.exponential(given["noise.over_mean_db"]),
        background_high=draw.chance(given["noise.background_high"]),
        rain=draw.chance(given["noise.rain"]),
        wind=draw.chance(given["noise.wind"]),
        clock_lost=draw.chance(given["noise.clock_lost"]),
        overload=draw.chance(given["noise.overload"]),
        evidence_lost=draw.chance(given["noise.evidence_lost"]),
        several=draw.chance(given["noise.several_vehicles"]),
        readable=draw.chance(given["noise.plate_readable"]),
        exempt=draw.chance(given["noise.vehicle_exempt"]),
        differ=draw.chance(given["noise.reviewers_differ"]),
        opens_days=draw.lognormal(given["noise.opens_median_days"], 0.5),
        reviews_days=(
            draw.lognormal(given["noise.review_median_days"], 0.7),
            draw.lognormal(given["noise.review_median_days"], 0.7),
            draw.lognormal(given["noise.review_median_days"], 0.7),
        ),
        baseline_days=draw.lognormal(given["noise.baseline_median_days"], 0.3),
        lapsed=lapsed(seed, camera, given),
    )


def by_working_day(at_s: float, days: float) -> float:
    """``days`` later, and then by day, Monday (of the week's beginning) to Friday."""
    at = at_s + days * DAY_S
    day, second = divmod(at, DAY_S)
    if second >= 17.5 * HOUR_S:
        day, second = day + 1, 0.0
    while day % 7 >= 5:
        day, second = day + 1, 0.0
    return day * DAY_S + max(second, 8.5 * HOUR_S + 60.0 * (at_s % 59))


@dataclass(frozen=True, slots=True)
class Press:
    """The button of an AED cabinet is pressed."""

    cabinet: int
    at_s: float
    accepts: tuple[bool, ...]
    """Of those who are called, in the order of the call."""
    answers_s: tuple[float, ...]


def press(seed: int, index: int, cabinets: int, period: Period, given: Assumptions) -> Press:
    """One of them."""
    draw = Draw(seed, "press", index)
    at = draw.uniform(600.0, max(601.0, period.length_s - HOUR_S))
    cabinet = draw.below(cabinets)
    answers = [(draw.chance(given["aed.accepts"]), draw.uniform(8.0, 45.0)) for _ in range(40)]
    return Press(
        cabinet, at, tuple(one for one, _ in answers), tuple(after for _, after in answers)
    )


@dataclass(frozen=True, slots=True)
class Discharge:
    """Something flows into a canal, past one probe."""

    probe: int
    at_s: float
    lasts_s: float
    natural: bool
    inspected_days: float


def discharge(seed: int, index: int, probes: int, period: Period, given: Assumptions) -> Discharge:
    """One of them."""
    draw = Draw(seed, "discharge", index)
    return Discharge(
        probe=draw.below(probes),
        at_s=draw.uniform(600.0, max(601.0, period.length_s - 2 * HOUR_S)),
        lasts_s=draw.uniform(0.4, 1.5) * HOUR_S,
        natural=draw.chance(given["water.natural"]),
        inspected_days=draw.lognormal(0.25, 0.6),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """All that will happen to a city of this size, beside its everyday messages."""

    episodes: Sequence[Episode]
    fires: Sequence[HomeFire]
    nuisances: Sequence[Nuisance]
    passages: Sequence[Passage]
    presses: Sequence[Press]
    discharges: Sequence[Discharge]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of each there are."""

    stations: int
    elders: int
    aeds: int
    patrollers: int
    volunteers: int
    probes: int
    cameras: int
    homes: int


SERVICE: Final = Sizes(188, 449, 250, 20, 5_025, 200, 20, 10_000)
"""The booklet's city, at scale 1."""


def sizes(scale: float) -> Sizes:
    """Each at least one; a round has at least two patrollers."""
    fields = {name: max(1, round(getattr(SERVICE, name) * scale)) for name in Sizes.__slots__}
    return Sizes(**fields | {"patrollers": max(2, fields["patrollers"])})


def _units(  # noqa: PLR0913 - a kind of units, how many and of what
    seed: int,
    kind: str,
    mean: float,
    of: int,
    make: Callable[[int, int, int, Period, Assumptions], _T],
    period: Period,
    given: Assumptions,
) -> list[_T]:
    """``mean``: in a whole week."""
    count = counted(seed, kind, mean * period.length_s / (7 * DAY_S))
    return [make(seed, index, of, period, given) for index in range(count)]


def episodes(seed: int, period: Period, given: Assumptions) -> list[Episode]:
    """Elders who go astray, by when they leave."""
    elders = sizes(period.scale).elders
    mean = given["checkin.missing_per_elder_week"] * elders
    return _apart(_units(seed, "episodes", mean, elders, episode, period, given))


def fires(seed: int, period: Period, given: Assumptions) -> list[HomeFire]:
    """In homes, no two in one."""
    homes = sizes(period.scale).homes
    mean = given["smoke.fires_per_home_week"] * homes
    return _one_a_home(_units(seed, "fires", mean, homes, home_fire, period, given), set())


def passages(seed: int, period: Period, given: Assumptions) -> list[Passage]:
    """Vehicles above the threshold."""
    cameras = sizes(period.scale).cameras
    mean = given["noise.exceedances_per_camera_day"] * cameras * 7
    return _units(seed, "passages", mean, cameras, passage, period, given)


def plan(seed: int, period: Period, given: Assumptions) -> Plan:
    """Everything that will happen."""
    size, scale = sizes(period.scale), period.scale
    burning = fires(seed, period, given)
    rice = given["smoke.nuisance_per_home_week"] * given["smoke.nuisance_kept"] * size.homes
    burnt = _units(seed, "nuisances", rice, size.homes, nuisance, period, given)
    pressed = given["aed.presses_per_week"] * scale
    flows = given["water.discharges_per_week"] * scale
    return Plan(
        episodes=episodes(seed, period, given),
        fires=burning,
        nuisances=_one_a_home(burnt, {one.home for one in burning}),
        passages=passages(seed, period, given),
        presses=_units(seed, "presses", pressed, size.aeds, press, period, given),
        discharges=_units(seed, "discharges", flows, size.probes, discharge, period, given),
    )


def _apart(episodes: Sequence[Episode]) -> list[Episode]:
    """An elder who is searched for is not lost a second time."""
    kept: list[Episode] = []
    over: dict[int, float] = {}
    for one in sorted(episodes, key=lambda each: each.left_s):
        if one.left_s >= over.get(one.elder, -1.0):
            kept.append(one)
            over[one.elder] = max(one.reports_s, one.missed_s) + one.search_s + 2 * HOUR_S
    return kept


_H = TypeVar("_H", HomeFire, Nuisance)


def _one_a_home(found: Sequence[_H], taken: set[int]) -> list[_H]:
    """The first of each home, so that no two are one fire."""
    homes = set(taken)
    kept: list[_H] = []
    for one in found:
        if one.home not in homes:
            homes.add(one.home)
            kept.append(one)
    return kept
