"""After the alarm: that it is over, and that somebody closed it, for who was told and asked."""

from __future__ import annotations

from cloud_city import City, alarm
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_schemas.smoke import SmokeAlarm
from webhook import Hook, channel


def weak(city: City, active: bool = True) -> SmokeAlarm:
    """Of a fire whoever leads it tells the end, and not its device (see smoke/test_fire.py)."""
    return alarm(city.time, active=active, condition="battery_alert")


def act(city: City, action: str) -> None:
    (alert,) = city.alerts("dispatcher")
    answer = city.client("dispatcher").post(f"/api/v1/alerts/{alert['id']}/{action}", json={})
    assert answer.status_code == 200, answer.text


def test_the_all_clear_goes_to_who_was_told_and_asked_for_it(city: City, hook: Hook) -> None:
    plain, late = Hook(), Hook()
    channel(city, hook.url, "asks", role=Role.DISPATCHER, follow_ups=["all-clear"])
    channel(city, plain.url, "does not ask", role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    city.send(weak(city), "alarm-1")
    sender.deliver_due()
    channel(city, late.url, "never told", role=Role.DISPATCHER, follow_ups=["all-clear"])

    city.later(minutes=3)
    city.send(weak(city, active=False), "alarm-1")
    sender.deliver_due()
    plain.close()
    late.close()

    assert hook.titles == [
        "Smoke alarm battery low at Chen home",
        "ALL CLEAR: Smoke alarm battery low at Chen home",
    ]
    assert len(plain.received) == 1
    assert late.received == []


def test_no_all_clear_is_told_of_what_stands_again(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER, follow_ups=["all-clear"])
    sender = NotificationSender(city.services)
    city.send(weak(city), "alarm-1")
    sender.deliver_due()
    city.send(weak(city, active=False), "alarm-1")
    sender.plan_all()
    with city.services.sessions() as session:
        session.query(AlertRow).update({"active": True})
        session.commit()

    sender.deliver_due()

    assert len(hook.received) == 1
    (alert,) = city.alerts("dispatcher")
    assert [(one["purpose"], one["reason"]) for one in alert["deliveries"]] == [
        ("raised", None),
        ("all-clear", "not-over"),
    ]


def test_who_asked_hears_who_closed_it(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER, follow_ups=["closed", "all-clear"])
    sender = NotificationSender(city.services)
    city.send(weak(city), "alarm-1")
    sender.deliver_due()
    act(city, "acknowledge")
    city.send(weak(city, active=False), "alarm-1")
    city.later(minutes=1)
    act(city, "confirm")
    sender.deliver_due()

    assert hook.titles[1:] == [
        "ALL CLEAR: Smoke alarm battery low at Chen home",
        "CLOSED: Smoke alarm battery low at Chen home",
    ]
    assert "Closed by dispatcher." in hook.received[-1]["message"]
