"""Whatever is accepted, delivered, receipted or cut short: nothing is lost, none told twice."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.outbox_facts import (
    START,
    SYNC,
    add,
    fact,
    open_store,
    reading,
    receipt,
)
from vigil_edge.outbox import Limits, OutboxFull
from vigil_edge.packing import PACK_RECORDS, prepare
from vigil_schemas.envelope import decode
from vigil_schemas.gateway import ObservationLoss
from vigil_schemas.senml import unpack
from vigil_schemas.types import Lane


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
