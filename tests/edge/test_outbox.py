"""The outbox: nothing accepted is lost, numbers have no gaps, the disk stays bounded."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vigil_edge.outbox import Limits, Outbox, OutboxFailed, OutboxFull
from vigil_edge.outbox_store import Store
from vigil_edge.packing import PACK_RECORDS, UnsendableFact, prepare
from vigil_edge.source import Outgoing
from vigil_schemas.control import Receipt
from vigil_schemas.envelope import decode, encode, observation_type
from vigil_schemas.gateway import CommandResult, ObservationLoss
from vigil_schemas.senml import Reading, pack, unpack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import ClockQuality, Domain, Lane, QartodFlag

START = datetime(2026, 1, 1, tzinfo=UTC)
GATEWAY = "gw-outbox"
SYNC = ClockQuality.SYNCHRONISED


def reading(device: str, number: int, count: int = 1, id: str | None = None) -> Outgoing:
    times = [START + timedelta(milliseconds=number + n) for n in range(count)]
    readings = [
        Reading("level", "m", time, float(number + n), QartodFlag.GOOD)
        for n, time in enumerate(times)
    ]
    kind = observation_type(Domain.WATER)
    return Outgoing(Lane.OBSERVATION, kind, device, times[0], pack(device, readings), id)


def fact(lane: Lane, number: int) -> Outgoing:
    if lane is Lane.ALARM:
        alarm = SmokeAlarm(
            alarm_id=f"alarm-{number:06d}", condition="smoke", active=True, since=START
        )
        return Outgoing(lane, SmokeAlarm.TYPE, "home-1", START, alarm, f"id-{number}")
    result = CommandResult(command_id=f"command-{number:06d}", accepted=True)
    return Outgoing(lane, CommandResult.TYPE, GATEWAY, START, result, f"id-{number}")


def open_store(path: Path, limits: Limits = Limits(100_000, 10**9, 8)) -> Store:
    ids = (f"new-{number}" for number in itertools.count())
    epochs = (f"{number:08x}" for number in itertools.count(1))
    return Store(
        path,
        GATEWAY,
        limits,
        new_epoch=lambda: next(epochs),
        new_id=lambda: next(ids),
        now_us=lambda: 1_767_225_600_000_000,
    )


def add(store: Store, facts: list[Outgoing], device: str = "", **state: bytes) -> None:
    store.begin()
    try:
        store.add([prepare(each, SYNC) for each in facts], device, state)
    finally:
        store.seal()
        store.commit()


def receipt(
    store: Store, lane: Lane, stored: int, beyond: tuple[tuple[int, int], ...] = ()
) -> None:
    store.begin()
    store.receipt(Receipt(source=store.source(lane), stored=stored, beyond=list(beyond)))
    store.seal()
    store.commit()


class OutboxMachine(RuleBasedStateMachine):
    """A gateway, a lossy broker and a cloud that remembers what it stored."""

    limits = Limits(rows=60, bytes=30_000, window=4)

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "outbox.sqlite"
        self.store = open_store(self.path, self.limits)
        self.number = 0
        self.firm: list[str] = []
        self.accepted: dict[str, list[float]] = defaultdict(list)
        self.accepted_rows = 0
        self.cloud: dict[Lane, dict[int, bytes]] = {lane: {} for lane in Lane}
        self.state = b""

    def teardown(self) -> None:
        self.receive_all()
        self.judge()
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(lane=st.sampled_from([Lane.ALARM, Lane.EVENT]), count=st.integers(1, 4))
    def accept_firm(self, lane: Lane, count: int) -> None:
        facts = [fact(lane, self.number + n) for n in range(count)]
        self.number += count
        kept = str(self.number).encode()
        try:
            add(self.store, facts, "d", place=kept)
        except OutboxFull:
            assert self.store.waiting == 0, "refused while observations could have been thinned"
            return
        self.firm += [str(each.id) for each in facts]
        self.state = kept

    @rule(device=st.sampled_from(["a", "b"]), rows=st.integers(1, 20), size=st.integers(1, 120))
    def accept_observations(self, device: str, rows: int, size: int) -> None:
        facts = []
        for _ in range(rows):
            facts.append(reading(device, self.number, size))
            self.accepted[device] += [float(self.number + n) for n in range(size)]
            self.number += size
        self.accepted_rows += rows
        add(self.store, facts)

    @rule(lane=st.sampled_from(list(Lane)), data=st.data())
    def deliver(self, lane: Lane, data: st.DataObject) -> None:
        self.store.begin()
        messages = self.store.fetch(lane, 0, 50)
        self.store.commit()
        arrived = data.draw(st.sets(st.sampled_from(messages), max_size=8)) if messages else set()
        for message in arrived:
            known = self.cloud[lane].setdefault(message.sequence, message.payload)
            assert known == message.payload, "one number, two contents"
        if data.draw(st.booleans(), "receipt arrives"):
            self.send_receipt(lane)

    def send_receipt(self, lane: Lane) -> None:
        stored = 0
        while stored + 1 in self.cloud[lane]:
            stored += 1
        beyond = tuple((number, number) for number in sorted(self.cloud[lane]) if number > stored)
        receipt(self.store, lane, stored, beyond)

    @rule()
    def power_cut_in_a_transaction(self) -> None:
        self.store.begin()
        with contextlib.suppress(OutboxFull):
            self.store.add([prepare(fact(Lane.EVENT, 999_999), SYNC)], "d", {"place": b"never"})
        self.store._db.close()  # what was not committed is gone, as after a power cut
        self.store = open_store(self.path, self.limits)

    @invariant()
    def bounded(self) -> None:
        assert self.store.rows <= self.limits.rows
        # Merging rewrites each reading's time against the pack's base: a few digits more.
        assert self.store.bytes <= self.limits.bytes + self.limits.window * PACK_RECORDS * 4
        assert self.store.states().get(("d", "place"), b"") == self.state

    def receive_all(self) -> None:
        while self.store.rows:
            for lane in Lane:
                self.store.begin()
                for message in self.store.fetch(lane, 0, 1000):
                    self.cloud[lane].setdefault(message.sequence, message.payload)
                self.store.commit()
                self.send_receipt(lane)

    def judge(self) -> None:
        arrived: list[str] = []
        observed: dict[str, list[float]] = defaultdict(list)
        told_lost = 0
        for lane in Lane:
            messages = [decode(self.cloud[lane][n]) for n in sorted(self.cloud[lane])]
            assert sorted(self.cloud[lane]) == list(range(1, self.store.issued[lane] + 1))
            for envelope, data in messages:
                if isinstance(data, ObservationLoss):
                    told_lost += data.rows
                elif isinstance(data, list):
                    device, readings = unpack(data)
                    assert device == envelope.subject
                    for each in readings:
                        assert each.value is not None
                        assert each.time == START + timedelta(milliseconds=each.value)
                        observed[device].append(each.value)
                else:
                    arrived.append(envelope.id)
        assert sorted(arrived) == sorted(self.firm), "alarms and events: each, once"
        assert told_lost == self.store.lost[Lane.OBSERVATION]
        for device, values in observed.items():
            assert values == sorted(set(values)), "in order, none twice"
            assert set(values) <= set(self.accepted[device])
        lost = sum(map(len, self.accepted.values())) - sum(map(len, observed.values()))
        assert (lost > 0) == (told_lost > 0), "no loss without its record"


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


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

    assert not store.receipt(Receipt(source=source, stored=9))

    assert store.rows == 1


async def outbox_at(path: Path, window: int = 64) -> Outbox:
    numbers = itertools.count()
    return await Outbox.open(
        path,
        GATEWAY,
        Limits(100_000, 10**9, window),
        new_epoch=lambda: "0badcafe",
        new_id=lambda: f"new-{next(numbers)}",
        now_us=lambda: 0,
    )


async def test_many_pipelines_share_commits(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    commits = 0
    commit = outbox._store.commit

    def counted() -> None:
        nonlocal commits
        commits += 1
        commit()

    outbox._store.commit = counted
    await asyncio.gather(
        *(outbox.accept(f"d{n}", [fact(Lane.EVENT, n)], {"n": b"1"}, SYNC) for n in range(500))
    )

    assert outbox.issued[Lane.EVENT] == 500
    assert commits < 250
    assert outbox.state("d499", "n") == b"1"
    await outbox.close()


async def test_one_bad_fact_does_not_hurt_its_neighbours(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    alien = Outgoing(Lane.EVENT, "city.vigil.alien.v1", "d", START, fact(Lane.EVENT, 1).data)

    results = await asyncio.gather(
        outbox.accept("a", [fact(Lane.EVENT, 1)], None, SYNC),
        outbox.accept("b", [alien], {"place": b"bad"}, SYNC),
        outbox.accept("c", [fact(Lane.EVENT, 2)], None, SYNC),
        return_exceptions=True,
    )

    assert [type(each) for each in results] == [type(None), UnsendableFact, type(None)]
    assert outbox.issued[Lane.EVENT] == 2
    assert outbox.state("b", "place") is None
    await outbox.close()


async def test_a_cancelled_pipeline_leaves_the_state_that_is_on_disk(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    task = asyncio.create_task(outbox.accept("d", [fact(Lane.EVENT, 1)], {"n": b"7"}, SYNC))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    kept = outbox.state("d", "n")
    await outbox.close()
    reopened = await outbox_at(tmp_path / "o.sqlite")

    assert reopened.state("d", "n") == kept
    assert reopened.issued[Lane.EVENT] == (1 if kept else 0)
    await reopened.close()


async def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    path.write_bytes(b"this is not a database, it only sits where one should be" * 100)

    outbox = await outbox_at(path)

    assert outbox.replaced is not None
    assert outbox.replaced.read_bytes().startswith(b"this is not")
    await outbox.accept("d", [fact(Lane.ALARM, 1)], None, SYNC)
    await outbox.close()


async def test_depths_say_what_waits_since_when(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    await outbox.accept("d", [fact(Lane.ALARM, 1), reading("a", 5), reading("b", 6)], None, SYNC)

    depths = {depth.lane: depth for depth in await outbox.depths()}

    assert depths[Lane.ALARM].rows == 1
    assert depths[Lane.OBSERVATION].rows == 2
    assert depths[Lane.OBSERVATION].oldest == START + timedelta(milliseconds=5)
    assert depths[Lane.EVENT].oldest is None
    await outbox.close()


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
