"""An alarm that goes on and off is one alert with a counter; what somebody ended is told anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cloud_city import City
from fire_town import CODE, HOME, KITCHEN, Home, ring
from vigil_cloud.alerts.models import OutboxEntry
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households
from vigil_cloud.notify.reminders import remind
from vigil_schemas.smoke import SmokeAlarm
from webhook import Hook, channel


def flap(city: City, number: int, *, condition: str = "battery_alert", gap_s: float = 20) -> None:
    for active in (True, False):
        told = SmokeAlarm.model_validate(
            {
                "alarm_id": f"{condition}-{number:04}",
                "condition": condition,
                "active": active,
                "since": city.time,
            }
        )
        city.send(told, "alarm-1")
        city.later(seconds=gap_s)


def alerts(city: City) -> list[dict[str, Any]]:
    return city.alerts("dispatcher", domain="smoke")


@pytest.mark.parametrize("condition", ["battery_alert", "link_lost", "tamper"])
def test_a_flapping_alarm_is_one_alert_with_a_counter(city: City, condition: str) -> None:
    for number in range(12):
        flap(city, number, condition=condition)
    (alert,) = alerts(city)
    assert alert["detail"]["times"] == 12
    assert alert["state"]["active"] is False
    told = [line for line in alert["history"] if line["action"] == "told-again"]
    assert [line["comment"] for line in told] == ["times 10"], "and one that goes on is told"


def test_what_rings_again_after_minutes_is_another_alarm_twice(city: City) -> None:
    for number in range(2):
        flap(city, number, gap_s=100)
    assert len(alerts(city)) == 2
    for number in range(2, 5):
        flap(city, number, gap_s=100)
    assert len(alerts(city)) == 2, "from the third time on within ten minutes it is flapping"


def test_the_end_of_an_earlier_one_told_twice_ends_nothing(city: City) -> None:
    flap(city, 0)
    told = {"condition": "battery_alert", "since": city.time}
    city.send(SmokeAlarm(alarm_id="battery_alert-0001", active=True, **told), "alarm-1")
    city.send(SmokeAlarm(alarm_id="battery_alert-0000", active=False, **told), "alarm-1")
    (alert,) = alerts(city)
    assert alert["state"]["active"] is True
    city.send(SmokeAlarm(alarm_id="battery_alert-0001", active=False, **told), "alarm-1")
    assert alerts(city)[0]["state"]["active"] is False


def test_a_fire_that_somebody_ended_is_told_anew(home: Home) -> None:
    """Given an alarm that was taken back with the code: it rings again, and everybody is asked."""
    ring(home, alarm_id="first-alarm")
    assert home.act("resident", "safe", {"code": CODE}).status_code == 200
    home.later(seconds=5)
    ring(home, active=False, alarm_id="first-alarm")
    home.later(seconds=5)
    ring(home, alarm_id="second-alarm")
    assert len(alerts(home.city)) == 2
    home.later(seconds=61)
    assert home.fires()[0]["phase"] == "called"


def raised(home: Home) -> list[str]:
    """Alerts that people are told of by themselves, the oldest first."""
    with home.city.services.sessions() as session:
        query = select(OutboxEntry.alert_id).where(OutboxEntry.purpose == "raised")
        return list(session.scalars(query.order_by(OutboxEntry.id)))


def test_what_rings_behind_a_late_report_of_the_same_alarm_is_told(home: Home) -> None:
    """Of what was over hours ago nobody is asked: whoever is asleep there must hear of this one."""
    began, over = home.city.time - timedelta(hours=3), home.city.time - timedelta(hours=2)
    ring(home, alarm_id="hours-ago", since=began)
    ring(home, active=False, alarm_id="hours-ago", since=over)
    home.later(seconds=1)
    assert home.fires()[0]["phase"] == "past"
    home.later(seconds=5)
    ring(home, alarm_id="this-moment")
    assert home.fires()[0]["phase"] == "asking"
    now, _before = alerts(home.city)
    assert now["detail"]["repeats"] is None
    assert now["id"] in raised(home)


def test_what_rings_on_elsewhere_is_told_there(home: Home) -> None:
    """Its fire stays where it began; nobody there is at the alarm any more."""
    ring(home, alarm_id="in-its-home")
    home.later(seconds=5)
    ring(home, active=False, alarm_id="in-its-home")
    with writing(home.city.services.sessions) as session:
        households.take_device(session, HOME, KITCHEN, by="test", now=home.city.time)
    home.later(seconds=5)
    ring(home, alarm_id="in-nobodys")
    assert len(raised(home)) == 2


def test_a_fire_that_goes_on_and_off_is_asked_once_and_called(home: Home) -> None:
    for number in range(6):
        ring(home, alarm_id=f"flapping-{number}")
        home.later(seconds=5)
        ring(home, active=False, alarm_id=f"flapping-{number}")
        home.later(seconds=5)
    *repeated, alert = alerts(home.city)
    assert alert["detail"]["times"] == 6
    assert {one["detail"]["repeats"] for one in repeated} == {alert["id"]}
    with home.city.services.sessions() as session:
        again = session.scalars(select(OutboxEntry).where(OutboxEntry.purpose == "again")).all()
    assert set(raised(home)) == {alert["id"]}, "one message"
    assert {one.alert_id for one in again} <= {alert["id"]}
    home.later(seconds=1)
    (fire,) = home.fires()
    assert (fire["phase"], fire["reason"]) == ("called", "no-answer")


def test_what_repeats_a_fire_is_reminded_of_though_its_fire_is_over(home: Home) -> None:
    """Given that everybody was told of the first alert, and an alarm that goes on ringing."""
    hook = Hook()
    channel(home.city, hook.url, "neighbour", username="neighbour")
    ring(home, alarm_id="first-alarm")
    home.later(seconds=61)
    home.told()
    ring(home, active=False, alarm_id="first-alarm")
    home.later(seconds=5)
    ring(home, alarm_id="second-alarm")
    assert len(raised(home)) <= 1
    services = home.city.services
    home.city.later(seconds=700)
    remind(services.sessions, services.now(), timedelta(seconds=600))
    home.told()
    told = len(hook.received)
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.look()
    home.told()
    home.told()
    cleared = len(hook.received)
    assert cleared > told
    home.city.later(seconds=700)
    assert remind(services.sessions, services.now(), timedelta(seconds=600)) == 1
    home.told()
    assert len(hook.received) == cleared + 1, "it rings still, and somebody hears of it"
    hook.close()


@pytest.mark.parametrize("aside", ["shelve", "service"])
def test_a_fire_rings_anew_though_somebody_put_its_first_alert_aside(
    home: Home, aside: str
) -> None:
    ring(home, alarm_id="first-alarm")
    (alert,) = alerts(home.city)
    until = (home.city.time + timedelta(minutes=20)).isoformat()
    body = {"until": until} | ({"out_of_service": True} if aside == "service" else {})
    client = home.city.client("maintainer")
    client.post(f"/api/v1/alerts/{alert['id']}/{aside}", json=body).raise_for_status()
    home.later(seconds=5)
    ring(home, active=False, alarm_id="first-alarm")
    home.later(seconds=5)
    ring(home, alarm_id="second-alarm")
    home.later(seconds=5)
    ring(home, active=False, alarm_id="second-alarm")
    home.later(seconds=5)
    ring(home, alarm_id="third-alarm")
    third, second, first = alerts(home.city)
    assert second["detail"]["repeats"] is None
    assert third["detail"]["repeats"] == second["id"], "and that one counts from now on"
    assert set(raised(home)) == {first["id"], second["id"]}
