"""Where home is, and whether somebody was about their usual day, by when stations heard them."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from cloud.search.test_replay import LATITUDE, LONGITUDE, STEP, street_lines
from vigil_cloud.search import ground, habits, origins, reach, whereabouts

HOUR, DAY = 3_600.0, 86_400.0
NIGHTS = 10


@pytest.fixture(scope="module")
def town() -> ground.Ground:
    return ground.streets([[(x, y) for x, y in line] for line in street_lines()])


def station(
    town: ground.Ground, across: float, up: float, since: float = -inf, until: float = inf
) -> reach.Station:
    """At a crossing of the grid."""
    at = np.array([LATITUDE + up * STEP]), np.array([LONGITUDE + across * STEP])
    east, north = town.centre.metres(*at)[0]
    return reach.Station("", (float(east), float(north)), 80.0, since, until)


def home_within(
    town: ground.Ground, found: habits.Habits, place: tuple[float, float], far_m: float
) -> float:
    near = np.hypot(*(town.nodes - np.array(place)).T) <= far_m
    return float(found.at_home[near].sum())


def out_each_day() -> list[tuple[int, float]]:
    """The first station hears them on the way out and on the way home."""
    return [(0, day * DAY + hour * HOUR) for day in range(NIGHTS) for hour in (9, 18)]


@pytest.mark.parametrize("neighbours", [False, True])
def test_whoever_is_heard_all_night_lives_within_reach(
    town: ground.Ground, neighbours: bool
) -> None:
    stations = [station(town, 10, 10), station(town, 15, 10), station(town, 10.5, 10)]
    seen = []
    for day in range(NIGHTS):
        seen.append((1, day * DAY + 10 * HOUR))
        for number, at in enumerate(np.arange(18 * HOUR, 32 * HOUR, 1_000.0)):
            seen.append((2 * (number % 2) if neighbours else 0, day * DAY + float(at)))
    found = habits.of(town, stations, seen, seen[-1][1] + HOUR)
    assert found.homes
    assert home_within(town, found, stations[0].place, 150.0) > 0.95


def test_a_long_day_within_reach_is_no_home_of_whoever_sleeps_elsewhere(
    town: ground.Ground,
) -> None:
    stations = [station(town, 10, 10)]
    seen = [
        (0, day * DAY + float(at))
        for day in range(NIGHTS)
        for at in np.arange(9 * HOUR, 16 * HOUR, 1_000.0)
    ]
    found = habits.of(town, stations, seen, seen[-1][1] + HOUR)
    assert home_within(town, found, stations[0].place, 80.0) < 0.05


@pytest.mark.parametrize(
    ("since", "until"), [(NIGHTS * DAY - HOUR, inf), (-inf, HOUR)], ids=["new", "gone"]
)
def test_a_station_that_was_not_there_speaks_against_no_home(
    town: ground.Ground, since: float, until: float
) -> None:
    """One that began to work an hour ago ruled out the homes around it, like one that had heard
    nothing for weeks."""
    first, seen = station(town, 10, 10), out_each_day()
    place = station(town, 12, 10).place

    def around(*more: reach.Station) -> float:
        found = habits.of(town, [first, *more], seen, NIGHTS * DAY)
        return home_within(town, found, place, 60.0)

    without = around()
    assert around(station(town, 12, 10)) < 0.2 * without
    assert around(station(town, 12, 10, since, until)) > 0.9 * without


def test_a_station_that_is_back_since_an_hour_worked_before(town: ground.Ground) -> None:
    """One that was away for five minutes said nothing any more of homes around it."""
    new = station(town, 12, 10, NIGHTS * DAY - HOUR)
    back = new._replace(worked_until=new.online_since - 300.0)
    first, place = station(town, 10, 10), new.place

    def around(one: reach.Station) -> float:
        found = habits.of(town, [first, one], out_each_day(), NIGHTS * DAY)
        return home_within(town, found, place, 60.0)

    assert around(back) < 0.2 * around(new)
    assert around(back) == pytest.approx(around(station(town, 12, 10)), rel=0.1)


def test_whoever_is_heard_where_they_never_came_by_went_on_from_home(town: ground.Ground) -> None:
    """Where they come by each day at that hour they are most probably about their day."""
    stations = [station(town, 4, 10), station(town, 10, 10)]
    today = NIGHTS * DAY
    walk = [(0, today + 9 * HOUR), (1, today + 9.4 * HOUR)]
    at_s = today + 10 * HOUR
    each_day = [(1, day * DAY + hour * HOUR) for day in range(NIGHTS) for hour in (9.4, 17.6)]

    def onward(before: list[tuple[int, float]]) -> float:
        seen = [*sorted(before, key=lambda one: one[1]), *walk]
        known = habits.of(town, stations, seen, at_s)
        belief = whereabouts.believe(town, stations, seen, known, at_s)
        assert belief.links.sum() + belief.nodes.sum() == pytest.approx(1)
        beyond = stations[1].place[0] + stations[1].range_m
        return float(
            belief.links[town.middles[:, 0] > beyond].sum()
            + belief.nodes[town.nodes[:, 0] > beyond].sum()
        )

    assert onward(out_each_day()) > onward(out_each_day() + each_day)


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0, 4.0, 1_000.0])
def test_whoever_was_silent_where_everything_is_heard_has_a_map(
    town: ground.Ground, rate: float
) -> None:
    """Three hours of silence had left so little of all ways that nothing was divided by nothing."""
    stations = [station(town, 10, 10)._replace(range_m=5_000.0, detections_a_minute=rate)]
    seen = [*out_each_day(), (0, NIGHTS * DAY + 9 * HOUR)]
    at_s = seen[-1][1] + 0.5 * HOUR
    known = habits.of(town, stations, seen, at_s)
    belief = whereabouts.believe(town, stations, seen, known, at_s)
    assert belief.links.sum() + belief.nodes.sum() == pytest.approx(1)
    assert min(belief.links.min(), belief.nodes.min()) >= 0


def test_a_report_does_not_say_that_they_never_come_by_there(town: ground.Ground) -> None:
    """It is no station, whose rate is known: all who were reported had gone astray before."""
    stations = [station(town, 4, 10), station(town, 10, 10)]
    reported = reach.Station("", stations[1].place, 150.0, inf, inf, 0.0)
    stations.append(reported)
    each_day = [(1, day * DAY + hour * HOUR) for day in range(NIGHTS) for hour in (9.4, 17.6)]
    history = sorted([*out_each_day(), *each_day], key=lambda one: one[1])
    way = [(0, NIGHTS * DAY + 9 * HOUR)]

    def onward(*walk: tuple[int, float]) -> float:
        """Of those who are not about their usual day, how many go on as they came: east."""
        seen = [*history, *walk]
        known = habits.of(town, stations, seen, seen[-1][1] + HOUR)
        belief = whereabouts.believe(town, stations, seen, known, seen[-1][1] + HOUR)
        east, west = (
            float(belief.links[beyond].sum())
            for beyond in (
                town.middles[:, 0] > reported.place[0] + 200.0,
                town.middles[:, 0] < reported.place[0] - 200.0,
            )
        )
        return east / west

    at = NIGHTS * DAY + 9.4 * HOUR
    assert onward(*way, (2, at)) > 1.5 * onward((2, at))
    assert onward(*way, (2, at - 300.0), (1, at)) == pytest.approx(onward(*way, (1, at)), rel=0.2)


def test_a_usual_day_has_its_hours(town: ground.Ground) -> None:
    stations = [station(town, 4, 10), station(town, 5, 10), station(town, 19, 19)]
    daily = origins.daily(stations, out_each_day(), NIGHTS * DAY)
    at_nine, at_night = (daily.rate(0, NIGHTS * DAY + hour * HOUR) for hour in (9, 1))
    near, far = (daily.rate(number, NIGHTS * DAY + 9 * HOUR) for number in (1, 2))
    assert at_nine > 5 * at_night > 5 * near > 5 * far > 0
