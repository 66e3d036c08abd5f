"""Alerts of the platform itself: raised once, worsened, cleared, opened again, seen by whom."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_city import City
from vigil_cloud.alerts.platform import clear_platform, raise_platform
from vigil_cloud.alerts.schema import Severity
from vigil_cloud.database.engine import writing


def silent(city: City, severity: Severity = "major") -> None:
    with writing(city.services.sessions) as session:
        raise_platform(
            session,
            "gateway-silent",
            "gw-east",
            severity=severity,
            title="Gateway gw-east is silent",
            title_zh="閘道器 gw-east 失聯",
            gateway="gw-east",
            now=city.time,
        )


def heard(city: City) -> bool:
    with writing(city.services.sessions) as session:
        return clear_platform(
            session, "gateway-silent", "gw-east", gateway="gw-east", now=city.time
        )


def actions(alert: dict[str, Any]) -> list[str]:
    return [line["action"] for line in alert["history"]]


def test_the_same_trouble_is_one_alert_that_says_what_to_do(either_city: City) -> None:
    city = either_city
    silent(city)
    silent(city)

    (alert,) = city.alerts("maintainer")
    assert alert["domain"] == "platform"
    assert alert["state"]["active"]
    assert "power and network" in alert["detail"]["remedy"]
    assert "電源" in alert["detail"]["remedy_zh"]
    assert actions(alert) == ["raised"]


def test_it_ends_by_itself_and_the_next_time_is_another_alert(either_city: City) -> None:
    city = either_city
    silent(city)
    assert heard(city)
    assert not heard(city)
    city.later(minutes=11)
    silent(city)

    later, first = city.alerts("maintainer")
    assert not first["state"]["active"]
    assert later["state"]["active"]
    assert heard(city)


def test_what_comes_back_at_once_is_the_same_trouble(city: City) -> None:
    silent(city)
    heard(city)
    city.later(minutes=9)
    silent(city)

    (alert,) = city.alerts("maintainer")
    assert alert["state"]["active"]
    assert actions(alert) == ["raised", "cleared", "raised"]


def test_what_gets_worse_has_to_be_acknowledged_anew(city: City) -> None:
    silent(city, "minor")
    (alert,) = city.alerts("maintainer")
    city.client("maintainer").post(f"/api/v1/alerts/{alert['id']}/acknowledge", json={})
    silent(city, "critical")
    silent(city, "minor")

    (alert,) = city.alerts("maintainer")
    assert alert["severity"] == "critical"
    assert not alert["state"]["acknowledged"]
    assert actions(alert) == ["raised", "acknowledged", "worsened", "told-again"]


@pytest.mark.parametrize(
    ("username", "sees"),
    [
        ("maintainer", True),
        ("administrator", True),
        ("dispatcher", False),
        ("inspector", False),
        ("family", False),
    ],
)
def test_only_who_maintains_the_platform_sees_it(city: City, username: str, sees: bool) -> None:
    silent(city)

    assert bool(city.alerts(username)) == sees
