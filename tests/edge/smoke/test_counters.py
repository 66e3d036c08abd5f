"""Frames that are played again, and devices that count from 0 again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.smoke.counters import SILENT_S, Frame, FrameCounts

HOUR = 3600.0


class Air:
    """One alarm's uplinks; ``t`` is monotonic time."""

    def __init__(self, state: bytes | None = None) -> None:
        self.t = 0.0
        self.counts = FrameCounts(state, self.t)
        self._sent = 0

    def send(
        self, counter: int, *, fire: bool = False, content: bytes = b"", address: str = "a"
    ) -> str:
        self._sent += 1
        frame = Frame(counter, address, f"id-{self._sent}", fire, content or bytes([fire]))
        return self.counts.take("eui", frame, self.t)


def test_a_pair_that_was_heard_is_a_repetition_however_it_rises() -> None:
    air = Air()
    for counter in range(200):
        assert air.send(counter, fire=counter == 41) == "new"
    assert [air.send(40), air.send(41, fire=True)] == ["repeated", "repeated"]
    assert [air.send(0), air.send(1), air.send(41, fire=True)] == ["repeated"] * 3
    assert air.send(200, fire=True) == "new"


def test_what_was_heard_outlives_a_restart_of_the_gateway() -> None:
    air = Air()
    for counter in range(200):
        air.send(counter, fire=counter == 41)
    air = Air(air.counts.state())
    assert [air.send(40), air.send(41, fire=True), air.send(200)] == ["repeated", "repeated", "new"]


def test_a_fire_under_a_counter_that_was_none_is_of_a_count_that_began_anew() -> None:
    air = Air()
    for counter in range(200):
        air.send(counter, fire=counter == 41)
    assert air.send(3, fire=True) == "restarted"
    assert [air.send(4), air.send(3, fire=True), air.send(5, fire=True)] == [
        "new",
        "repeated",
        "new",
    ]


def test_another_content_of_the_first_frames_shows_a_restart() -> None:
    air = Air()
    for counter in range(200):
        air.send(counter, content=b"97 % 24 C")
    assert air.send(0, content=b"97 % 24 C") == "repeated"
    assert air.send(1, content=b"100 % 25 C") == "restarted"


def test_a_count_that_rises_while_the_old_one_is_silent_is_believed_in_the_end() -> None:
    air = Air()
    for counter in range(0, 200):
        air.send(counter)
    found = []
    for counter in range(5):
        air.t += HOUR
        found.append(air.send(counter))
    assert found == ["repeated", "repeated", "restarted", "new", "new"]
    assert air.t >= SILENT_S


def test_a_count_that_goes_on_contradicts_whoever_plays_frames_again() -> None:
    air = Air()
    for counter in range(200):
        air.send(counter, fire=counter == 90)
    for hour in range(40):
        air.t += HOUR
        assert air.send(200 + hour) == "new"
        assert air.send(50 + hour, fire=50 + hour == 90) == "repeated"


def test_the_first_frames_are_known_after_any_number_of_gaps() -> None:
    air = Air()
    for counter in (*range(16), *range(20, 400, 2)):
        air.send(counter, fire=counter == 5)
    assert air.send(5, fire=True) == "repeated"
    assert air.send(3, fire=True) == "restarted"


def test_a_former_counts_fire_does_not_ring_in_the_new_one() -> None:
    air = Air()
    for counter in range(200):
        air.send(counter, fire=counter == 90)
    assert air.send(0, content=b"new battery") == "restarted"
    assert air.send(90, fire=True) == "repeated"
    assert [air.send(counter) for counter in range(1, 90)] == ["new"] * 89
    assert air.send(90, fire=True) == "new", "it has come there by itself"


def test_an_earlier_session_is_judged_by_its_own_count() -> None:
    air = Air()
    for counter in range(50):
        air.send(counter, fire=counter == 30)
    assert air.send(0, address="b") == "new"
    assert air.send(30, fire=True, address="a") == "repeated"
    assert air.send(1, address="b") == "new"


def test_the_same_uplink_delivered_again_is_none_played_again() -> None:
    counts = FrameCounts()
    frame = Frame(7, "a", "same", True)
    assert [counts.take("eui", frame, 0), counts.take("eui", frame, 0)] == ["new", "new"]


def test_devices_that_somebody_makes_up_fill_no_memory() -> None:
    counts = FrameCounts()
    for number in range(3_000):
        counts.take(f"{number:016x}", Frame(1, "a", None, True), 0.0)
    assert len(counts.state()) < 300_000


@given(
    st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=20, max_size=120),
    st.data(),
)
def test_no_sequence_of_recorded_fires_rings(
    spoken: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Whatever was heard, with gaps, is played again in any order, soon."""
    air, counter, recorded = Air(), 0, []
    for step, fire in spoken:
        counter += step
        recorded.append((counter, fire))
        assert air.send(counter, fire=fire) == "new"
    again = data.draw(st.lists(st.sampled_from(recorded), max_size=30))
    assert {air.send(counter, fire=fire) for counter, fire in again} <= {"repeated"}
    assert air.send(counter + 1, fire=True) == "new"


@pytest.mark.parametrize("far", [0, 1, 15])
def test_a_little_below_the_last_is_a_repetition_whatever_it_says(far: int) -> None:
    air = Air()
    for counter in range(30):
        air.send(counter)
    assert air.send(29 - far, fire=True) == "repeated"
