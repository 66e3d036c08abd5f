"""A call that comes late, or whose cabinet cannot be made out."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from aed_town import (
    CABINET,
    GATEWAY,
    PATIENT,
    Line119,
    alert_of,
    calls_of,
    end,
    ready,
    rounds,
    tell,
)
from cloud_city import City
from gateways import event
from ingest_bench import Bench, Recorder
from vigil_cloud.aed import summons
from vigil_cloud.aed.live import look
from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.app import handlers
from vigil_cloud.ingest.decode import Decoder
from vigil_cloud.ingest.known_devices import KnownDevices
from vigil_cloud.ingest.times import Limits
from vigil_schemas.aed import AedCall, AedDoor
from vigil_schemas.gateway import DeviceDescription, GatewayBirth, GatewayHealth
from vigil_schemas.types import ClockQuality


def state_of(city: City, id: str = "call-0001") -> str:
    with city.services.sessions() as session:
        return session.get_one(AedCallRow, f"{GATEWAY}:{id}").state


def test_a_call_of_hours_ago_is_told_and_sends_nobody(town: City, line: Line119) -> None:
    ready(town, "ann", 0.001)

    tell(town, AedCall(call_id="call-0001", pressed=town.time - timedelta(hours=3)))
    rounds(town, 2)

    alert = alert_of(town)
    assert (alert["severity"], alert["detail"]["late"]) == ("critical", True)
    assert "3 h 0 min ago" in alert["title"]
    assert "3 小時 0 分鐘前" in alert["title_zh"]
    assert line.received == []
    assert calls_of(town, "ann") == []
    (listed,) = town.client("dispatcher").get("/api/v1/aed/calls").json()["calls"]
    assert (listed["state"], listed["callouts"]) == ("late", [])
    assert listed["case"] is not None, "its outcome is asked all the same"
    end(town, alert["id"])
    rounds(town)
    assert state_of(town) == "over"


def test_a_press_of_now_makes_a_late_call_one_of_now(town: City, line: Line119) -> None:
    ready(town, "ann", 0.001)
    then = town.time - timedelta(hours=1)
    tell(town, AedCall(call_id="call-0001", pressed=then))
    rounds(town)

    tell(town, AedCall(call_id="call-0001", pressed=then, presses=2, last_pressed=town.time))
    rounds(town)

    assert len(line.received) == 1
    assert len(calls_of(town, "ann")) == 1
    alert = alert_of(town)
    assert alert["detail"]["late"] is False
    assert alert["title"].startswith("Heart stopped")
    assert any(one["action"] == "told-again" for one in alert["history"])


@pytest.mark.parametrize("minutes", [0, 14])
def test_a_call_that_was_held_up_for_minutes_is_one_of_now(
    town: City, line: Line119, minutes: int
) -> None:
    tell(town, AedCall(call_id="call-0001", pressed=town.time - timedelta(minutes=minutes)))
    rounds(town)
    assert len(line.received) == 1


def test_a_call_of_a_cabinet_that_nobody_knows_is_one_of_its_gateway(town: City) -> None:
    ready(town, "ann", 0.001)
    town.send(AedCall(call_id="call-0001", pressed=town.time), "aed-\ufffd", GATEWAY)
    rounds(town)
    alert = alert_of(town)
    assert alert["detail"]["cabinet_said"] == "aed-\ufffd"
    (mine,) = calls_of(town, "ann")
    assert mine["place"] == "City hall"


def test_of_several_cabinets_that_it_may_be_each_is_named(town: City) -> None:
    ready(town, "ann", 0.001)
    town.send(
        GatewayBirth(
            session=3,
            started=town.time,
            software="test",
            epoch="00000002",
            public_key="0" * 64,
            devices=[
                DeviceDescription(
                    device=f"aed-{number}",
                    domain="aed",
                    driver="modbus-tcp",
                    name=f"Door {number}",
                    name_zh=f"{number} 號門",
                    latitude=PATIENT[1],
                    longitude=PATIENT[0],
                )
                for number in (1, 2)
            ],
        ),
        GATEWAY,
        GATEWAY,
    )
    town.send(AedCall(call_id="call-0001", pressed=town.time), GATEWAY, GATEWAY)
    rounds(town)
    (mine,) = calls_of(town, "ann")
    assert (mine["place"], mine["place_zh"]) == ("City hall / Door 2", "市政府 / 2 號門")


def test_a_call_with_a_lost_byte_summons_through_ingest(town: City, line: Line119) -> None:
    """As the alarm lane stores it: whatever of the message can be read."""
    ready(town, "ann", 0.001)
    good = event(
        GATEWAY,
        1,
        AedCall(call_id="call-0001", pressed=town.time),
        subject="aed-1",
        time=town.time,
        lane="alarm",
    )
    quote = good.index(b'"type"') - 2
    broken = good[:quote] + good[quote + 1 :]
    bench = Bench(town.services, Recorder(), [town.time])
    decoder = Decoder(Limits(), KnownDevices(town.services.sessions).domain_of)
    writer = bench.writer(handlers(town.services), decoder=decoder)
    writer.store([bench.arrived(f"vigil/v1/{GATEWAY}/alarm", broken)])
    rounds(town)
    assert len(line.received) == 1
    assert len(calls_of(town, "ann")) == 1
    assert [one["kind"] for one in town.listed("dispatcher", domain="smoke")] == []


@pytest.mark.parametrize("minutes", [20, 300])
def test_a_press_of_now_from_a_slow_gateway_that_calls_itself_synchronised_is_no_late_one(
    town: City, line: Line119, minutes: int
) -> None:
    ready(town, "ann", 0.001)
    slow = timedelta(minutes=minutes)
    born(town, session=3, said=town.time - slow)
    for _ in range(3):
        town.later(minutes=5)
        when = town.time - slow
        door = AedDoor(opening_id="opening-1", phase="opened", opened=when)
        town.send(door, CABINET, GATEWAY, said=when)
    pressed = AedCall(call_id="call-0001", pressed=town.time - slow)
    town.send(pressed, CABINET, GATEWAY, said=town.time - slow)
    rounds(town)
    alert = alert_of(town)
    assert (len(line.received), len(calls_of(town, "ann"))) == (1, 1)
    assert alert["detail"]["late"] is False
    assert alert["detail"]["time_quality"] == "behind", "and whoever looks is told of the clock"
    assert datetime.fromisoformat(alert["event_time"]) == town.time


def test_a_call_that_waited_in_an_outbox_stays_late_though_its_gateway_connects_anew(
    town: City, line: Line119
) -> None:
    pressed = AedCall(call_id="call-0001", pressed=town.time)
    town.later(hours=3)
    born(town, session=3, said=town.time)
    tell(town, pressed)
    rounds(town)
    assert line.received == []
    assert state_of(town) == "late-told"


def test_a_report_that_is_fresh_says_that_the_clock_is_kept_whatever_the_birth_said(
    town: City, line: Line119
) -> None:
    born(town, session=3, said=town.time - timedelta(hours=3))
    health = GatewayHealth(
        uptime_s=1.0,
        resident_bytes=1,
        cpu_percent=0.0,
        disk_free_bytes=1,
        clock_quality=ClockQuality.SYNCHRONISED,
        outbox=[],
        sources=[],
    )
    town.send(health, GATEWAY, GATEWAY)
    tell(town, AedCall(call_id="call-0001", pressed=town.time - timedelta(hours=3)))
    rounds(town)
    assert line.received == []


def test_a_birth_that_the_broker_kept_while_ingest_was_away_makes_no_old_call_a_new_one(
    town: City, line: Line119
) -> None:
    born(town, session=3, said=town.time - timedelta(hours=3), retained=True)
    tell(town, AedCall(call_id="call-0001", pressed=town.time - timedelta(hours=3)))
    rounds(town)
    assert line.received == []
    assert state_of(town) == "late-told"


def born(town: City, *, session: int, said: datetime, retained: bool = False) -> None:
    birth = GatewayBirth(
        session=session,
        started=said,
        software="test",
        epoch="00000001",
        public_key="0" * 64,
        devices=[
            DeviceDescription(
                device=CABINET,
                domain="aed",
                driver="modbus-tcp",
                name="City hall",
                name_zh="市政府",
                latitude=PATIENT[1],
                longitude=PATIENT[0],
            )
        ],
    )
    town.send(birth, GATEWAY, GATEWAY, said=said, retained=retained)


def test_a_press_that_stayed_lying_here_is_told_119_and_sends_nobody(
    town: City, line: Line119
) -> None:
    """Taken in time, while the jobs stood still for hours."""
    ready(town, "ann", 0.001)
    pressed = town.time
    tell(town, AedCall(call_id="call-0001", pressed=pressed))
    town.later(hours=3)

    rounds(town, 2)

    (told,) = line.received
    assert "No volunteers are called" in told.decode()
    town.sign_in_anew("ann")
    assert calls_of(town, "ann") == []
    alert = alert_of(town)
    assert alert["detail"]["late"] is True
    assert "3 h 0 min ago" in alert["title"]
    assert state_of(town) == "late-told"

    town.sign_in_anew("administrator")
    ready(town, "ann", 0.001)
    again = AedCall(call_id="call-0001", pressed=pressed, presses=2, last_pressed=town.time)
    tell(town, again)
    rounds(town)
    assert len(line.received) == 2, "a press of now is told by itself"
    assert len(calls_of(town, "ann")) == 1


def test_whoever_was_called_and_not_told_in_time_is_not_told_hours_later(town: City) -> None:
    """The job of the summons stood still: the call's page says so."""
    ready(town, "ann", 0.001)
    tell(town, AedCall(call_id="call-0001", pressed=town.time))
    look(town.services)
    town.later(hours=3)
    with town.services.sessions() as session:
        assert summons.waiting(session, town.time)
    assert summons.send_waiting(town.services, threading.Event()) == 0
    with town.services.sessions() as session:
        (callout,) = session.scalars(select(AedCallout)).all()
        assert callout.told == summons.NOT_IN_TIME
        assert not summons.waiting(session, town.time)
