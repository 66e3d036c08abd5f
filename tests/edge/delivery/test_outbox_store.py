"""The outbox's tables: packs, numbers without gaps, receipts, epochs, bounds."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from edge.delivery.outbox_facts import (
    GATEWAY,
    START,
    SYNC,
    add,
    fact,
    open_store,
    reading,
    receipt,
    receipt_of,
    sent,
    take_receipt,
)
from vigil_edge.delivery.outbox import Limits, OutboxFull
from vigil_edge.delivery.outbox_store import Store
from vigil_edge.delivery.packing import UnsendableFact, prepare
from vigil_edge.device.seam import Outgoing
from vigil_schemas.contract import observation_type
from vigil_schemas.control import ReceiptV1
from vigil_schemas.envelope import Envelope, decode, encode
from vigil_schemas.gateway import CommandResult, ObservationLoss
from vigil_schemas.senml import SenmlRecord, unpack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Lane


def test_observations_of_a_device_travel_together(tmp_path: Path) -> None:
    store = open_store(tmp_path / "o.sqlite", Limits(10_000, 10**8, 1))
    add(store, [reading("a", 0)])  # fills the window of one; the rest waits
    add(store, [reading(device, n) for n in range(1, 300) for device in ("a", "b")])

    packs = []
    for sequence in range(1, 6):
        receipt(store, Lane.OBSERVATION, sequence - 1)
        (message,) = store.fetch(Lane.OBSERVATION, 0, 10)
        records = decode(message.payload).data
        assert isinstance(records, list)
        packs.append(unpack(records))

    assert [(device, len(readings)) for device, readings in packs] == [
        ("a", 1),
        ("a", 200),
        ("b", 200),
        ("a", 99),
        ("b", 99),
    ]
    assert [each.value for each in packs[1][1]] == [float(n) for n in range(1, 201)]
    named = [isinstance(record, SenmlRecord) and record.bn is not None for record in records]
    assert named == [True] + [False] * 98


def test_an_observation_with_its_own_id_keeps_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "o.sqlite", Limits(10_000, 10**8, 4))
    store.begin()
    store.add([prepare(each, SYNC) for each in (reading("a", 0), reading("a", 1, id="mine"))])
    store.seal()
    store.commit()

    ids = [decode(each.payload).envelope.id for each in store.fetch(Lane.OBSERVATION, 0, 9)]

    assert len(ids) == 2
    assert ids[1] == "mine"


def test_a_receipt_for_numbers_never_given_begins_a_new_epoch(tmp_path: Path) -> None:
    # Given a cloud that knows more numbers of our epoch than we gave: somebody else uses it.
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.EVENT, n) for n in range(5)])
    sent(store, Lane.EVENT)
    receipt(store, Lane.EVENT, 2)
    before = store.source(Lane.EVENT)

    receipt(store, Lane.EVENT, 40)

    assert store.source(Lane.EVENT) != before
    kept = sent(store, Lane.EVENT)
    assert [(each.number, each.id) for each in kept] == [(1, "id-2"), (2, "id-3"), (3, "id-4")]
    add(store, [fact(Lane.EVENT, 5)])
    assert store.issued[Lane.EVENT] == 4


def test_a_receipt_whose_commit_failed_is_taken_again(tmp_path: Path) -> None:
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.ALARM, n) for n in range(6)])
    assert [e.sequence for e in sent(store, Lane.ALARM)] == [f"{n:016d}" for n in range(1, 7)]
    given = receipt_of(store.source(Lane.ALARM), 2, beyond=((4, 4),))
    store.begin()
    assert store.receipt(given)
    store._db.execute("ROLLBACK")  # as SQLite does by itself where a COMMIT finds no room
    store.rollback()

    assert take_receipt(store, given)
    left = {e.id: e.sequence for e in sent(store, Lane.ALARM)}
    assert left == {f"id-{n - 1}": f"{n:016d}" for n in (3, 5, 6)}
    assert store.numbered[Lane.ALARM] == 3


def test_what_nobody_has_seen_does_not_leave_on_a_receipt(tmp_path: Path) -> None:
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.ALARM, n) for n in range(5)])
    store.fetch(Lane.ALARM, 0, 2)

    receipt(store, Lane.ALARM, 4)

    assert [each.id for each in sent(store, Lane.ALARM)] == [f"id-{n}" for n in range(5)]


def test_each_opening_numbers_what_it_finds_anew(tmp_path: Path) -> None:
    # Given alarms with holes among them, as receipts leave them.
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.ALARM, n) for n in range(6)])
    first = sent(store, Lane.ALARM)
    receipt(store, Lane.ALARM, 1, ((3, 4),))
    store.close()

    again = open_store(tmp_path / "o.sqlite")

    found = sent(again, Lane.ALARM)
    assert [(each.number, each.id) for each in found] == [(1, "id-1"), (2, "id-4"), (3, "id-5")]
    assert {each.source for each in found}.isdisjoint({each.source for each in first})
    assert again.issued[Lane.ALARM] == 3


def test_opening_a_file_writes_nothing_into_it(tmp_path: Path) -> None:
    # A disk may be full or read-only: what lies on it is still to be sent.
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.ALARM, 1)])
    store.close()
    before = (tmp_path / "o.sqlite").read_bytes()

    again = open_store(tmp_path / "o.sqlite")
    sent(again, Lane.ALARM)
    again.close()

    assert (tmp_path / "o.sqlite").read_bytes() == before


def test_packs_go_out_again_with_the_same_points_and_id(tmp_path: Path) -> None:
    store = open_store(tmp_path / "o.sqlite")
    add(store, [reading("a", n, 5) for n in range(0, 50, 5)])
    (first,) = store.fetch(Lane.OBSERVATION, 0, 9)
    store.close()

    (again,) = open_store(tmp_path / "o.sqlite").fetch(Lane.OBSERVATION, 0, 9)

    one, two = decode(first.payload), decode(again.payload)
    assert one.envelope.source != two.envelope.source
    assert (one.envelope.id, one.data) == (two.envelope.id, two.data)


def test_a_loss_is_told_under_one_id_from_a_file_that_was_put_back(tmp_path: Path) -> None:
    # Given a full outbox and a copy of its file, in which a loss is recorded and not told.
    limits = Limits(rows=20, bytes=10**8, window=1)
    store = open_store(tmp_path / "o.sqlite", limits)
    add(store, [reading("a", n) for n in range(40)])
    store.checkpoint()
    shutil.copy(tmp_path / "o.sqlite", tmp_path / "copy.sqlite")
    first = told(store)

    # When the copy is opened and more is lost.
    again = open_store(tmp_path / "copy.sqlite", limits)
    add(again, [reading("a", n) for n in range(100, 140)])

    (one, two) = told(again)
    assert one.id == first[0].id, "the same loss: the cloud takes it once"
    assert two.id != one.id, "what is lost since then is told by itself"


def told(store: Store) -> list[Envelope]:
    for _ in range(3):
        sent(store, Lane.OBSERVATION)
        receipt(store, Lane.OBSERVATION, store.numbers[Lane.OBSERVATION].last)
    return [each for each in sent(store, Lane.EVENT) if each.type == ObservationLoss.TYPE]


def test_a_file_of_before_keeps_its_rows_and_its_untold_loss(tmp_path: Path) -> None:
    # Given a file as vigil-edge 0.1 left it.
    path = tmp_path / "o.sqlite"
    store = open_store(path)
    add(store, [fact(Lane.ALARM, 1)])
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        old.execute("DROP TABLE lost")
        old.execute("INSERT INTO loss VALUES (1, 7, 1000000, 2000000)")

    again = open_store(path)
    add(again, [reading("a", 1)])

    assert [each.id for each in sent(again, Lane.ALARM)] == ["id-1"]
    (loss,) = [decode(each.payload).data for each in again.fetch(Lane.EVENT, 0, 9)]
    assert isinstance(loss, ObservationLoss)
    assert loss.rows == 7


@pytest.mark.parametrize("source", ["/other-gw/event/00000001", f"/{GATEWAY}/event/ffffffff", "x"])
def test_a_receipt_of_another_source_changes_nothing(tmp_path: Path, source: str) -> None:
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.EVENT, 1)])

    assert not store.receipt(ReceiptV1(source=source, stored=9))

    assert store.rows == 1


def test_records_of_losses_do_not_fill_a_full_outbox(tmp_path: Path) -> None:
    # Given an outbox full of events that nobody confirms, and observations that keep coming.
    store = open_store(tmp_path / "o.sqlite", Limits(rows=100, bytes=10**8, window=4))
    add(store, [fact(Lane.EVENT, n) for n in range(88)])

    for number in range(50):
        add(store, [reading("a", number)])

    assert store.rows == 88
    assert store.lost[Lane.OBSERVATION] == 50
    sent(store, Lane.EVENT)
    receipt(store, Lane.EVENT, 88)
    (message,) = store.fetch(Lane.EVENT, 0, 9)
    loss = decode(message.payload).data
    assert isinstance(loss, ObservationLoss)
    assert loss.rows == 50
    assert loss.newest == START + timedelta(milliseconds=49)


def full_of_events(path: Path, window: int = 4) -> Store:
    store = open_store(path, Limits(rows=100, bytes=10**8, window=window))
    with contextlib.suppress(OutboxFull):
        for number in range(1000):
            add(store, [fact(Lane.EVENT, number)])
    return store


def test_an_outbox_full_of_events_takes_alarms_from_its_reserve(tmp_path: Path) -> None:
    store = full_of_events(tmp_path / "o.sqlite")
    events = store.numbered[Lane.EVENT]
    assert events == 88

    add(store, [fact(Lane.ALARM, n) for n in range(12)])

    assert store.numbered[Lane.ALARM] == 12
    assert store.numbered[Lane.EVENT] == events, "no event was given up for that"
    with pytest.raises(OutboxFull):
        add(store, [fact(Lane.EVENT, 5000)])


def test_beyond_the_reserve_events_are_given_up_and_told(tmp_path: Path) -> None:
    store = full_of_events(tmp_path / "o.sqlite")
    under_way = store.fetch(Lane.EVENT, 0, 4)

    add(store, [fact(Lane.ALARM, n) for n in range(100)])

    assert store.numbered[Lane.ALARM] == 100
    assert store.rows == 100
    assert store.lost[Lane.EVENT] == 88
    assert [each.sequence for each in under_way] == [1, 2, 3, 4]
    with pytest.raises(OutboxFull):
        add(store, [fact(Lane.ALARM, 100)])
    sent(store, Lane.ALARM)
    receipt(store, Lane.ALARM, 100)
    (loss,) = [decode(each.payload).data for each in store.fetch(Lane.EVENT, 0, 9)]
    assert isinstance(loss, ObservationLoss)
    assert (loss.lane, loss.rows) == (Lane.EVENT, 88)


def test_events_under_way_go_last_and_leave_no_gap(tmp_path: Path) -> None:
    store = full_of_events(tmp_path / "o.sqlite")
    source = store.source(Lane.EVENT)
    store.fetch(Lane.EVENT, 0, 4)

    add(store, [fact(Lane.ALARM, n) for n in range(40)])

    kept = sent(store, Lane.EVENT)
    assert {each.source for each in kept} == {source}
    assert [each.number for each in kept] == list(range(1, len(kept) + 1))
    assert [each.id for each in kept[:5]] == ["id-0", "id-1", "id-2", "id-3", "id-32"]


@pytest.mark.parametrize(
    "wrong",
    [
        Outgoing(Lane.EVENT, observation_type("water"), "d", START, reading("d", 1).data),
        Outgoing(Lane.OBSERVATION, observation_type("water"), "d", START, []),
        Outgoing(Lane.EVENT, SmokeAlarm.TYPE, "d", START, fact(Lane.EVENT, 1).data),
        Outgoing(Lane.EVENT, CommandResult.TYPE, "", START, fact(Lane.EVENT, 1).data),
        Outgoing(
            Lane.EVENT,
            CommandResult.TYPE,
            "d",
            START.replace(tzinfo=None),
            fact(Lane.EVENT, 1).data,
        ),
    ],
)
def test_what_is_not_in_the_contract_is_refused_at_the_door(wrong: Outgoing) -> None:
    with pytest.raises(UnsendableFact):
        prepare(wrong, SYNC)


def test_the_composed_message_is_what_the_contract_encodes(tmp_path: Path) -> None:
    store = open_store(tmp_path / "o.sqlite")
    alarm = fact(Lane.ALARM, 3)
    add(store, [alarm])

    (message,) = store.fetch(Lane.ALARM, 0, 1)

    expected = encode(
        id="id-3",
        source=store.source(Lane.ALARM),
        type=alarm.type,
        subject=alarm.subject,
        time=alarm.time,
        data=alarm.data,
        sequence=1,
    )
    assert json.loads(message.payload) == json.loads(expected)
