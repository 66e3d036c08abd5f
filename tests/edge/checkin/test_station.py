"""A station whose outbox refuses for a while forgets nobody who was here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from edge.checkin.station import phases, settings, visits
from edge.memory_context import MemoryContext
from vigil_edge.checkin.pipeline import Station
from vigil_edge.checkin.track import Sighting
from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull


@dataclass
class Time:
    seconds: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def ticks(self) -> float:
        return self.seconds


def station(time: Time, states: dict[str, bytes] | None = None) -> tuple[Station, MemoryContext]:
    context = MemoryContext(clock=time.now, ticks=time.ticks, states=states)
    made = settings({"driver": "ble", "adapter": "hci0"}, min_sightings=1, absence_s=60)
    return Station(made, context, "ble"), context


def seen(time: Time, number: int = 0) -> Sighting:
    return Sighting(f"epc:{number:024x}", time.now(), -60.0, None, 1)


@pytest.mark.parametrize("refusal", [OutboxFailed("no"), OutboxFull("no"), OSError("no")])
async def test_a_tick_that_the_outbox_refuses_is_handed_over_at_the_next(
    refusal: Exception,
) -> None:
    # Given a person who passes just while the disk refuses, and is not heard again.
    time = Time()
    under_test, context = station(time)
    context.fail_next = refusal
    await under_test.take([seen(time)], 1)
    assert context.accepted == []
    assert context.reports[-1][0] == "degraded"
    assert context.counters["visits-delayed"] == 1

    # When the disk takes writes again.
    time.seconds = 1
    await under_test.take([], 0)

    # Then the arrival is told, once, with the time at which it was.
    assert phases(context) == ["arrived"]
    assert visits(context)[0].arrived == Time().now()
    assert not under_test.delayed
    time.seconds = 100
    await under_test.take([], 0)
    assert phases(context) == ["arrived", "departed"]


async def test_a_sighting_since_the_last_checkpoint_survives_a_refusal() -> None:
    # Given somebody present, seen again in a tick that told nothing and kept no state.
    time = Time()
    under_test, context = station(time)
    await under_test.take([seen(time)], 1)
    time.seconds = 20
    await under_test.take([seen(time)], 1)

    # When another arrives and the outbox refuses, and then takes it.
    context.fail_next = OutboxFailed("no")
    await under_test.take([seen(time, 1)], 1)
    time.seconds = 79
    await under_test.take([], 0)

    # Then the first is still here: 59 s of absence, not 79.
    assert phases(context) == ["arrived", "arrived"]


async def test_what_waits_has_a_bound() -> None:
    time = Time()
    under_test, context = station(time)
    for tick in range(6):
        time.seconds = tick * 0.2
        context.fail_next = OutboxFull("no")
        tags = [seen(time, tick * 1000 + number) for number in range(1000)]
        if tick < 5:
            await under_test.take(tags, 1000)
            continue
        with pytest.raises(OutboxFull):
            await under_test.take(tags, 1000)
