"""The outbox over a disk that is full, refuses, goes away or tears the file."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from edge.delivery.outbox_facts import (
    SYNC,
    add,
    fact,
    open_store,
    outbox_at,
    reading,
)
from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull
from vigil_edge.delivery.outbox_file import Reserve, put_aside
from vigil_edge.delivery.packing import prepare
from vigil_schemas.control import ReceiptV1
from vigil_schemas.envelope import decode
from vigil_schemas.gateway import ObservationLoss
from vigil_schemas.types import Lane


async def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    path.write_bytes(b"this is not a database, it only sits where one should be" * 100)

    outbox = await outbox_at(path)

    assert outbox.replaced is not None
    assert outbox.replaced.read_bytes().startswith(b"this is not")
    await outbox.accept("d", [fact(Lane.ALARM, 1)], None, SYNC)
    await outbox.close()


async def test_a_full_disk_gives_up_observations_for_an_alarm(tmp_path: Path) -> None:
    # Given a disk that is full long before the outbox's own bound, as SQLite itself reports it.
    outbox = await outbox_at(tmp_path / "o.sqlite", window=4)
    outbox._store._db.execute("PRAGMA max_page_count = 120")
    number = 0
    while not (await outbox.depths())[2].lost:
        await outbox.accept("d", [reading("d", number, 200)], None, SYNC)
        number += 200

    await outbox.accept("d", [fact(Lane.ALARM, 1)], None, SYNC)

    depths = {depth.lane: depth for depth in await outbox.depths()}
    assert depths[Lane.ALARM].rows == 1
    assert depths[Lane.OBSERVATION].rows > 0
    await outbox.close()


async def test_a_disk_full_of_events_gives_some_up_for_an_alarm(tmp_path: Path) -> None:
    # Given a disk that is full to the last page, of events alone, as SQLite itself reports it.
    outbox = await outbox_at(tmp_path / "o.sqlite", window=4)
    outbox._store._db.execute("PRAGMA max_page_count = 60")
    number = 0
    with contextlib.suppress(OutboxFailed, OutboxFull):
        while True:
            await outbox.accept("d", [fact(Lane.EVENT, number)], None, SYNC)
            number += 1
    events = (await outbox.depths())[1].rows

    taken = 0
    with contextlib.suppress(OutboxFailed, OutboxFull):
        while taken < events:
            await outbox.accept("d", [fact(Lane.ALARM, taken)], None, SYNC)
            taken += 1

    alarms, kept, _ = await outbox.depths()
    assert alarms.rows == taken > events // 2
    assert kept.lost == events, "refused only once nothing but alarms was left"
    told = [decode(each.payload).data for each in await outbox.fetch(Lane.EVENT, 0, 1000)]
    assert {type(each) for each in told} == {ObservationLoss}
    await outbox.close()


async def test_a_refusing_disk_is_said_and_the_outbox_lives_on(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    outbox._store._db.execute("PRAGMA query_only = ON")

    with pytest.raises(OutboxFailed):
        await outbox.accept("d", [fact(Lane.ALARM, 1)], {"n": b"1"}, SYNC)

    assert outbox.state("d", "n") is None
    outbox._store._db.execute("PRAGMA query_only = OFF")
    await outbox.accept("d", [fact(Lane.ALARM, 2)], {"n": b"2"}, SYNC)
    (kept,) = await outbox.fetch(Lane.ALARM, 0, 9)
    assert decode(kept.payload).envelope.id == "id-2"
    await outbox.close()


async def test_what_waits_is_sent_from_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    # Given a disk that is full to the last page, of alarms and events: nothing can be given up.
    outbox = await outbox_at(tmp_path / "o.sqlite", window=4)
    pages = outbox._store._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._store._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    kept = 0
    with contextlib.suppress(OutboxFailed):
        while True:
            await outbox.accept("d", [fact(Lane.EVENT, kept)], None, SYNC)
            kept += 1

    # Then it connects, sends, and lets go of what the cloud has: which makes room again.
    assert [await outbox.next_session(), await outbox.next_session()] == [1, 2]
    sent = await outbox.fetch(Lane.EVENT, 0, 1000)
    assert [each.sequence for each in sent] == list(range(1, kept + 1))
    source = outbox._store.source(Lane.EVENT)
    assert await outbox.receipt(ReceiptV1(source=source, stored=kept))
    await outbox.accept("d", [fact(Lane.ALARM, 1)], None, SYNC)
    (alarm,) = await outbox.fetch(Lane.ALARM, 0, 9)
    assert decode(alarm.payload).envelope.id == "id-1"
    await outbox.close()


async def test_sessions_go_on_counting_over_a_refusing_disk(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    await outbox.next_session()
    outbox._store._db.execute("PRAGMA query_only = ON")

    assert [await outbox.next_session(), await outbox.next_session()] == [2, 3]

    outbox._store._db.execute("PRAGMA query_only = OFF")
    assert await outbox.next_session() == 4
    await outbox.close()


async def test_a_disk_that_went_away_and_came_back_is_taken_up_again(tmp_path: Path) -> None:
    # Given a handle that is good for nothing any more, as after a cable was pulled.
    outbox = await outbox_at(tmp_path / "o.sqlite")
    await outbox.accept("d", [fact(Lane.ALARM, 1)], {"n": b"1"}, SYNC)
    outbox._store._db.close()
    away = tmp_path / "o.sqlite"
    away.rename(tmp_path / "elsewhere")
    away.mkdir()
    with pytest.raises(OutboxFailed):
        await outbox.accept("d", [fact(Lane.ALARM, 2)], {"n": b"2"}, SYNC)
    assert outbox.issued[Lane.ALARM] == 1

    away.rmdir()
    (tmp_path / "elsewhere").rename(away)
    await outbox.accept("d", [fact(Lane.ALARM, 3)], {"n": b"3"}, SYNC)

    kept = [decode(each.payload).envelope for each in await outbox.fetch(Lane.ALARM, 0, 9)]
    assert [(each.number, each.id) for each in kept] == [(1, "id-1"), (2, "id-3")]
    assert outbox.replaced is None
    await outbox.close()


async def test_a_file_that_tears_while_we_run_has_a_successor(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    outbox = await outbox_at(path)
    told: list[Path] = []
    outbox.on_replaced = told.append
    await outbox.accept("d", [fact(Lane.ALARM, n) for n in range(50)], {"n": b"50"}, SYNC)
    outbox._store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox._store._db.execute("PRAGMA shrink_memory")
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))

    await outbox.accept("e", [fact(Lane.ALARM, 99)], {"m": b"1"}, SYNC)

    assert told == [outbox.replaced] == [path.with_name("o.sqlite.damaged-1")]
    (kept,) = await outbox.fetch(Lane.ALARM, 0, 9)
    assert decode(kept.payload).envelope.id == "id-99"
    await outbox.close()
    reopened = await outbox_at(path)
    assert (reopened.state("d", "n"), reopened.state("e", "m")) == (b"50", b"1")
    await reopened.close()


def test_damaged_files_do_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    for number in range(1, 12):
        path.write_bytes(b"damage number %d" % number)
        path.with_name("o.sqlite-wal").touch()
        assert put_aside(path) == tmp_path / f"o.sqlite.damaged-{number}"

    assert {each.name for each in tmp_path.iterdir()} == {
        f"o.sqlite.damaged-{number}{suffix}" for number in (10, 11) for suffix in ("", "-wal")
    }


def test_figures_are_read_again_after_a_transaction_that_was_never_written(tmp_path: Path) -> None:
    store = open_store(tmp_path / "o.sqlite")
    add(store, [fact(Lane.EVENT, 1)])
    store.begin()
    store.add([prepare(fact(Lane.EVENT, 2), SYNC)])
    assert store.issued[Lane.EVENT] == 2

    store.rollback()

    add(store, [fact(Lane.EVENT, 3)])
    assert [each.sequence for each in store.fetch(Lane.EVENT, 0, 9)] == [1, 2]
    store.close()


async def test_a_refused_fact_costs_no_observation(tmp_path: Path) -> None:
    # Given an outbox full of observations, and more alarms at once than it could ever hold.
    outbox = await outbox_at(tmp_path / "o.sqlite", window=1, rows=100)
    await outbox.accept("d", [reading("a", n) for n in range(100)], None, SYNC)
    before = {depth.lane: depth for depth in await outbox.depths()}

    with pytest.raises(OutboxFull):
        await outbox.accept("d", [fact(Lane.ALARM, n) for n in range(101)], {"n": b"1"}, SYNC)

    assert {depth.lane: depth for depth in await outbox.depths()} == before
    assert outbox.state("d", "n") is None
    await outbox.close()


async def test_a_disk_that_was_full_is_not_filled_again(tmp_path: Path) -> None:
    # Given a disk that was full at some bytes of observations.
    outbox = await outbox_at(tmp_path / "o.sqlite", window=1)
    await outbox.accept("d", [reading("d", n, 20) for n in range(0, 2000, 20)], None, SYNC)
    store = outbox._store
    store.bounds.tighten(store.bytes, reserve=2000)
    full = store.bytes

    # Then further ones cost older ones, alarms have half the reserve, and that is all there is.
    await outbox.accept("d", [reading("d", n, 20) for n in range(2000, 3000, 20)], None, SYNC)
    assert store.bytes <= full
    assert store.lost[Lane.OBSERVATION] > 0
    store.begin()
    store.thin(1000, 0)
    store.commit()
    kept = 0
    with contextlib.suppress(OutboxFull):
        while True:
            await outbox.accept("d", [fact(Lane.ALARM, kept)], None, SYNC)
            kept += 1
    assert full < store.bytes <= full + 1000
    await outbox.close()


def test_the_reserve_is_laid_by_given_up_and_adopted(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite.reserve"
    reserve = Reserve(path)
    assert reserve.hold()
    size = path.stat().st_size
    assert size == reserve.size > 0
    assert path.stat().st_blocks * 512 >= size, "real room, not a hole"

    assert Reserve(path).hold()
    assert path.stat().st_size == size

    assert reserve.release()
    assert not path.exists()
    assert not reserve.release()


async def test_a_reserve_is_given_up_when_the_file_finds_no_room_at_its_opening(
    tmp_path: Path,
) -> None:
    path = tmp_path / "o.sqlite"
    Reserve(path.with_name("o.sqlite.reserve")).hold()
    path.mkdir()  # it cannot be opened

    with pytest.raises(OutboxFailed):
        await outbox_at(path)

    assert not path.with_name("o.sqlite.reserve").exists()
