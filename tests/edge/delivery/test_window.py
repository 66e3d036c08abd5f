"""The window of one lane: everything is delivered in the end, whatever the way loses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.delivery.outbox import Sendable
from vigil_edge.delivery.window import (
    GAP_S,
    PROBE_FIRST_S,
    PROBE_LAST_S,
    RESEND_FIRST_S,
    RESEND_LAST_S,
    Window,
)
from vigil_schemas.types import Lane


def messages(first: int, last: int) -> list[Sendable]:
    return [Sendable(Lane.EVENT, n, b"%d" % n) for n in range(first, last + 1)]


def send_all(window: Window, now: float) -> list[int]:
    sent = []
    while (message := window.next()) is not None:
        window.sent(message.sequence, now)
        sent.append(message.sequence)
    return sent


def test_nothing_is_sent_twice_while_receipts_may_still_come() -> None:
    window = Window(8)
    window.add(messages(1, 8))

    assert send_all(window, 0.0) == list(range(1, 9))
    window.tick(RESEND_FIRST_S - 0.1)
    assert send_all(window, RESEND_FIRST_S - 0.1) == []
    assert window.room == 0


def test_without_receipts_all_is_sent_again_ever_more_patiently() -> None:
    window = Window(4)
    window.add(messages(1, 3))
    send_all(window, 0.0)
    now, pauses = 0.0, []

    for _ in range(7):
        due = window.due()
        assert due is not None
        pauses.append(due - now)
        now = due
        window.tick(now)
        assert send_all(window, now) == [1, 2, 3]

    assert pauses == [5, 10, 20, 40, 60, 60, 60]
    assert max(pauses) == RESEND_LAST_S


def test_an_alarm_without_a_receipt_is_sent_again_within_seconds() -> None:
    window = Window(4, probing=True)
    window.add(messages(1, 1))
    send_all(window, 0.0)
    now, pauses = 0.0, []
    for _ in range(6):
        due = window.due()
        assert due is not None
        pauses.append(due - now)
        now = due
        window.tick(now)
        assert send_all(window, now) == [1]
    assert max(pauses) <= PROBE_LAST_S
    assert pauses[0] == PROBE_FIRST_S


def test_ten_thousand_alarms_and_no_cloud_for_hours_are_no_storm() -> None:
    window = Window(500, probing=True)
    window.add(messages(1, 500))  # the window; the others wait in the outbox
    send_all(window, 0.0)
    now, sent = 0.0, 0
    while now < 3600:
        due = window.due()
        assert due is not None
        assert due - now <= PROBE_LAST_S
        now = due
        window.tick(now)
        sent += len(send_all(window, now))
    assert sent / 3600 < 10  # a second; all of it each minute as before, and the probes
    # The cloud is back: a probe's receipt brings everything else at once.
    due = window.due()
    assert due is not None
    window.tick(due)
    probed = send_all(window, due)
    window.receipt(0, [(probed[0], probed[-1])], due + GAP_S)
    assert len(send_all(window, due + GAP_S)) == 500 - len(probed)


def test_a_new_alarm_is_a_probe_of_its_own() -> None:
    window = Window(8, probing=True)
    window.add(messages(1, 1))
    send_all(window, 0.0)
    for moment in (2.0, 6.0, 14.0):
        window.tick(moment)
        send_all(window, moment)
    window.tick(16.0)
    send_all(window, 16.0)
    window.add(messages(2, 2))
    send_all(window, 17.0)
    assert window.due() == 17.0 + PROBE_FIRST_S


def test_a_receipt_gives_room_and_new_patience() -> None:
    window = Window(4)
    window.add(messages(1, 4))
    send_all(window, 0.0)
    window.tick(5.0)
    send_all(window, 5.0)

    window.receipt(3, [], 6.0)

    assert (window.room, window.due()) == (3, 6.0 + RESEND_FIRST_S)
    window.receipt(4, [], 7.0)
    assert (len(window), window.due()) == (0, None)


def test_what_a_receipt_skips_is_sent_again_once_it_had_time_to_arrive() -> None:
    window = Window(8)
    window.add(messages(1, 6))
    send_all(window, 0.0)

    window.receipt(1, [(4, 5)], 0.5)
    assert send_all(window, 0.5) == []  # 2 and 3 may be in another ingest's hands
    window.receipt(1, [(4, 5)], GAP_S)

    assert send_all(window, GAP_S) == [2, 3]


def test_a_new_connection_sends_what_was_under_way() -> None:
    window = Window(8)
    window.add(messages(1, 3))
    send_all(window, 0.0)
    window.receipt(1, [], 0.1)

    window.reconnected()

    assert send_all(window, 1.0) == [2, 3]


@given(st.data())
def test_a_lossy_way_delivers_everything(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 6))
    total = data.draw(st.integers(1, 30))
    window = Window(size, probing=data.draw(st.booleans()))
    stored: set[int] = set()
    now = 0.0
    for step in range(400):
        lossless = step > 100
        if window.room and window.fetched < total:
            window.add(messages(window.fetched + 1, min(total, window.fetched + window.room)))
        assert len(window) <= size
        for sequence in send_all(window, now):
            if lossless or data.draw(st.booleans(), "arrives"):
                stored.add(sequence)
        if lossless or data.draw(st.booleans(), "receipt"):
            mark = 0
            while mark + 1 in stored:
                mark += 1
            window.receipt(mark, [(n, n) for n in sorted(stored) if n > mark], now)
        now += 7.0
        window.tick(now)
        if len(stored) == total and not len(window):
            break
    assert stored == set(range(1, total + 1))
