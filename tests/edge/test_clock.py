"""The clock: steps are noticed, trust is earned and fades."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.backoff import Backoff
from vigil_edge.clock import HOLDOVER_S, Clock, kernel_synchronised
from vigil_schemas.types import ClockQuality


class World:
    def __init__(self) -> None:
        self.wall = 1_767_225_600.0
        self.mono = 100.0
        self.synchronised = False
        self.clock = Clock(
            wall=lambda: self.wall,
            monotonic=lambda: self.mono,
            synchronised=lambda: self.synchronised,
        )

    def passes(self, seconds: float, drift: float = 0.0) -> None:
        self.mono += seconds
        self.wall += seconds + drift


def test_wall_time_is_aware_utc() -> None:
    assert World().clock.now() == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_set_clock_is_noticed_and_a_slewed_one_is_not() -> None:
    world = World()
    world.passes(5, drift=0.002)
    assert not world.clock.watch()

    world.passes(5, drift=-3600)
    assert world.clock.watch()
    assert world.clock.steps == 1
    assert round(world.clock.last_step_s) == -3600

    world.passes(5)
    assert not world.clock.watch()


def test_trust_is_earned_held_and_lost() -> None:
    world = World()

    def quality() -> ClockQuality:
        return world.clock.quality

    assert quality() is ClockQuality.UNSYNCHRONISED

    world.synchronised = True
    world.clock.watch()
    assert quality() is ClockQuality.SYNCHRONISED

    world.synchronised = False
    world.passes(60)
    world.clock.watch()
    assert quality() is ClockQuality.HOLDOVER

    world.passes(HOLDOVER_S)
    world.clock.watch()
    assert world.clock.quality is ClockQuality.UNSYNCHRONISED


def test_a_clock_that_is_vouched_for_says_so_until_the_kernel_agrees() -> None:
    said = [False]
    clock = Clock(synchronised=lambda: said[0], host_keeps_it=True)
    assert (clock.quality, clock.vouched) == (ClockQuality.SYNCHRONISED, True)
    said[0] = True
    clock.watch()
    assert (clock.quality, clock.vouched) == (ClockQuality.SYNCHRONISED, False)
    said[0] = False
    clock.watch()
    assert (clock.quality, clock.vouched) == (ClockQuality.SYNCHRONISED, True)
    assert not Clock(synchronised=lambda: False).vouched


def test_the_kernel_answers() -> None:
    assert kernel_synchronised() in (True, False)


@given(st.integers(0, 2**32))
def test_pauses_grow_to_a_minute_and_no_further(seed: int) -> None:
    backoff = Backoff(Random(seed))
    pauses = [backoff.next() for _ in range(40)]

    assert 0.5 <= pauses[0] <= 1.0
    assert all(0.5 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses[:6]))
    assert all(30.0 <= pause <= 60.0 for pause in pauses[6:])
    backoff.reset()
    assert backoff.next() <= 1.0
