"""Whose turn it is to write."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from servers import eventually
from vigil_cloud.database.engine import (
    URGENT,
    build_engine,
    build_sessions,
    lock_for_writing,
    writing,
)
from vigil_cloud.database.gate import WriteGate


def queued(gate: WriteGate) -> int:
    return len(gate._urgent) + len(gate._others)


def entering(gate: WriteGate, name: str, order: list[str], *, urgent: bool) -> threading.Thread:
    """A writer that has queued; it notes its turn and gives it up at once."""

    def enter() -> None:
        assert gate.enter(urgent=urgent)
        order.append(name)
        gate.leave()

    before = queued(gate)
    thread = threading.Thread(target=enter)
    thread.start()
    eventually(lambda: queued(gate) == before + 1, f"{name} waits")
    return thread


def test_who_is_urgent_goes_first_and_the_others_in_their_order() -> None:
    gate, order = WriteGate(patience_s=30, urgent_patience_s=30), list[str]()
    assert gate.enter(urgent=False)
    waiting = [
        entering(gate, name, order, urgent=name.startswith("alarm"))
        for name in ("visit", "person", "alarm 1", "mail", "alarm 2")
    ]

    gate.leave()
    for thread in waiting:
        thread.join(60)

    assert order == ["alarm 1", "alarm 2", "visit", "person", "mail"]


def test_an_alarm_does_not_wait_for_a_long_transaction_where_many_may_write() -> None:
    gate = WriteGate(patience_s=30, urgent_patience_s=0)
    assert gate.enter(urgent=False)

    assert not gate.enter(urgent=True), "it goes on without its turn"


def test_who_waited_too_long_leaves_no_trace() -> None:
    gate = WriteGate(patience_s=0.01, urgent_patience_s=30)
    assert gate.enter(urgent=True)
    assert not gate.enter(urgent=False)
    gate.leave()

    assert gate.enter(urgent=False)


@pytest.mark.parametrize("way", ["commit", "rollback", "close"])
def test_the_turn_ends_with_the_transaction_however_it_ends(tmp_path: Path, way: str) -> None:
    engine = build_engine(f"sqlite:///{tmp_path}/x.sqlite")
    sessions = build_sessions(engine)
    with writing(sessions) as session:
        session.execute(text("CREATE TABLE t (n INTEGER)"))
    urgent = sessions()
    urgent.info[URGENT] = True
    other: list[int] = []

    def write() -> None:
        with writing(sessions) as session:
            other.append(session.scalar(text("SELECT count(*) FROM t")) or 0)

    lock_for_writing(urgent)
    urgent.execute(text("INSERT INTO t VALUES (1)"))
    thread = threading.Thread(target=write)
    thread.start()
    getattr(urgent, way)()
    thread.join(60)

    assert other == [1 if way == "commit" else 0]
    urgent.close()
    engine.dispose()
