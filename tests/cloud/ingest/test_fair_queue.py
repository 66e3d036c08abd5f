"""Alarms that wait: gateways take turns, and a flood is sent again by whoever made it."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.ingest.fair_queue import FairQueue
from vigil_cloud.ingest.queue import Arrived

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def message(gateway: str, number: int, size: int = 8) -> Arrived:
    payload = f"{number:0{size}d}".encode()
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
