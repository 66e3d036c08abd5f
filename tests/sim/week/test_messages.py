"""Packs that are put together as text are what the contract's own decoder understands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from vigil_schemas.envelope import check_addressed, decode
from vigil_schemas.senml import unpack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Lane, QartodFlag
from vigil_sim.week.messages import Outboxes, record

AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def test_a_pack_is_of_the_contract() -> None:
    first = AT - timedelta(minutes=30)
    records = [record("pH", "pH", 60.0 * n, 7.1 + n / 100) for n in range(30)]
    records += [record("turbidity_FNU", None, 60.0 * n, 14.0) for n in range(30)]
    sent = Outboxes(5).pack("gw-probe-1", "water", "probe-1", AT, records, first)

    envelope, data = decode(sent.payload)

    assert check_addressed(sent.topic, envelope).gateway == "gw-probe-1"
    assert (envelope.number, envelope.source) == (1, sent.source)
    device, readings = unpack(data)  # type: ignore[arg-type]  # a pack
    assert device == "probe-1"
    assert len(readings) == 60
    assert (readings[0].time, readings[0].value, readings[0].unit) == (first, 7.1, "pH")
    assert readings[29].time == first + timedelta(minutes=29)
    assert (readings[59].unit, readings[59].flag) == (None, QartodFlag.GOOD)


def test_numbers_are_gapless_for_each_source_and_what_was_sent_is_counted() -> None:
    outboxes = Outboxes(5)
    alarm = SmokeAlarm(alarm_id="alarm-000001", condition="smoke", active=True, since=AT)
    numbers = [
        outboxes.event(lane, gateway, "alarm-1a", AT, alarm).sequence
        for lane, gateway in (
            (Lane.ALARM, "gw-1"),
            (Lane.ALARM, "gw-1"),
            (Lane.EVENT, "gw-1"),
            (Lane.ALARM, "gw-2"),
        )
    ]
    assert numbers == [1, 2, 1, 1]
    assert outboxes.counts == {SmokeAlarm.TYPE: 4}
