"""Which birth, death, health and state count: never the sender's clock decides."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from gateways import birth, death, event, new_name
from ingest_bench import NOW, Bench
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import epochs
from vigil_cloud.devices.models import Device, Gateway, GatewayEpoch
from vigil_cloud.devices.seen import AFTER_DEATH, Seen, record_seen
from vigil_schemas.control import Receipt
from vigil_schemas.gateway import DeviceDescription, DeviceHealth, GatewayHealth
from vigil_schemas.types import Model

FUTURE = NOW + timedelta(days=3650)
OLD, NEW, NEWER = "0000000a", "000000000000000b", "000000000000000c"


class Box:
    """Sends under a gateway's name, with whatever clock and epoch."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.name = new_name()
        self.writer = bench.writer()

    def send(
        self,
        lane: str,
        data: Model,
        epoch: str,
        time: datetime = NOW,
        sequence: int | None = None,
        subject: str = "",
    ) -> None:
        payload = event(
            self.name,
            sequence,
            data,
            subject=subject or self.name,
            time=time,
            lane=lane,
            epoch=epoch,
            event_id=uuid.uuid4().hex,
        )
        self.writer.store([self.bench.arrived(f"vigil/v1/{self.name}/{lane}", payload)])

    def born(self, epoch: str, session: int, time: datetime = NOW, **more: Any) -> None:
        self.send("status", birth(time, session=session, epoch=epoch, **more), epoch, time)

    def dies(self, epoch: str, session: int) -> None:
        self.send("status", death(session=session), epoch)

    def health(self, epoch: str, sequence: int, uptime_s: float, time: datetime) -> None:
        report = GatewayHealth.model_validate(
            {
                "uptime_s": uptime_s,
                "resident_bytes": 1,
                "cpu_percent": 0,
                "disk_free_bytes": 1,
                "clock_quality": "synchronised",
                "outbox": [],
                "sources": [],
            }
        )
        self.send("observation", report, epoch, time, sequence)

    def state(self, epoch: str, sequence: int, state: str, since: datetime) -> None:
        data = DeviceHealth.model_validate({"device": self.device, "state": state, "since": since})
        self.send("event", data, epoch, NOW, sequence, self.device)

    @property
    def device(self) -> str:
        return f"sonde-of-{self.name}"

    @property
    def row(self) -> Gateway:
        with self.bench.services.sessions() as session:
            return session.get_one(Gateway, self.name)

    def shown(self) -> str:
        with self.bench.services.sessions() as session:
            return session.get_one(Device, self.device).state


@pytest.fixture
def box(bench: Bench) -> Box:
    return Box(bench)


def test_a_birth_of_the_future_locks_nobody_out(box: Box) -> None:
    box.born(OLD, 1, FUTURE)
    box.born(NEW, 1, NOW, public_key="cd" * 32)

    assert (box.row.epoch, box.row.public_key) == (NEW, "cd" * 32)


def test_a_superseded_epoch_never_returns(box: Box) -> None:
    box.born(OLD, 7)
    box.born(NEW, 1)

    box.born(OLD, 7, FUTURE)  # retained by a broker that was put back, heard again
    box.dies(OLD, 7)

    assert (box.row.epoch, box.row.session, box.row.connected) == (NEW, 1, True)
    assert box.row.second_box_seen is None


def test_a_session_orders_within_an_epoch(box: Box) -> None:
    box.born(NEW, 5, software="new")
    box.born(NEW, 4, FUTURE, software="old")

    assert (box.row.session, box.row.software) == (5, "new")


def test_a_death_counts_for_its_epoch_and_session_alone(box: Box) -> None:
    box.born(OLD, 9)
    box.born(NEW, 2)

    for epoch, session in ((OLD, 9), (OLD, 99), (NEW, 1), (NEWER, 2)):
        box.dies(epoch, session)
        assert box.row.connected, (epoch, session)
    box.dies(NEW, 2)

    assert (box.row.connected, box.row.offline) == (False, True)


def test_a_second_box_is_noticed_and_not_locked_out(box: Box) -> None:
    box.born(OLD, 1)
    for session in range(1, 4):
        box.born(NEW, session)
        box.dies(NEW, session)
        box.born(OLD, session + 1)

    row = box.row
    assert (row.second_box_seen, row.second_box_returns) == (NOW, 3)
    assert (row.epoch, row.offline, row.connected) == (NEW, False, True)


