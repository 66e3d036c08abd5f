"""The watch list: who is looked for is told of at the first sign, and forgotten in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.checkin.station import settings, visits
from edge.checkin.test_station import Time
from edge.memory_context import MemoryContext
from vigil_edge.checkin.pipeline import Station
from vigil_edge.checkin.states import WATCH
from vigil_edge.checkin.track import Sighting
from vigil_edge.checkin.watch import AGAIN, Watch
from vigil_edge.delivery.outbox import OutboxFailed
from vigil_edge.device.seam import CommandRefused
from vigil_schemas.checkin import CheckinSighting
from vigil_schemas.commands import Watched, WatchList
from vigil_schemas.types import Lane

GRANDMOTHER, STRANGER = f"epc:{1:024x}", f"epc:{2:024x}"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def wanted(revision: int, *tags: str, until: datetime | None = None) -> WatchList:
    end = until or NOON + timedelta(days=1)
    return WatchList(revision=revision, entries=[Watched(id=tag, until=end) for tag in tags])


def station(time: Time, states: dict[str, bytes] | None = None) -> tuple[Station, MemoryContext]:
    context = MemoryContext(clock=time.now, ticks=time.ticks, states=states)
    made = settings({"driver": "ble", "adapter": "hci0"}, min_sightings=5, absence_s=60)
    return Station(made, context, "ble"), context


def heard(time: Time, tag: str) -> Sighting:
    return Sighting(tag, time.now(), -60.0, None, 1)


def told(context: MemoryContext) -> list[CheckinSighting]:
    return [one.data for one in context.accepted if isinstance(one.data, CheckinSighting)]


async def test_the_first_sign_is_told_before_a_visit_would_be() -> None:
    # Given a station that needs five sightings for a visit, and looks for somebody.
    time = Time()
    under_test, context = station(time)
    assert await under_test.command("gate", wanted(1, GRANDMOTHER)) == "1 watched"

    # When she is heard once, and a stranger too.
    await under_test.take([heard(time, GRANDMOTHER), heard(time, STRANGER)], 2)

    # Then it is told in the event lane, of her alone.
    (sent,) = [one for one in context.accepted if one.type == CheckinSighting.TYPE]
    (sighting,) = told(context)
    assert (sent.lane, sighting.tag, sighting.rssi_dbm) == (Lane.EVENT, GRANDMOTHER, -60.0)
    assert visits(context) == []


async def test_who_stays_is_told_of_once_a_minute() -> None:
    time = Time()
    under_test, context = station(time)
    await under_test.command("gate", wanted(1, GRANDMOTHER))
    for second in range(0, 130, 5):
        time.seconds = second
        await under_test.take([heard(time, GRANDMOTHER)], 1)

    assert [one.seen for one in told(context)] == [
        Time(0).now(),
        Time(60).now(),
        Time(120).now(),
    ]


async def test_the_list_survives_a_restart_and_an_older_one_changes_nothing() -> None:
    time = Time()
    states: dict[str, bytes] = {}
    under_test, _ = station(time, states)
    await under_test.command("gate", wanted(7, GRANDMOTHER))
    assert "newer" in await under_test.command("gate", wanted(6))

    again, context = station(time, states)
    await again.take([heard(time, GRANDMOTHER)], 1)
    assert len(told(context)) == 1

    await again.command("gate", wanted(8))
    time.seconds = 120
    await again.take([heard(time, GRANDMOTHER)], 1)
    assert len(told(context)) == 1
    assert GRANDMOTHER.encode() not in b"".join(states.values())


async def test_what_is_over_is_forgotten_without_a_word_from_the_cloud() -> None:
    time = Time()
    states: dict[str, bytes] = {}
    under_test, context = station(time, states)
    until = time.now() + timedelta(seconds=30)
    await under_test.command("gate", wanted(1, GRANDMOTHER, until=until))
    assert GRANDMOTHER.encode() in states[WATCH]
    time.seconds = 30
    await under_test.take([], 0)
    assert GRANDMOTHER.encode() not in states[WATCH]
    await under_test.take([heard(time, GRANDMOTHER)], 1)
    assert told(context) == []


async def test_a_station_that_would_watch_nobody_says_so() -> None:
    time = Time()
    under_test, _ = station(time)
    over = time.now() - timedelta(seconds=1)
    with pytest.raises(CommandRefused) as refused:
        await under_test.command("gate", wanted(1, GRANDMOTHER, until=over))
    assert refused.value.code == "clock-ahead"
    assert await under_test.command("gate", wanted(2)) == "0 watched"


@pytest.mark.parametrize("failure", [OSError("no"), OutboxFailed("no")])
async def test_a_list_that_cannot_be_kept_is_refused(failure: Exception) -> None:
    time = Time()
    under_test, context = station(time)
    context.fail_next = failure
    with pytest.raises(CommandRefused):
        await under_test.command("gate", wanted(1, GRANDMOTHER))
    assert await under_test.command("gate", wanted(1, GRANDMOTHER)) == "1 watched"


@given(st.lists(st.tuples(st.integers(0, 600), st.sampled_from([GRANDMOTHER, STRANGER]))))
def test_of_each_tag_as_often_as_it_is_looked_for(heard_at: list[tuple[int, str]]) -> None:
    watch = Watch("gate", "ble").replaced(wanted(1, GRANDMOTHER), NOON)
    assert watch is not None
    signs = [Sighting(tag, NOON + timedelta(seconds=at), None) for at, tag in sorted(heard_at)]

    found = [one for sign in signs for one in watch.take([sign])]

    assert all(one.tag == GRANDMOTHER for one in found)
    hers = [sign.time for sign in signs if sign.tag == GRANDMOTHER]
    assert [one.seen for one in found[:1]] == hers[:1]
    assert all(later.seen - one.seen >= AGAIN for one, later in pairwise(found))
    assert len({one.sighting_id for one in found}) == len(found)
    for sign in hers:  # whenever she was heard, it was told within the minute before
        assert any(timedelta(0) <= sign - one.seen < AGAIN for one in found)
