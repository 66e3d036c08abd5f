"""Sightings merged into visits, by the clock that the test holds."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from vigil_edge.checkin.settings import CheckinSettings
from vigil_edge.checkin.track import Sighting
from vigil_edge.checkin.visits import PASSING_S, REFRESH, Visits, event_id
from vigil_schemas.checkin import CheckinVisit

START = datetime(2026, 1, 1, tzinfo=UTC)
ELDER = "epc:3000abcdef00000000000003"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def visits(**keys: Any) -> Visits:
    return Visits("gate", "uhf", **({"absence_s": 60, "min_sightings": 2} | keys))


def seen(seconds: float, tag: str = ELDER, rssi: float = -60, antenna: int = 1) -> Sighting:
    return Sighting(tag, at(seconds), rssi, antenna)


def test_a_passage_is_one_visit_with_its_strongest_sighting() -> None:
    station = visits()
    assert station.take([seen(0, rssi=-70)]) == []
    (arrived,) = station.take([seen(1, rssi=-50, antenna=2), seen(2, rssi=-55)])
    assert (arrived.phase, arrived.arrived) == ("arrived", at(0))
    assert station.sweep(at(61)) == []
    (departed,) = station.sweep(at(62))
    assert departed.phase == "departed"
    assert departed.visit_id == arrived.visit_id
    assert (departed.last_seen, departed.sightings) == (at(2), 3)
    assert (departed.rssi_max_dbm, departed.antenna) == (-50, 2)
    assert station.sweep(at(900)) == []


def test_coming_back_later_is_another_visit() -> None:
    station = visits()
    station.take([seen(0), seen(1)])
    found = station.take([seen(100), seen(101)])
    assert [v.phase for v in found] == ["departed", "arrived"]
    assert found[0].visit_id != found[1].visit_id
    assert len({event_id(v) for v in found}) == 2


def test_a_single_sighting_is_told_as_such_a_few_seconds_later() -> None:
    station = visits()
    assert station.take([seen(0)]) == []
    assert station.sweep(at(PASSING_S - 0.1)) == []
    (arrived,) = station.sweep(at(PASSING_S))
    assert (arrived.phase, arrived.sightings, arrived.last_seen) == ("arrived", 1, at(0))
    (departed,) = station.sweep(at(60))
    assert (departed.visit_id, departed.sightings) == (arrived.visit_id, 1)


def test_sightings_that_lie_far_apart_are_each_told() -> None:
    station = visits()
    told = station.take([seen(0), seen(100), seen(200)]) + station.sweep(at(1000))
    assert [(v.phase, v.arrived, v.sightings) for v in told] == [
        ("departed", at(0), 1),
        ("departed", at(100), 1),
        ("departed", at(200), 1),
    ]


@given(st.lists(st.floats(0.01, 400, allow_nan=False), min_size=1, max_size=30))
def test_every_sighting_is_in_exactly_one_visit(pauses: list[float]) -> None:
    station, clock, told = visits(absence_s=60), 0.0, []
    for pause in pauses:
        clock += pause
        told += station.sweep(at(clock - 0.005))
        told += station.take([seen(clock)])
    told += station.sweep(at(clock + 1e5))
    ended = [v for v in told if v.phase == "departed"]
    assert sum(v.sightings for v in ended) == len(pauses)
    assert {v.visit_id for v in told} == {v.visit_id for v in ended}
    assert all(a.last_seen < b.arrived for a, b in pairwise(ended))


def test_a_stay_with_fades_is_one_visit() -> None:
    """Half an hour in which bodies and walls hide the beacon for up to four minutes at a time."""
    adapter: TypeAdapter[Any] = TypeAdapter(CheckinSettings)
    absence_s = adapter.validate_python({"device": "gate", "driver": "ble"}).absence_s
    for seed in range(40):
        draw, station = random.Random(seed), visits(absence_s=absence_s)
        clock, told = 0.0, []
        while clock < 1800:
            for _ in range(draw.randint(1, 60)):
                told += station.take([seen(clock)])
                clock += 1.0
            fade = draw.uniform(5, 240)
            for _ in range(int(fade)):
                clock += 1.0
                told += station.sweep(at(clock))
        told += station.sweep(at(clock + absence_s))
        assert len({v.visit_id for v in told}) == 1, seed


@pytest.mark.parametrize("interval_s", [1, 2, 5, 10])
def test_a_pass_of_twenty_seconds_is_always_told(interval_s: int) -> None:
    draw = random.Random(interval_s)
    for _ in range(200):
        station, heard = visits(), 0
        first = draw.uniform(0, interval_s)
        while first < 20:
            if draw.random() < 0.7:
                heard += 1
                station_told = station.take([seen(first)])
                assert all(v.phase == "arrived" for v in station_told)
            first += interval_s
        told = station.sweep(at(7200))
        assert sum(v.sightings for v in told) == heard


def test_a_tag_in_a_drawer_is_told_apart_from_one_that_somebody_carries() -> None:
    draw = random.Random(5)
    drawer, carried = visits(absence_s=300), visits(absence_s=300)
    for minute in range(13 * 60):
        at_s = minute * 60.0
        drawer.take([seen(at_s, rssi=-67 + draw.gauss(0, 2))])
        walks = 12 * math.sin(minute / 40) - 75
        carried.take([seen(at_s, rssi=walks + draw.gauss(0, 4))])
    (left,), (worn,) = drawer.sweep(at(1e6)), carried.sweep(at(1e6))
    assert left.still_since is not None
    assert left.last_seen - left.still_since >= timedelta(hours=12)
    assert worn.still_since is None or worn.last_seen - worn.still_since < timedelta(hours=2)


def test_passages_tell_the_direction_between_two_antennas() -> None:
    station = visits(hold_off_s=2)
    for start, order in ((0, (1, 2)), (20, (2, 1)), (40, (1, 2))):
        for step, antenna in enumerate(order):
            for tenth in range(10):
                level = -70 + 10 - abs(tenth - 5) * 2
                station.take([seen(start + step + tenth / 10, rssi=level, antenna=antenna)])
    station.take([seen(50, antenna=3)])
    (departed,) = station.sweep(at(1000))
    assert departed.passages is not None
    assert [(p.antennas, p.ordered) for p in departed.passages] == [
        ([1, 2], True),
        ([2, 1], True),
        ([1, 2], True),
        ([3], False),
    ]
    assert departed.sightings == 61


@given(st.lists(st.integers(0, 9_000), min_size=1, max_size=80))
def test_no_crossing_is_missed_however_often_a_tag_is_read(pauses: list[int]) -> None:
    """Pauses in milliseconds."""
    station, clock, told, crossings = visits(hold_off_s=2), 0, [], 0
    last = -math.inf
    for pause in pauses:
        clock += pause
        crossings += clock - last > 2_000
        last = clock
        told += station.take([seen(clock / 1000), seen(clock / 1000)])
    told += station.sweep(at(clock / 1000 + 1000))
    ended = [v for v in told if v.phase == "departed"]
    assert sum(len(v.passages or []) for v in ended) == crossings


def test_what_is_known_of_a_tag_survives_a_restart() -> None:
    before = visits(hold_off_s=2)
    before.take([seen(0, antenna=1), seen(1, antenna=2), seen(10, antenna=2)])
    after = visits(hold_off_s=2, state=before.state(), now=at(20))
    after.take([seen(21, antenna=1)])
    (departed,) = after.sweep(at(1000))
    assert [p.antennas for p in departed.passages or []] == [[1, 2], [2], [1]]


def test_the_state_of_an_earlier_release_is_read() -> None:
    old = json.dumps([[ELDER, 0, 1_000_000, 5, -60.0, 1]]).encode()
    (departed,) = visits(state=old, now=at(0)).sweep(at(100))
    assert (departed.sightings, departed.rssi_max_dbm) == (5, -60.0)


def test_a_restart_announces_nobody_twice_and_gives_time_to_be_seen_again() -> None:
    station = visits()
    (arrived,) = station.take([seen(0), seen(1)])
    again = visits(state=station.state(), now=at(300))
    assert again.sweep(at(301)) == []
    assert again.take([seen(310)]) == []
    (departed,) = again.sweep(at(370))
    assert (departed.visit_id, departed.last_seen) == (arrived.visit_id, at(310))

    gone = visits(state=station.state(), now=at(300))
    (departed,) = gone.sweep(at(360))
    assert (departed.visit_id, departed.last_seen) == (arrived.visit_id, at(1))


def test_after_a_long_pause_a_kept_visit_is_over() -> None:
    station = visits()
    station.take([seen(0), seen(1)])
    after = visits(state=station.state(), now=at(86_400))
    found = after.take([seen(86_401), seen(86_402)])
    assert [v.phase for v in found] == ["departed", "arrived"]


def test_thousands_of_strangers_take_bounded_memory_and_disturb_no_visit() -> None:
    station = visits(limit=100)
    (arrived,) = station.take([seen(0), seen(0.1)])
    for i in range(5000):
        assert station.take([seen(1 + i * 0.001, f"epc:{i:024x}")]) == []
    assert station.forgotten == 5000 - 99
    assert station.cut_short == 0
    # Strangers that are still known are told as passing by, at most half of the room.
    passing = station.sweep(at(12))
    assert len(passing) == 49
    assert {v.phase for v in passing} == {"arrived"}
    departed = station.sweep(at(70))
    assert len(departed) == 100
    assert arrived.visit_id in {v.visit_id for v in departed}


def test_more_present_tags_than_fit_end_the_oldest_visit() -> None:
    station = visits(limit=3, min_sightings=1)
    found: list[CheckinVisit] = []
    for i in range(5):
        found += station.take([seen(i, f"epc:{i:024x}")])
    assert [v.phase for v in found].count("departed") == 2
    assert station.present == 3
    assert station.cut_short == 2


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 200, allow_nan=False), st.booleans()), max_size=40
    ),
    st.integers(1, 3),
)
@example([(0, 13.0, False), (3, 0.0, True), (2, 0.0, False), (1, 0.0, True), (0, 0.0, False)], 1)
def test_arrivals_and_departures_pair_up(
    moves: list[tuple[int, float, bool]], min_sightings: int
) -> None:
    station = visits(min_sightings=min_sightings, limit=3)
    clock, found = 0.0, []
    for who, pause, restart in moves:
        clock += pause
        if restart:
            station = visits(
                min_sightings=min_sightings, limit=3, state=station.state(), now=at(clock)
            )
        found += station.take([seen(clock, f"epc:{who:024x}")])
        found += station.sweep(at(clock))
    found += station.sweep(at(clock + 1e6))
    assert station.present == 0
    by_visit: dict[str, list[CheckinVisit]] = {}
    # Cut short and back within one microsecond is the same visit, and the cloud takes an id once.
    for visit in {event_id(visit): visit for visit in found}.values():
        by_visit.setdefault(visit.visit_id, []).append(visit)
        assert visit.arrived <= visit.last_seen
        assert visit.sightings >= 1
    for pair in by_visit.values():
        # Whoever stays is told of again, never sooner than the time for that.
        *stays, end = pair
        assert {v.phase for v in stays} <= {"arrived"}
        assert end.phase == "departed"
        assert all(b.last_seen - a.last_seen >= REFRESH for a, b in pairwise(stays))


def test_settings() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(CheckinSettings)
    reader = adapter.validate_python({"device": "gate", "driver": "llrp", "address": "10.0.0.9"})
    assert (reader.host, reader.port) == ("10.0.0.9", 5084)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"driver": "llrp", "address": "host:port"}, "host:port"),
        ({"driver": "ble", "backend": "nonsense"}, "module:Class"),
        ({"driver": "ble", "min_sightings": 0}, "greater than or equal to 1"),
        ({"driver": "nfc"}, "'ble'"),
        ({}, "driver"),
    ]
    for wrong, message in refused:
        with pytest.raises(ValueError, match=message):
            adapter.validate_python({"device": "gate"} | wrong)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_set_neither_ends_nor_prolongs_a_visit(hours: int) -> None:
    station, step = visits(), timedelta(hours=hours)
    station.take([seen(0), seen(1), seen(1, "epc:aaaaaaaa")])
    station.clock_set(step)
    passing = station.sweep(at(60) + step)
    assert {v.tag for v in passing} == {"epc:aaaaaaaa"}
    assert station.take([Sighting(ELDER, at(30) + step)]) == []
    assert {v.tag for v in station.sweep(at(89) + step)} <= {"epc:aaaaaaaa"}
    (departed,) = station.sweep(at(90) + step)
    assert departed.sightings == 3
    assert departed.arrived == at(0)
    assert departed.last_seen == max(at(30) + step, at(0))
    assert station.present == 0
    station.take([Sighting("epc:bbbbbbbb", at(0) + step)])
    assert not station._passing.get("epc:aaaaaaaa"), "strangers are forgotten in time as well"


def test_a_restart_under_a_clock_set_back_gives_a_whole_absence_and_no_more() -> None:
    before = visits()
    before.take([seen(7200), seen(7201)])
    after = visits(state=before.state(), now=at(0))
    assert after.sweep(at(59)) == []
    assert [v.phase for v in after.sweep(at(60))] == ["departed"]


@pytest.mark.parametrize(
    ("given_prefix", "tag"),
    [
        ("ibeacon:E2C56DB5-DFFB-48d2", "ibeacon:e2c56db5dffb48d2b060d0f5a71096e0:1:2"),
        (" epc:3000ABCD ", ELDER),
        ("eddystone-uid:", "eddystone-uid:00112233445566778899:aabbccddeeff"),
    ],
)
def test_prefixes_of_tags_as_people_write_them(given_prefix: str, tag: str) -> None:
    base = {"device": "gate", "driver": "ble"}
    adapter: TypeAdapter[Any] = TypeAdapter(CheckinSettings)
    assert adapter.validate_python(base | {"tags_allow": [given_prefix]}).allows(tag)
    with pytest.raises(ValueError, match="ibeacon:"):
        adapter.validate_python(base | {"tags_allow": ["e2c56db5-dffb"]})
