"""Devices and parameters put aside: who is called all the same, and what comes after."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_city import City, alarm, exceedance, excursion
from vigil_cloud.alerts import coverage, shelving
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.removal import remove_device
from vigil_cloud.identity import districts
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_schemas.water import WaterExcursion
from webhook import Hook, channel


def put_aside(city: City, device: str, who: str = "maintainer", **body: Any) -> Any:
    hours = body.pop("hours", 4)
    until = None if hours is None else (city.time + timedelta(hours=hours)).isoformat()
    asked = {"kind": "shelved", "reason": "painting the bridge", "until": until, **body}
    return city.client(who).post(f"/api/v1/devices/{device}/shelves", json=asked)


def end(city: City, device: str, number: int, who: str = "maintainer") -> Any:
    return city.client(who).post(f"/api/v1/devices/{device}/shelves/{number}/end", json={})


def sweep(city: City) -> None:
    with writing(city.services.sessions) as session:
        shelving.sweep(session, city.time)


def deliver(city: City) -> None:
    NotificationSender(city.services).deliver_due()


def low_ph(city: City, phase: str = "onset", id: str = "excursion-ph") -> WaterExcursion:
    told = excursion(city.time, phase, id)
    return told.model_copy(update={"parameter": "pH", "unit": "pH", "limit": 6.0, "kind": "below"})


def test_what_a_shelved_device_raises_is_stored_and_shown_and_calls_nobody(
    city: City, hook: Hook
) -> None:
    channel(city, hook.url, role=Role.INSPECTOR)
    assert put_aside(city, "sonde-1", "inspector").status_code == 201
    city.send(excursion(city.time), "sonde-1")
    deliver(city)

    (alert,) = city.alerts("inspector")
    assert alert["state"]["device_shelf"] == "shelved"
    assert alert["state"]["device_shelf_until"] == "2026-03-01T08:00:00Z"
    assert [line["action"] for line in alert["history"]] == ["raised", "device-shelved"]
    assert "painting the bridge" in alert["history"][1]["comment"]
    (delivery,) = alert["deliveries"]
    assert (delivery["state"], delivery["reason"]) == ("waiting", "device-shelved")
    assert hook.received == []
    assert city.client("inspector").get("/api/v1/alerts/open").json()["total"]["new"] == 0
    (shelf,) = city.client("police").get("/api/v1/devices/sonde-1").json()["shelves"]
    assert (shelf["by"], shelf["kind"], shelf["reason"]) == (
        "inspector",
        "shelved",
        "painting the bridge",
    )
    (listed,) = city.client("inspector").get("/api/v1/shelves").json()["shelves"]
    assert listed == shelf


def test_at_its_end_everybody_is_told_what_happened_and_what_still_is(
    city: City, hook: Hook
) -> None:
    keeper = Hook()
    channel(city, hook.url, role=Role.INSPECTOR)
    channel(city, keeper.url, "keeper", role=Role.MAINTAINER, domains=["platform"])
    put_aside(city, "sonde-1")
    city.send(excursion(city.time), "sonde-1")
    city.send(low_ph(city), "sonde-1")
    city.later(minutes=9)
    city.send(low_ph(city, "end"), "sonde-1")
    deliver(city)
    assert hook.received == []

    city.later(hours=4)
    sweep(city)
    deliver(city)
    city.later(minutes=2)
    deliver(city)
    keeper.close()

    assert hook.titles == ["Conductivity above 2500 µS/cm, and 1 more"]
    assert all("The device was shelved" in told["message"] for told in hook.received)
    assert keeper.titles == ["Canal calls again: 1 alerts meanwhile, 1 active"]
    (ended,) = city.alerts("maintainer", domain="platform")
    assert ended["detail"]["explanation"] == (
        "shelved by maintainer: painting the bridge; ended by its time"
    )
    assert "shape_doubtful" not in {key for key, value in ended["detail"].items() if value}
    (device,) = [
        one
        for one in city.client("police").get("/api/v1/devices").json()["devices"]
        if one["device"] == "sonde-1"
    ]
    assert device["shelves"] == []
    assert city.client("inspector").get("/api/v1/alerts/open").json()["total"]["new"] == 1
    past = city.client("inspector").get("/api/v1/devices/sonde-1/shelves").json()["shelves"]
    assert [(one["ended_by"], one["by"]) for one in past] == [(None, "maintainer")]


def test_its_time_counts_also_where_nobody_sweeps(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.INSPECTOR)
    put_aside(city, "sonde-1", hours=1)
    city.send(excursion(city.time), "sonde-1")
    deliver(city)

    city.later(hours=1)
    deliver(city)

    assert hook.titles == ["Conductivity above 2500 µS/cm"]


def test_a_fire_of_a_shelved_alarm_is_told_at_once(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    assert put_aside(city, "alarm-1").status_code == 201
    city.send(alarm(city.time, condition="battery_alert", id="alarm-battery"), "alarm-1")
    deliver(city)
    assert hook.received == []

    city.send(alarm(city.time), "alarm-1")
    deliver(city)

    assert hook.titles == ["Smoke alarm at Chen home"]
    assert "The device was shelved, until 2026-03-01 16:00:00." in hook.received[0]["message"]
    (fire,) = [one for one in city.alerts("dispatcher") if one["severity"] == "critical"]
    assert fire["state"]["device_shelf"] == "shelved"


def test_a_fire_during_a_test_is_shown_with_its_mark_and_told_when_the_test_ends(
    city: City, hook: Hook
) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    assert put_aside(city, "alarm-1", kind="out-of-service").status_code == 201
    city.send(alarm(city.time), "alarm-1")
    deliver(city)
    (fire,) = city.alerts("dispatcher")
    assert fire["state"]["device_shelf"] == "out-of-service"
    assert fire["deliveries"][0]["reason"] == "device-out-of-service"
    counted = city.client("dispatcher").get("/api/v1/alerts/open").json()
    assert counted["domains"]["smoke"]["new"] == 1, "what is critical is shown whatever is aside"
    assert hook.received == []

    city.later(hours=4)
    deliver(city)

    assert hook.titles == ["Smoke alarm at Chen home"]
    assert "out of service" in hook.received[0]["message"]


def test_no_reminder_is_queued_of_a_test_and_one_is_of_a_fire_under_a_shelf(city: City) -> None:
    put_aside(city, "alarm-1", kind="out-of-service")
    city.send(alarm(city.time), "alarm-1")
    (fire,) = city.listed("dispatcher")
    city.later(hours=1)
    NotificationSender(city.services).remind()
    with city.services.sessions() as session:
        assert session.get_one(AlertRow, fire["id"]).reminded is None
    (shelf,) = city.client("maintainer").get("/api/v1/devices/alarm-1").json()["shelves"]
    end(city, "alarm-1", shelf["id"])
    put_aside(city, "alarm-1")

    NotificationSender(city.services).remind()

    with city.services.sessions() as session:
        assert session.get_one(AlertRow, fire["id"]).reminded == city.time


@pytest.mark.parametrize(
    ("device", "kind", "hours", "taken"),
    [
        ("sonde-1", "shelved", 30 * 24, True),
        ("sonde-1", "shelved", 30 * 24 + 1, False),
        ("sonde-1", "shelved", None, False),
        ("sonde-1", "shelved", -1, False),
        ("sonde-1", "out-of-service", 366 * 24, True),
        ("sonde-1", "out-of-service", None, True),
        ("alarm-1", "shelved", 24, True),
        ("alarm-1", "shelved", 25, False),
        ("alarm-1", "out-of-service", 8, True),
        ("alarm-1", "out-of-service", 9, False),
        ("alarm-1", "out-of-service", None, False),
    ],
)
def test_each_has_an_end_that_fits_what_hangs_on_it(
    city: City, device: str, kind: str, hours: float | None, taken: bool
) -> None:
    answer = put_aside(city, device, kind=kind, hours=hours)
    assert answer.status_code == (201 if taken else 422), answer.text
    assert taken or answer.json()["code"] == "bad-end"


def test_one_parameter_put_aside_leaves_the_others_calling(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.INSPECTOR)
    assert put_aside(city, "sonde-1", parameter="pH").status_code == 201
    city.send(low_ph(city), "sonde-1")
    city.send(excursion(city.time), "sonde-1")
    deliver(city)

    assert hook.titles == ["Conductivity above 2500 µS/cm"]
    states = {one["title"]: one["state"]["device_shelf"] for one in city.listed("inspector")}
    assert states == {"pH below 6": "shelved", "Conductivity above 2500 µS/cm": None}


@pytest.mark.parametrize(("hours", "status"), [(24, 200), (25, 422)])
def test_one_critical_alert_is_shelved_for_a_day_at_most(
    city: City, hours: float, status: int
) -> None:
    city.send(alarm(city.time), "alarm-1")
    (fire,) = city.listed("dispatcher")
    until = (city.time + timedelta(hours=hours)).isoformat()
    path = f"/api/v1/alerts/{fire['id']}/shelve"
    assert city.client("dispatcher").post(path, json={"until": until}).status_code == status


def test_who_may_not_is_told_so_or_not_told_that_it_is_there(city: City) -> None:
    city.account("west", Role.INSPECTOR)
    with writing(city.services.sessions) as session:
        for district in ("east", "west"):
            districts.put(session, district, district, district, by="operator", now=city.time)
        account = account_named(session, "west")
        districts.limit(session, account, ["west"], by="operator", now=city.time)
        districts.place(session, "device", "sonde-1", "east", by="operator", now=city.time)

    def of(who: str, device: str) -> int:
        return int(put_aside(city, device, who).status_code)

    assert of("west", "sonde-1") == 404
    assert of("family", "sonde-1") == 403
    assert of("police", "sonde-1") == 403
    assert of("dispatcher", "alarm-1") == 403
    assert of("inspector", "alarm-1") == 404
    assert of("inspector", "sonde-1") == 201


def test_ended_by_hand_it_calls_at_once_and_the_audit_says_by_whom(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.INSPECTOR)
    number = put_aside(city, "sonde-1", kind="out-of-service", hours=None).json()["id"]
    city.send(excursion(city.time), "sonde-1")
    deliver(city)
    city.later(minutes=5)

    assert end(city, "sonde-1", number, "inspector").json()["ended_by"] == "inspector"
    deliver(city)

    assert hook.titles == ["Conductivity above 2500 µS/cm"]
    assert end(city, "sonde-1", number).json()["code"] == "shelf-over"
    assert end(city, "sonde-1", 99).json()["code"] == "unknown-shelf"
    (alert,) = city.alerts("inspector")
    assert [(line["action"], line["account"]) for line in alert["history"]] == [
        ("raised", None),
        ("device-shelved", "maintainer"),
        ("device-unshelved", "inspector"),
    ]
    with city.services.sessions() as session:
        lines = session.execute(
            select(AuditEntry.action, AuditEntry.account).where(AuditEntry.subject == "sonde-1")
        ).all()
    assert ("device.out-of-service", "maintainer") in lines
    assert ("device.out-of-service-ended", "inspector") in lines


def test_what_has_no_end_is_told_again_and_again_until_somebody_ends_it(city: City) -> None:
    number = put_aside(city, "sonde-1", kind="out-of-service", hours=None).json()["id"]
    city.later(days=6)
    sweep(city)
    city.sign_in_anew("maintainer")
    assert city.listed("maintainer", domain="platform") == []

    told = []
    for _ in range(2):
        city.later(days=7)
        city.sign_in_anew("maintainer")
        sweep(city)
        sweep(city)
        (alert,) = city.alerts("maintainer", domain="platform")
        told = [line["comment"] for line in alert["history"] if line["action"] == "told-again"]
    assert alert["kind"] == "out-of-service-long"
    assert told == ["out of service for 13 days", "out of service for 20 days"]

    end(city, "sonde-1", number)
    (alert,) = city.alerts("maintainer", domain="platform")
    assert alert["state"]["active"] is False


def test_a_device_that_is_removed_takes_its_shelf_along(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.INSPECTOR)
    put_aside(city, "sonde-1", kind="out-of-service", hours=None)
    city.send(excursion(city.time), "sonde-1")
    with writing(city.services.sessions) as session:
        remove_device(session, "sonde-1", by="maintainer", now=city.time)

    sweep(city)
    deliver(city)

    assert hook.titles == ["Conductivity above 2500 µS/cm"]
    assert city.client("inspector").get("/api/v1/shelves").json()["shelves"] == []


def test_what_becomes_critical_under_a_shelf_is_told(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.INSPECTOR)
    put_aside(city, "sonde-1")
    city.send(excursion(city.time), "sonde-1")
    deliver(city)
    (alert,) = city.listed("inspector")

    with writing(city.services.sessions) as session:
        amend(session, alert["id"], Amendment(severity="critical"), city.time)
    deliver(city)

    assert hook.received


def test_what_stands_is_covered_and_what_happened_once_goes_on_being_work(city: City) -> None:
    city.send(excursion(city.time), "sonde-1")
    city.send(exceedance(city.time), "mic-1")
    put_aside(city, "sonde-1")
    put_aside(city, "mic-1")

    states = {one["device"]: one["state"]["device_shelf"] for one in city.listed("inspector")}

    assert states == {"sonde-1": "shelved", "mic-1": None}


def test_what_is_no_smoke_alarm_and_put_aside_for_good_hides_no_fire(
    city: City, hook: Hook
) -> None:
    """Given a device of a domain on which no life hangs, which tells of a fire all the same."""
    channel(city, hook.url, role=Role.DISPATCHER)
    assert put_aside(city, "mic-1", kind="out-of-service", hours=None).status_code == 201
    city.later(hours=7)
    city.send(alarm(city.time), "mic-1")
    deliver(city)
    assert hook.received == []

    city.later(hours=1)
    deliver(city)
    assert len(hook.received) == 1

    city.send(alarm(city.time, id="alarm-0002"), "mic-1")
    deliver(city)
    assert len(hook.received) == 2


def test_a_device_that_is_put_aside_takes_no_flood_of_others_along(city: City) -> None:
    """A counted alert bears the name of the device that began it, and tells of all the others."""
    for number in range(100):
        city.send(alarm(city.time, id=f"alarm-id-{number}"), f"smoke-{number}")
    city.send(alarm(city.time), "alarm-1")
    city.send(alarm(city.time, id="alarm-id-next"), "smoke-next")
    many = select(AlertRow).where(AlertRow.kind == "many")
    with city.services.sessions() as session:
        assert session.scalars(many).one().device == "alarm-1"

    assert put_aside(city, "alarm-1", kind="out-of-service").status_code == 201

    with city.services.sessions() as session:
        assert session.scalars(many).one().device_shelf is None


def test_of_two_shelves_the_end_of_one_leaves_the_other(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.INSPECTOR)
    put_aside(city, "sonde-1")
    number = put_aside(city, "sonde-1", kind="out-of-service", hours=1).json()["id"]
    city.send(excursion(city.time), "sonde-1")
    deliver(city)

    end(city, "sonde-1", number)
    deliver(city)

    (alert,) = city.listed("inspector")
    assert alert["state"]["device_shelf"] == "shelved"
    assert hook.received == []


def test_the_short_form_of_before_is_a_shelf_now(city: City) -> None:
    client, until = city.client("maintainer"), (city.time + timedelta(hours=2)).isoformat()
    assert client.post("/api/v1/devices/mic-1/service", json={"until": until}).status_code == 204
    device = client.get("/api/v1/devices/mic-1").json()
    assert device["out_of_service_until"] == "2026-03-01T06:00:00Z"
    assert [one["reason"] for one in device["shelves"]] == ["planned work"]

    assert client.post("/api/v1/devices/mic-1/service", json={"until": None}).status_code == 204

    device = client.get("/api/v1/devices/mic-1").json()
    assert (device["out_of_service_until"], device["shelves"]) == (None, [])


NOW = datetime.fromisoformat("2026-03-01T04:00:00+00:00")
SPANS = st.one_of(st.none(), st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours)))


@given(
    kind=st.sampled_from([None, "shelved", "out-of-service"]),
    until=SPANS,
    severity=st.sampled_from(["info", "minor", "major", "critical"]),
    domain=st.sampled_from(["smoke", "water", "platform"]),
)
def test_a_shelf_hides_no_fire_and_nothing_after_its_end(
    kind: str | None, until: datetime | None, severity: str, domain: str
) -> None:
    row = AlertRow(
        domain=domain,
        severity=severity,
        device_shelf=kind,
        device_shelf_until=until if kind else None,
    )

    held = coverage.held_until(row)

    if severity == "critical" and kind != "out-of-service":
        assert held is None
    if held is not None:
        assert kind is not None
        assert held == until


def test_the_rule_is_the_same_in_sql(either_city: City) -> None:
    city, number = either_city, 0
    with writing(city.services.sessions) as session:
        for kind in (None, "shelved", "out-of-service"):
            for hours in (-1, 0, 1):
                for severity in ("info", "minor", "major", "critical"):
                    for domain in ("smoke", "platform"):
                        number += 1
                        until = city.time + timedelta(hours=hours) if kind else None
                        session.add(
                            AlertRow(
                                id=f"a-{number}",
                                key=f"a-{number}",
                                domain=domain,
                                kind="test",
                                gateway="gw-east",
                                device="alarm-1",
                                title="",
                                title_zh="",
                                severity=severity,
                                active=True,
                                raised=city.time,
                                event_time=city.time,
                                detail={},
                                device_shelf=kind,
                                device_shelf_until=until,
                            )
                        )
    with city.services.sessions() as session:
        by_sql = set(session.scalars(select(AlertRow.id).where(coverage.is_held(city.time))))
        rows = session.scalars(select(AlertRow)).all()
    by_rule = {
        row.id
        for row in rows
        if (until := coverage.held_until(row)) is not None and until > city.time
    }
    assert by_sql == by_rule
    assert 0 < len(by_sql) < number
