"""Facts for an outbox, and an outbox to put them into."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vigil_edge.outbox import Limits, Outbox
from vigil_edge.outbox_store import Store
from vigil_edge.packing import prepare
from vigil_edge.source import Outgoing
from vigil_schemas.control import ReceiptV1
from vigil_schemas.envelope import observation_type
from vigil_schemas.gateway import CommandResult
from vigil_schemas.senml import Reading, pack
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
    store.receipt(ReceiptV1(source=store.source(lane), stored=stored, beyond=list(beyond)))
    store.seal()
    store.commit()


async def outbox_at(path: Path, window: int = 64, rows: int = 100_000) -> Outbox:
    numbers = itertools.count()
    return await Outbox.open(
        path,
        GATEWAY,
        Limits(rows, 10**9, window),
        new_epoch=lambda: "0badcafe",
        new_id=lambda: f"new-{next(numbers)}",
        now_us=lambda: 0,
    )
