"""Alarms that wait: gateways take turns, and a flood is sent again by whoever made it."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.ingest.fair_queue import ENDS_EVERY, FairQueue, is_end
from vigil_cloud.ingest.queue import Arrived

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def message(gateway: str, number: int, size: int = 8) -> Arrived:
    payload = f"{number:0{size}d}".encode()
    return Arrived(f"vigil/v1/{gateway}/alarm", payload, NOW, 0.0, None)


def ring(gateway: str, number: int, active: bool) -> Arrived:
    payload = f'{{"id": {number}, "data": {{"active": {str(active).lower()}}}}}'.encode()
    return Arrived(f"vigil/v1/{gateway}/alarm", payload, NOW, 0.0, None)


def flood(gateway: str, count: int) -> list[Arrived]:
    return [message(gateway, number) for number in range(count)]


def test_a_fire_waits_behind_one_alarm_of_each_other_gateway_at_most() -> None:
    queue = FairQueue()
    queue.put(flood("mad", 900))
    queue.put([message("home", 1)])

    taken = queue.take(20)

    assert [one.topic for one in taken[:2]] == ["vigil/v1/mad/alarm", "vigil/v1/home/alarm"]
    assert len(taken) == 20


def test_what_is_sent_again_while_it_waits_is_kept_once() -> None:
    queue = FairQueue(share=10)
    for _ in range(5):
        queue.put(flood("gw", 10))

    assert len(queue) == 10
    assert queue.put_off() == Counter()


def test_what_is_beyond_a_share_is_put_off_and_counted() -> None:
    queue = FairQueue(share=10)
    queue.put(flood("mad", 25))
    queue.put(flood("home", 3))

    assert queue.put_off() == Counter({"mad": 15})
    assert queue.put_off() == Counter()
    assert len(queue) == 13


def test_memory_is_bounded_at_the_cost_of_whoever_has_the_most_waiting() -> None:
    queue = FairQueue(capacity_bytes=100)
    queue.put([message("mad", number, size=10) for number in range(10)])
    queue.put([message("home", 1, size=10)])

    assert queue.put_off() == Counter({"mad": 1})
    assert {one.topic for one in queue.take(2)} == {"vigil/v1/mad/alarm", "vigil/v1/home/alarm"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=60))
def test_each_gateway_keeps_its_order_and_loses_nothing(sent: list[tuple[str, int]]) -> None:
    queue = FairQueue()
    queue.put([message(gateway, number) for gateway, number in sent])

    taken: list[Arrived] = []
    while len(queue):
        taken += queue.take(7)

    for gateway in "abc":
        wanted = list(dict.fromkeys(number for one, number in sent if one == gateway))
        found = [int(one.payload) for one in taken if one.topic.split("/")[2] == gateway]
        assert found == wanted


def test_closing_frees_whoever_waits() -> None:
    queue = FairQueue()
    taken: list[list[Arrived]] = []
    taking = threading.Thread(target=lambda: taken.append(queue.take(5)))
    taking.start()

    queue.close()

    taking.join(60)
    queue.put(flood("gw", 1))
    assert taken == [[]]
    assert len(queue) == 0


def test_what_rings_goes_before_what_is_over() -> None:
    queue = FairQueue()
    queue.put([ring(f"gw-{number}", number, active=False) for number in range(200)])
    queue.put([ring("home", 1, active=False), ring("home", 2, active=True)])

    group = queue.take(20)

    # With what its gateway said before, and with nobody else's: it is told when its group is.
    assert group == [ring("home", 1, active=False), ring("home", 2, active=True)]
    assert len(queue.take(20)) == 20


def test_ends_do_not_starve_behind_a_flood_that_rings() -> None:
    queue = FairQueue()
    queue.put([ring("home", 1, active=False)])
    for number in range(ENDS_EVERY):
        queue.put([ring("mad", 2 * number + one, active=True) for one in range(2)])
        group = queue.take(2)

    assert ring("home", 1, active=False) in group


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b'{"data": {"Active": false}}', b'[{"active": false}, {"active": true}]'],
)
def test_what_cannot_be_told_by_its_bytes_waits_for_no_turn(payload: bytes) -> None:
    assert not is_end(payload)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40), st.integers(1, 9))
def test_each_gateway_keeps_its_order_whatever_rings(
    sent: list[tuple[str, bool]], most: int
) -> None:
    queue = FairQueue()
    given_ = [ring(gateway, number, active) for number, (gateway, active) in enumerate(sent)]
    queue.put(given_)

    taken: list[Arrived] = []
    while len(queue):
        group = queue.take(most)
        assert group
        taken += group

    for gateway in "abc":
        topic = f"vigil/v1/{gateway}/alarm"
        assert [one for one in taken if one.topic == topic] == [
            one for one in given_ if one.topic == topic
        ]