def test_a_gateway_that_sends_after_its_death_is_not_shown_offline(box: Box) -> None:
    box.born(NEW, 1)
    box.dies(NEW, 1)
    box.health(NEW, 1, 1, NOW)
    assert box.row.offline, "what was still on its way when it died"

    box.bench.clock[0] += AFTER_DEATH + timedelta(seconds=1)
    box.health(NEW, 2, 2, NOW)

    assert not box.row.offline


def test_health_is_ordered_by_epoch_and_sequence(box: Box) -> None:
    box.health(OLD, 1, 1, NOW + timedelta(seconds=9))
    assert box.row.health_time == NOW + timedelta(seconds=9)
    for epoch, sequence, uptime_s in ((OLD, 3, 3), (OLD, 2, 2), (NEW, 1, 11), (OLD, 4, 4)):
        box.health(epoch, sequence, uptime_s, NOW)

    assert box.row.health is not None
    assert box.row.health["uptime_s"] == 11


def test_a_state_dated_in_the_future_shuts_no_later_one_out(box: Box) -> None:
    device = DeviceDescription(device=box.device, domain="water", driver="test")
    box.born(NEW, 1, devices=[device])

    box.state(NEW, 1, "failed", FUTURE)
    box.state(NEW, 2, "ok", NOW - timedelta(hours=1))
    assert box.shown() == "ok"

    box.state(NEW, 1, "failed", FUTURE)
    assert box.shown() == "ok"
    box.state(NEWER, 1, "degraded", datetime(1970, 1, 1, tzinfo=NOW.tzinfo))
    assert box.shown() == "degraded"


def test_keys_stay_valid_for_what_was_sealed_with_them(box: Box) -> None:
    box.born(OLD, 1, public_key="ab" * 32)
    box.bench.clock[0] += timedelta(minutes=1)
    box.born(NEW, 1, public_key="cd" * 32)

    with box.bench.services.sessions() as session:
        known = epochs.public_keys(session, box.name)
    assert [key.hex() for key in known] == ["cd" * 32, "ab" * 32]


def test_what_a_gateway_accepts_is_looked_up(box: Box) -> None:
    box.born(OLD, 1)
    with box.bench.services.sessions() as session:
        assert epochs.accepted_types(session, [box.name]) == {box.name: frozenset()}
    box.born(NEW, 1, accepts=[Receipt.TYPE])
    with box.bench.services.sessions() as session:
        found = epochs.accepted_types(session, [box.name, "gw-nobody"])
    assert found == {box.name: frozenset({Receipt.TYPE})}


def test_epochs_do_not_pile_up(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "EPOCHS_KEPT", 5)
    for number in range(12):
        box.born(f"{number:08x}", 1)

    with box.bench.services.sessions() as session:
        kept: Callable[..., Any] = session.scalar
        assert kept(select(func.count()).where(GatewayEpoch.gateway == box.name)) == 5
    assert box.row.epoch == "0000000b"


def test_a_device_whose_reading_came_before_its_description_is_described(box: Box) -> None:
    """Given an alarm that is found while its gateway runs: its first message overtakes the birth
    that tells of it."""
    box.born("aaaaaaaa", 1)
    with writing(box.bench.services.sessions) as session:
        found = Seen(box.name, "smoke", {})
        record_seen(session, [], {"alarm-new": found, "alarm-released": found}, NOW)
        released = session.get_one(Device, "alarm-released")
        released.driver = "zigbee2mqtt"

    devices = [
        DeviceDescription(device=name, domain="smoke", driver="zigbee2mqtt")
        for name in ("alarm-new", "alarm-released")
    ]
    box.born("aaaaaaaa", 1, devices=devices)

    with box.bench.services.sessions() as session:
        new = session.get_one(Device, "alarm-new")
        assert (new.claimed, new.described, new.driver) == (True, True, "zigbee2mqtt")
        assert not session.get_one(Device, "alarm-released").claimed


def test_an_epoch_that_was_forgotten_is_no_newer_than_a_birth(box: Box) -> None:
    box.born("aaaaaaaa", 1)
    with writing(box.bench.services.sessions) as session:
        session.execute(delete(GatewayEpoch).where(GatewayEpoch.gateway == box.name))

    box.born("bbbbbbbb", 2)

    assert box.row.epoch == "bbbbbbbb"
    assert box.row.second_box_returns == 0
