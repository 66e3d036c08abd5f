"""The outbox's tables: packs, numbers without gaps, receipts, epochs, bounds."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from edge.outbox_facts import (
    GATEWAY,
    START,
    SYNC,
    add,
    fact,
    open_store,
    reading,
    receipt,
)
from vigil_edge.outbox import Limits
from vigil_edge.packing import UnsendableFact, prepare
from vigil_edge.source import Outgoing
from vigil_schemas.control import ReceiptV1
from vigil_schemas.envelope import decode, encode, observation_type
from vigil_schemas.gateway import CommandResult, ObservationLoss
from vigil_schemas.senml import unpack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Domain, Lane


def test_observations_of_a_device_travel_together(tmp_path: Path) -> None:
    store = open_store(tmp_path / "o.sqlite", Limits(10_000, 10**8, 1))
    add(store, [reading("a", 0)])  # fills the window of one; the rest waits
    add(store, [reading(device, n) for n in range(1, 300) for device in ("a", "b")])

    packs = []
    for sequence in range(1, 6):
        receipt(store, Lane.OBSERVATION, sequence - 1)
        (message,) = store.fetch(Lane.OBSERVATION, 0, 10)
        packs.append(unpack(decode(message.payload).data))

    assert [(device, len(readings)) for device, readings in packs] == [
        ("a", 1),
        ("a", 200),
        ("b", 200),
        ("a", 99),
        ("b", 99),
    ]
    assert [each.value for each in packs[1][1]] == [float(n) for n in range(1, 201)]
    records = decode(message.payload).data
    assert [record.bn is not None for record in records] == [True] + [False] * 98


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
    # Given an outbox that was put back from an old copy: the cloud knows more numbers than it.
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.EVENT, n) for n in range(5)])
    receipt(store, Lane.EVENT, 2)
    before = store.source(Lane.EVENT)

    receipt(store, Lane.EVENT, 40)

    assert store.source(Lane.EVENT) != before
    kept = [decode(each.payload).envelope for each in store.fetch(Lane.EVENT, 0, 9)]
    assert [(each.number, each.id) for each in kept] == [(1, "id-2"), (2, "id-3"), (3, "id-4")]
    add(store, [fact(Lane.EVENT, 5)])
    assert store.issued[Lane.EVENT] == 4


@pytest.mark.parametrize("source", ["/other-gw/event/00000001", f"/{GATEWAY}/event/ffffffff", "x"])
def test_a_receipt_of_another_source_changes_nothing(tmp_path: Path, source: str) -> None:
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.EVENT, 1)])

    assert not store.receipt(ReceiptV1(source=source, stored=9))

    assert store.rows == 1


def test_records_of_losses_do_not_fill_a_full_outbox(tmp_path: Path) -> None:
    # Given an outbox full of events that nobody confirms, and observations that keep coming.
    store = open_store(tmp_path / "o.sqlite", Limits(rows=100, bytes=10**8, window=4))
    add(store, [fact(Lane.EVENT, n) for n in range(100)])

    for number in range(50):
        add(store, [reading("a", number)])

    assert store.rows == 100
    assert store.lost[Lane.OBSERVATION] == 50
    receipt(store, Lane.EVENT, 100)
    (message,) = store.fetch(Lane.EVENT, 0, 9)
    loss = decode(message.payload).data
    assert isinstance(loss, ObservationLoss)
    assert loss.rows == 50
    assert loss.newest == START + timedelta(milliseconds=49)


@pytest.mark.parametrize(
    "wrong",
    [
        Outgoing(Lane.EVENT, observation_type(Domain.WATER), "d", START, reading("d", 1).data),
        Outgoing(Lane.OBSERVATION, observation_type(Domain.WATER), "d", START, []),
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
