"""One stay from several visits, whatever their order."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloud_city import NOON
from vigil_cloud.checkin.schema import VisitEntry
from vigil_cloud.checkin.stays import NEIGHBOURS_M, PAUSE, merged, opened
from vigil_cloud.identity.whereabouts import Opening

WEST, EAST, FAR = (23.4800, 120.4400), (23.4800, 120.4404), (23.4900, 120.4400)
"""40 m and 1.1 km apart."""


def entry(
    number: int, begin: float, end: float, place: tuple[float, float] | None = WEST, **more: object
) -> VisitEntry:
    """Minutes after noon."""
    name = f"station {place}"
    latitude, longitude = place or (None, None)
    known = {
        "visit_id": f"v{number:03}",
        "device": name,
        "name": name,
        "name_zh": name,
        "latitude": latitude,
        "longitude": longitude,
        "arrived": NOON + timedelta(minutes=begin),
        "last_seen": NOON + timedelta(minutes=end),
        "departed": NOON + timedelta(minutes=end),
        "silent_since": None,
        "present": False,
        "sightings": 10,
        "late": False,
        "doubt": None,
        "clock_quality": "synchronised",
        "still_since": None,
    }
    return VisitEntry.model_validate(known | more)


def test_two_hours_between_two_stations_are_one_stay() -> None:
    draw = random.Random(7)
    visits, number = [], 0
    for place in (WEST, EAST):
        clock = draw.uniform(0, 5)
        while clock < 120:
            end = min(clock + draw.uniform(0.2, 12), 120)
            visits.append(entry(number, clock, end, place))
            number += 1
            clock = end + draw.uniform(5, 14)
    assert len(visits) > 8
    (stay,) = merged(visits)
    assert stay.sightings == 10 * len(visits)
    assert len(stay.also) == 1


def test_a_walk_from_one_station_to_the_next_is_two_stays() -> None:
    assert len(merged([entry(1, 0, 4, WEST), entry(2, 6, 9, EAST)])) == 2


def test_far_stations_and_those_without_a_place_are_not_neighbours() -> None:
    assert len(merged([entry(1, 0, 30, WEST), entry(2, 5, 20, FAR)])) == 2
    assert len(merged([entry(1, 0, 30, None), entry(2, 5, 20, WEST)])) == 2


def test_a_longer_pause_is_another_stay() -> None:
    pause = PAUSE.total_seconds() / 60
    assert len(merged([entry(1, 0, 4), entry(2, 4 + pause, 30)])) == 1
    assert len(merged([entry(1, 0, 4), entry(2, 4.1 + pause, 30)])) == 2


def test_what_is_doubtful_hides_in_no_other_stay() -> None:
    clean, copied = entry(1, 0, 30), entry(2, 5, 20, EAST, doubt="two-places")
    assert {stay.doubt for stay in merged([clean, copied])} == {None, "two-places"}


def test_it_goes_on_while_one_station_says_so_and_no_longer() -> None:
    ended = entry(1, 0, 10, WEST)
    going_on = entry(2, 5, 12, EAST, departed=None, present=True)
    (stay,) = merged([ended, going_on])
    assert (stay.present, stay.departed) == (True, None)
    silent = entry(3, 5, 12, EAST, departed=None, silent_since=NOON + timedelta(minutes=13))
    (stay,) = merged([ended, silent])
    assert (stay.present, stay.departed, stay.silent_since) == (
        False,
        None,
        NOON + timedelta(minutes=13),
    )


VISITS = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 60), st.sampled_from([WEST, EAST, FAR, None])),
    max_size=14,
)


@given(VISITS, st.randoms(use_true_random=False))
def test_each_visit_is_in_exactly_one_stay_whatever_the_order(
    given_visits: list[tuple[int, int, tuple[float, float] | None]], order: random.Random
) -> None:
    visits = [
        entry(n, begin, begin + length, place)
        for n, (begin, length, place) in enumerate(given_visits)
    ]
    stays = merged(visits)
    named = [name for stay in stays for name in (stay.visit_id, *stay.merged)]
    assert sorted(named) == sorted(visit.visit_id for visit in visits)
    assert sum(stay.sightings for stay in stays) == 10 * len(visits)
    assert all(stay.arrived <= stay.last_seen for stay in stays)
    shuffled = list(visits)
    order.shuffle(shuffled)
    assert merged(shuffled) == stays
    assert NEIGHBOURS_M > 40


@given(VISITS, st.integers(-10, 400))
def test_nothing_of_before_a_footprints_beginning_is_in_any_stay(
    given_visits: list[tuple[int, int, tuple[float, float] | None]], minute: int
) -> None:
    visits = [
        entry(n, begin, begin + length, place, still_since=NOON + timedelta(minutes=begin))
        for n, (begin, length, place) in enumerate(given_visits)
    ]
    since = NOON + timedelta(minutes=minute)
    left = opened(visits, Opening(since))
    stays = merged(left)

    for one in (*left, *stays):
        assert one.arrived >= since
        assert one.last_seen >= since
        assert one.still_since is None or one.still_since >= since
        if one.began_before:
            assert one.arrived == since
    assert {one.visit_id for one in left} == {
        one.visit_id for one in visits if one.last_seen >= since
    }
    assert [one for one in left if one.arrived > since] == [
        one for one in visits if one.arrived > since
    ]
    assert opened(visits, Opening(None)) == visits
