"""Facts for an outbox, and an outbox to put them into."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vigil_edge.delivery.outbox import Limits, Outbox
from vigil_edge.delivery.outbox_store import Store
from vigil_edge.delivery.packing import prepare
from vigil_edge.device.seam import Outgoing
from vigil_schemas.contract import observation_type
from vigil_schemas.control import ReceiptV1
from vigil_schemas.envelope import Envelope, decode
from vigil_schemas.gateway import CommandResult
from vigil_schemas.senml import Reading, pack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import ClockQuality, Lane, QartodFlag

START = datetime(2026, 1, 1, tzinfo=UTC)
GATEWAY = "gw-outbox"
SYNC = ClockQuality.SYNCHRONISED


def reading(device: str, number: int, count: int = 1, id: str | None = None) -> Outgoing:
    times = [START + timedelta(milliseconds=number + n) for n in range(count)]
    readings = [
        Reading("level", "m", time, float(number + n), QartodFlag.GOOD)
        for n, time in enumerate(times)
    ]
    kind = observation_type("water")
    return Outgoing(Lane.OBSERVATION, kind, device, times[0], pack(device, readings), id)


def fact(lane: Lane, number: int) -> Outgoing:
    if lane is Lane.ALARM:
        alarm = SmokeAlarm(
            alarm_id=f"alarm-{number:06d}", condition="smoke", active=True, since=START
        )
        return Outgoing(lane, SmokeAlarm.TYPE, "home-1", START, alarm, f"id-{number}")
    result = CommandResult(command_id=f"command-{number:06d}", accepted=True)
    return Outgoing(lane, CommandResult.TYPE, GATEWAY, START, result, f"id-{number}")


_names = itertools.count(1)
"""Not begun anew with each store: epochs and ids are drawn once in the world."""


def open_store(path: Path, limits: Limits = Limits(100_000, 10**9, 8)) -> Store:
    return Store(
        path,
        GATEWAY,
        limits,
        new_epoch=lambda: f"{next(_names):08x}",
        new_id=lambda: f"new-{next(_names)}",
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
    take_receipt(store, receipt_of(store.source(lane), stored, beyond))


def receipt_of(source: str, stored: int, beyond: tuple[tuple[int, int], ...] = ()) -> ReceiptV1:
    return ReceiptV1(source=source, stored=stored, beyond=list(beyond))


def take_receipt(store: Store, given: ReceiptV1) -> bool:
    store.begin()
    taken = store.receipt(given)
    store.seal()
    store.commit()
    return taken


def sent(store: Store, lane: Lane) -> list[Envelope]:
    """Everything of a lane, as it goes onto the wire."""
    return [decode(each.payload).envelope for each in store.fetch(lane, 0, 100_000)]


async def outbox_at(path: Path, window: int = 64, rows: int = 100_000) -> Outbox:
    numbers = itertools.count()
    return await Outbox.open(
        path,
        GATEWAY,
        Limits(rows, 10**9, window),
        new_epoch=lambda: f"{next(_names):08x}",
        new_id=lambda: f"new-{next(numbers)}",
        now_us=lambda: 0,
    )
