"""When people are told, told again, reminded and left alone: shelves, acknowledgements, homes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloud_city import GATEWAY, City
from vigil_cloud.alerts.platform import clear_platform, raise_platform
from vigil_cloud.alerts.service import Audience, Occurrence, record
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.channels import BadChannel
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_schemas.types import isoformat_utc
from webhook import Hook, channel, deliveries, plan


def fire(city: City, **changes: Any) -> None:
    values: dict[str, Any] = {
        "domain": "smoke",
        "reference": "alarm-0001",
        "kind": "smoke",
        "gateway": GATEWAY,
        "device": "alarm-1",
        "title": "Smoke alarm at Chen home",
        "title_zh": "陳宅 火災警報",
        "severity": "critical",
        "event_time": city.time,
        "active": True,
    }
    with writing(city.services.sessions) as session:
        record(session, Occurrence(**(values | changes)), city.time)


def act(city: City, action: str, **body: Any) -> None:
    (alert,) = city.alerts("maintainer")
    answer = city.client("maintainer").post(f"/api/v1/alerts/{alert['id']}/{action}", json=body)
    assert answer.status_code == 200, answer.text


def shelve(city: City, **span: float) -> None:
    act(city, "shelve", until=(city.time + timedelta(**span)).isoformat())


def test_a_shelf_across_the_moment_of_escalation_only_postpones_it(city: City, hook: Hook) -> None:
    channel(city, hook.url, "second line", role=Role.MAINTAINER, escalate_after_s=60)
    sender = NotificationSender(city.services)
    fire(city)
    shelve(city, hours=1)
    city.later(seconds=60)
    sender.deliver_due()
    (alert,) = city.alerts("dispatcher")
    (delivery,) = alert["deliveries"]
    assert (delivery["state"], delivery["reason"]) == ("waiting", "shelved")
    assert delivery["error"] == "shelved until 2026-03-01 05:00 UTC"

    city.later(hours=1)
    sender.deliver_due()

    assert hook.titles == ["Smoke alarm at Chen home"]


@pytest.mark.parametrize("way", ["unshelve", "service"])
def test_what_comes_back_before_its_time_escalates_at_once(
    city: City, hook: Hook, way: str
) -> None:
    channel(city, hook.url, "second line", role=Role.DISPATCHER, escalate_after_s=60)
    sender = NotificationSender(city.services)
    fire(city)
    if way == "unshelve":
        shelve(city, hours=1)
    else:
        act(
            city,
            "service",
            out_of_service=True,
            until=isoformat_utc(city.time + timedelta(hours=1)),
        )
    city.later(minutes=5)
    sender.deliver_due()
    assert hook.received == []

    act(city, way, **({} if way == "unshelve" else {"out_of_service": False}))
    sender.deliver_due()

    assert len(hook.received) == 1


@pytest.mark.parametrize(
    ("way", "reason"),
    [("acknowledge", "acknowledged"), ("over", "over"), ("closed", "not-allowed")],
)
def test_each_reason_for_leaving_somebody_alone_has_its_own_text(
    city: City, hook: Hook, way: str, reason: str
) -> None:
    channel(city, hook.url, "second line", role=Role.MAINTAINER, escalate_after_s=60)
    fire(city)
    plan(city)
    if way == "acknowledge":
        act(city, "acknowledge")
    elif way == "over":
        fire(city, active=False)
    else:
        channel(city, hook.url, "second line", role=Role.INSPECTOR, escalate_after_s=60)
    city.later(seconds=60)
    NotificationSender(city.services).deliver_due()

    (alert,) = city.alerts("maintainer")
    (delivery,) = alert["deliveries"]
    assert (delivery["state"], delivery["reason"]) == ("skipped", reason)
    texts = {"acknowledged": "acknowledged by maintainer", "not-allowed": "not allowed any more"}
    assert delivery["error"] == texts.get(reason, reason)


def test_who_acknowledges_ends_the_tries_of_what_fails(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    hook.status = 500
    sender = NotificationSender(city.services)
    fire(city)
    sender.deliver_due()
    act(city, "acknowledge")
    city.later(minutes=1)
    sender.deliver_due()

    assert deliveries(city, "dispatcher") == [("hook", "skipped", 1)]


def test_a_fire_that_nobody_acknowledges_is_told_again_every_ten_minutes(
    city: City, hook: Hook
) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    fire(city)
    for _ in range(31):
        sender = NotificationSender(city.services)  # each restart remembers
        sender.remind()
        sender.deliver_due()
        city.later(minutes=1)

    assert hook.titles == ["Smoke alarm at Chen home"] + 3 * ["REMINDER: Smoke alarm at Chen home"]
    assert "stands since 2026-03-01 12:00:00" in hook.received[1]["message"]
    (alert,) = city.alerts("dispatcher")
    purposes = [each["purpose"] for each in alert["deliveries"]]
    assert purposes == ["raised", "reminder"], "one row"


@pytest.mark.parametrize("way", ["acknowledge", "shelve", "over", "minor"])
def test_nobody_is_reminded_of_what_is_taken_on_or_over(city: City, hook: Hook, way: str) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    fire(city, severity="minor" if way == "minor" else "critical")
    sender.deliver_due()
    if way == "acknowledge":
        act(city, "acknowledge")
    elif way == "shelve":
        shelve(city, hours=1)
    elif way == "over":
        fire(city, active=False)
    city.later(minutes=11)
    sender.remind()
    sender.deliver_due()

    assert len(hook.received) == 1


def test_another_sign_is_told_once_also_to_who_acknowledged(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    fire(city)
    sender.deliver_due()
    act(city, "acknowledge")
    city.later(minutes=3)
    fire(city, tell_again="heat")
    fire(city, tell_again="heat")  # the gateway sends it again
    sender.deliver_due()

    assert hook.titles[1:] == ["AGAIN: Smoke alarm at Chen home"]
    assert "Told again: heat." in hook.received[1]["message"]
    (alert,) = city.alerts("dispatcher")
    assert not alert["state"]["acknowledged"], "it has to be looked at anew"


@pytest.mark.parametrize(
    ("reason", "english", "chinese"),
    [
        ("second_alarm", "a second alarm rings", "第二個警報器作響"),
        ("density 0.12, heat", "denser smoke (0.12), heat", "煙霧變濃 (0.12)、高溫"),
        ("something new", "something new", "something new"),
    ],
)
def test_why_it_is_told_again_is_said_in_both_languages(
    city: City, hook: Hook, reason: str, english: str, chinese: str
) -> None:
    channel(city, hook.url, "en", role=Role.DISPATCHER)
    channel(city, hook.url, "zh", role=Role.DISPATCHER, language="zh-TW")
    sender = NotificationSender(city.services)
    fire(city)
    sender.deliver_due()
    fire(city, tell_again=reason)
    sender.deliver_due()

    told = "\n".join(message["message"] for message in hook.received[2:])
    assert f"Told again: {english}." in told
    assert f"再次通報：{chinese}。" in told


def test_a_sign_that_came_with_the_alert_itself_is_no_news(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    for _ in range(2):
        fire(city, tell_again="heat")
    NotificationSender(city.services).deliver_due()

    assert hook.titles == ["Smoke alarm at Chen home"]


def test_a_test_that_turns_out_to_be_a_fire_is_told_to_everybody(city: City, hook: Hook) -> None:
    home = Hook()
    channel(city, hook.url, role=Role.DISPATCHER)
    channel(city, home.url, "home", username="family", devices=["alarm-1"], language="zh-TW")
    sender = NotificationSender(city.services)
    test = {"kind": "test", "severity": "minor", "audience": "home"}
    fire(city, title="Smoke alarm test at Chen home", title_zh="陳宅 警報器測試", **test)
    sender.deliver_due()
    assert home.titles == ["測試：陳宅 警報器測試"]
    assert hook.received == []

    city.later(minutes=3)
    fire(city)
    sender.deliver_due()
    home.close()

    assert hook.titles == ["AGAIN: Smoke alarm at Chen home"]
    assert home.titles[1:] == ["再次通報：陳宅 火災警報"]


@pytest.mark.parametrize(
    ("audience", "told"),
    [
        ("all", {"home", "dispatcher", "maintainer"}),
        ("home-and-maintainers", {"home", "maintainer"}),
        ("home", {"home"}),
    ],
)
def test_an_audience_is_who_is_told(
    city: City, hook: Hook, audience: Audience, told: set[str]
) -> None:
    channel(city, hook.url, "home", username="family", devices=["alarm-1"])
    channel(city, hook.url, "dispatcher", role=Role.DISPATCHER)
    channel(city, hook.url, "maintainer", role=Role.MAINTAINER)
    channel(city, hook.url, "neighbour", username="inspector", devices=["alarm-2"])
    channel(city, hook.url, "police", role=Role.POLICE)
    fire(city, audience=audience)
    plan(city)

    (alert,) = city.alerts("dispatcher")
    assert {each["channel"] for each in alert["deliveries"]} == told


def test_an_alarm_that_nobody_gave_to_a_home_rings_in_those_on_its_gateway(
    city: City, hook: Hook
) -> None:
    channel(city, hook.url, "home", username="family", devices=["alarm-1"])
    fire(city, device="alarm-9")

    assert deliveries(city, "dispatcher") == [("home", "waiting", 0)]


def test_a_home_is_told_of_no_other_domain_and_of_nobodys_whereabouts(
    city: City, hook: Hook
) -> None:
    channel(city, hook.url, "home", username="family", devices=["alarm-1"])
    fire(city, domain="noise", device="mic-1")

    assert deliveries(city, "inspector") == []


def test_a_home_gets_no_link_to_a_page_that_it_may_not_open(city: City, hook: Hook) -> None:
    channel(city, hook.url, "home", username="family", devices=["alarm-1"])
    fire(city)
    NotificationSender(city.services).deliver_due()

    assert "/alerts/" not in hook.received[0]["message"]


def silent(city: City, gateway: str = GATEWAY) -> None:
    with writing(city.services.sessions) as session:
        raise_platform(
            session,
            "gateway-silent",
            gateway,
            severity="major",
            title=f"Gateway {gateway} is silent",
            title_zh=f"閘道器 {gateway} 失聯",
            gateway=gateway,
            now=city.time,
        )


def heard(city: City, gateway: str = GATEWAY) -> None:
    with writing(city.services.sessions) as session:
        clear_platform(session, "gateway-silent", gateway, gateway=gateway, now=city.time)


def test_a_blink_of_the_platform_is_told_to_nobody(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.MAINTAINER)
    sender = NotificationSender(city.services)
    silent(city)
    sender.deliver_due()
    city.later(seconds=10)
    heard(city)
    city.later(minutes=5)
    sender.deliver_due()

    assert hook.received == []
    assert deliveries(city, "maintainer") == [("hook", "skipped", 0)]


def test_what_came_back_and_stays_is_told_after_all_and_once(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.MAINTAINER)
    sender = NotificationSender(city.services)
    silent(city)
    city.later(seconds=10)
    heard(city)
    city.later(minutes=2)
    sender.deliver_due()
    silent(city)
    for _ in range(3):
        city.later(minutes=2)
        sender.deliver_due()
        heard(city)
        silent(city)

    assert hook.titles == ["Gateway gw-east is silent"]


def test_an_outage_of_the_whole_city_is_one_message(city: City, hook: Hook) -> None:
    channel(city, hook.url, role=Role.MAINTAINER)
    sender = NotificationSender(city.services)
    for number in range(200):  # noticed one after the other, in the course of a minute
        silent(city, f"gw-{number:03}")
        city.later(seconds=0.3)
        if number % 20 == 0:
            sender.deliver_due()
    city.later(seconds=30)
    sender.deliver_due()
    city.later(minutes=2)
    sender.deliver_due()

    assert len(hook.received) == 1
    assert hook.titles[0].startswith("200 alerts: Gateway gw-")
    assert "power and network" in hook.received[0]["message"]


def test_a_silent_gateway_is_told_to_the_homes_on_it(city: City, hook: Hook) -> None:
    channel(city, hook.url, "home", username="family", devices=["alarm-1"])
    channel(city, hook.url, "elsewhere", username="inspector", devices=["alarm-9"])
    silent(city)

    assert deliveries(city, "maintainer") == [("home", "waiting", 0)]


def test_a_home_channel_names_devices_by_their_ids(city: City) -> None:
    with pytest.raises(BadChannel):
        channel(city, "json://localhost/", "home", username="family", devices=["not a device"])


def test_marks_stay_whatever_comes_later(city: City) -> None:
    fire(city, marks={"time_quality": "ahead"})
    fire(city, active=False, detail={"cleared": "2026-03-01T04:00:00Z"})

    (alert,) = city.alerts("dispatcher")
    assert alert["detail"]["time_quality"] == "ahead"
