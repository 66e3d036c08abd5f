"""The queue between the broker and the writer: bounded in messages and in bytes."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

import servers
from vigil_cloud.ingest.queue import Arrived, Waiting

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def messages(count: int, size: int = 1) -> list[Arrived]:
    return [Arrived("vigil/v1/gw/event", b"x" * size, NOW, 0.0, None) for _ in range(count)]


def test_first_in_first_out_up_to_what_is_asked_for() -> None:
    waiting = Waiting(10)
    first, second = messages(3), messages(2, size=2)
    waiting.put(first)
    waiting.put(second)

    assert waiting.take(4) == [*first, second[0]]
    assert waiting.take(4) == [second[1]]
    assert len(waiting) == 0


@pytest.mark.parametrize("full", [messages(4), messages(1, size=100)], ids=["messages", "bytes"])
def test_who_brings_more_than_fits_waits_until_something_is_taken(full: list[Arrived]) -> None:
    waiting = Waiting(4, capacity_bytes=100)
    waiting.put(full)
    more = threading.Thread(target=waiting.put, args=(messages(1),))
    more.start()
    servers.eventually(more.is_alive, "it waits")
    assert len(waiting) == len(full)

    assert waiting.take(10) == full

    more.join(60)
    assert len(waiting) == 1


def test_closing_frees_both_sides() -> None:
    waiting = Waiting(1)
    waiting.put(messages(1))
    bringing = threading.Thread(target=waiting.put, args=(messages(1),))
    bringing.start()

    waiting.close()

    bringing.join(60)
    assert not bringing.is_alive()
    assert waiting.take(1) == []
    waiting.put(messages(1))
    assert len(waiting) == 0


def test_whoever_lingers_is_woken_when_much_has_come() -> None:
    waiting = Waiting(8)
    waiting.put(messages(1))
    taken: list[list[Arrived]] = []
    taking = threading.Thread(target=lambda: taken.append(waiting.take(8, linger_s=600)))
    taking.start()

    waiting.put(messages(3))

    taking.join(60)
    assert [len(group) for group in taken] == [4]
