"""Whatever is accepted, delivered, receipted, cut short or put back from an old copy: nothing is
lost that was on the disk, and nothing is told twice."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.delivery.outbox_facts import (
    START,
    SYNC,
    add,
    fact,
    open_store,
    reading,
    receipt_of,
    take_receipt,
)
from vigil_edge.delivery.outbox import Limits, OutboxFull
from vigil_edge.delivery.packing import PACK_RECORDS, prepare
from vigil_schemas.envelope import Message, decode
from vigil_schemas.gateway import ObservationLoss
from vigil_schemas.senml import unpack
from vigil_schemas.types import Lane


class Cloud:
    """Stores by source and number; takes an event id once and a point once."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[int, bytes]] = defaultdict(dict)
        self.events: dict[str, Message] = {}
        self.points: dict[str, set[float]] = defaultdict(set)

    def take(self, source: str, sequence: int, payload: bytes) -> None:
        known = self.stored[source].setdefault(sequence, payload)
        assert known == payload, "one number, two contents"
        message = decode(payload)
        assert (message.envelope.source, message.envelope.number) == (source, sequence)
        if isinstance(message.data, list):
            device, readings = unpack(message.data)
            assert device == message.envelope.subject
            for each in readings:
                assert each.value is not None
                assert each.time == START + timedelta(milliseconds=each.value)
                self.points[device].add(each.value)
        else:
            self.events.setdefault(message.envelope.id, message)

    def receipt(self, source: str) -> tuple[int, tuple[tuple[int, int], ...]]:
        numbers = self.stored[source]
        stored = 0
        while stored + 1 in numbers:
            stored += 1
        return stored, tuple((number, number) for number in sorted(numbers) if number > stored)

    def told_lost(self, lane: Lane) -> int:
        losses = [m.data for m in self.events.values() if isinstance(m.data, ObservationLoss)]
        return sum(loss.rows for loss in losses if (loss.lane or Lane.OBSERVATION) is lane)


class Accepted:
    """What pipelines were told is kept."""

    def __init__(self) -> None:
        self.alarms: set[str] = set()
        self.events: set[str] = set()
        self.points: dict[str, set[float]] = defaultdict(set)

    def copy(self) -> Accepted:
        copied = Accepted()
        copied.alarms, copied.events = set(self.alarms), set(self.events)
        copied.points.update({device: set(values) for device, values in self.points.items()})
        return copied


class OutboxMachine(RuleBasedStateMachine):
    """A gateway whose disk may fall back in time, a lossy broker, a cloud that remembers."""

    limits = Limits(rows=60, bytes=30_000, window=4)

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "outbox.sqlite"
        self.store = open_store(self.path, self.limits)
        self.cloud = Cloud()
        self.accepted = Accepted()
        self.number = 0
        self.state = b""
        self.copied: tuple[Accepted, bytes] | None = None
        self.fell_back = False
        self.epochs = {self.store.epoch}
        self.late: list[tuple[str, int]] = []

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
            assert lane is Lane.EVENT or not self.events_waiting(), "an alarm refused for events"
            return
        kind = self.accepted.alarms if lane is Lane.ALARM else self.accepted.events
        kind |= {str(each.id) for each in facts}
        self.state = kept

    def events_waiting(self) -> list[bytes]:
        self.store.begin()
        found = self.store.fetch(Lane.EVENT, 0, 1000)
        self.store.commit()
        return [m.payload for m in found if ObservationLoss.TYPE.encode() not in m.payload]

    @rule(device=st.sampled_from(["a", "b"]), rows=st.integers(1, 20), size=st.integers(1, 120))
    def accept_observations(self, device: str, rows: int, size: int) -> None:
        facts = []
        for _ in range(rows):
            facts.append(reading(device, self.number, size))
            self.accepted.points[device] |= {float(self.number + n) for n in range(size)}
            self.number += size
        add(self.store, facts)

    @rule(lane=st.sampled_from(list(Lane)), data=st.data())
    def deliver(self, lane: Lane, data: st.DataObject) -> None:
        self.store.begin()
        messages = self.store.fetch(lane, 0, 50)
        self.store.commit()
        arrived = data.draw(st.sets(st.sampled_from(messages), max_size=8)) if messages else set()
        source = self.store.source(lane)
        for message in arrived:
            self.cloud.take(source, message.sequence, message.payload)
        if data.draw(st.booleans(), "receipt arrives"):
            self.send_receipt(source)

    def send_receipt(self, source: str) -> bool:
        return take_receipt(self.store, receipt_of(source, *self.cloud.receipt(source)))

    @precondition(lambda self: len(self.cloud.stored) > 1)
    @rule(data=st.data())
    def receipt_of_an_earlier_epoch(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.cloud.stored)))
        rows = self.store.rows
        if source.rpartition("/")[2] != self.store.epoch:
            # Without sealing: that may write down a loss, which is one row more.
            self.store.begin()
            assert not self.store.receipt(receipt_of(source, *self.cloud.receipt(source)))
            assert self.store.rows == rows
            self.store.commit()

    @rule()
    def power_cut_in_a_transaction(self) -> None:
        self.store.begin()
        with contextlib.suppress(OutboxFull):
            self.store.add([prepare(fact(Lane.EVENT, 999_999), SYNC)], "d", {"place": b"never"})
        self.reopen()  # what was not committed is gone

    @rule()
    def rolled_back(self) -> None:
        self.store.begin()
        with contextlib.suppress(OutboxFull):
            self.store.add([prepare(fact(Lane.ALARM, 999_999), SYNC)])
        self.store.fetch(Lane.ALARM, 0, 50)
        self.store.rollback()
        self.store.begin()  # the figures are read again with the next transaction
        self.store.commit()

    def reopen(self) -> None:
        self.store._db.close()
        self.store = open_store(self.path, self.limits)
        assert self.store.epoch not in self.epochs
        self.epochs.add(self.store.epoch)

    @rule()
    def copy(self) -> None:
        self.store.checkpoint()
        shutil.copy(self.path, self.folder / "copy")
        self.copied = self.accepted.copy(), self.state

    @precondition(lambda self: self.copied is not None)
    @rule()
    def fall_back(self) -> None:
        """What was accepted since the copy is gone with the card, unless it had arrived."""
        assert self.copied is not None
        self.store.close()
        shutil.copy(self.folder / "copy", self.path)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.reopen()
        accepted, self.state = self.copied
        self.accepted = accepted.copy()
        self.fell_back = True

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
                messages = self.store.fetch(lane, 0, 1000)
                self.store.commit()
                for message in messages:
                    self.cloud.take(self.store.source(lane), message.sequence, message.payload)
                self.send_receipt(self.store.source(lane))

    def judge(self) -> None:
        for lane in Lane:
            numbers = sorted(self.cloud.stored[self.store.source(lane)])
            assert numbers == list(range(1, self.store.issued[lane] + 1))
        assert self.accepted.alarms <= set(self.cloud.events), "every alarm"
        missing = self.accepted.events - set(self.cloud.events)
        assert len(missing) <= self.cloud.told_lost(Lane.EVENT), "no event given up untold"
        gone = sum(
            len(values - self.cloud.points[device])
            for device, values in self.accepted.points.items()
        )
        assert not gone or self.cloud.told_lost(Lane.OBSERVATION), "no loss without its record"
        if not self.fell_back:
            assert len(missing) == self.cloud.told_lost(Lane.EVENT)
            for lane in (Lane.EVENT, Lane.OBSERVATION):
                assert self.cloud.told_lost(lane) == self.store.lost[lane]


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
