"""Smoke in the cloud: what is critical, what is not, and what is kept of each condition."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete

from cloud_city import NOON, City, alarm
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing


@pytest.mark.parametrize(
    ("condition", "severity", "title", "title_zh"),
    [
        ("smoke", "critical", "Smoke alarm at Chen home", "陳宅 火災警報"),
        ("test", "minor", "Smoke alarm test at Chen home", "陳宅 警報器測試"),
        (
            "battery_alert",
            "minor",
            "Smoke alarm battery low at Chen home",
            "陳宅 警報器電池電量不足",
        ),
        ("hardware_fault", "minor", "Smoke alarm fault at Chen home", "陳宅 警報器故障"),
        ("tamper", "minor", "Smoke alarm tampered with at Chen home", "陳宅 警報器遭拆動"),
        ("link_lost", "minor", "Smoke alarm out of reach at Chen home", "陳宅 警報器失去連線"),
    ],
)
def test_only_smoke_is_critical(
    city: City, condition: str, severity: str, title: str, title_zh: str
) -> None:
    city.send(alarm(city.time, condition=condition), "alarm-1")

    (alert,) = city.alerts("dispatcher")
    assert alert["severity"] == severity
    assert (alert["title"], alert["title_zh"]) == (title, title_zh)


def test_a_fire_that_is_out_stays_on_the_list_until_somebody_has_seen_it(city: City) -> None:
    city.send(alarm(NOON), "alarm-1")
    city.send(alarm(NOON + timedelta(minutes=5), active=False), "alarm-1")

    (alert,) = city.alerts("dispatcher", active=True)

    assert alert["state"]["active"] is False
    assert alert["cleared"] == "2026-03-01T04:05:00Z"
    assert alert["detail"]["since"] == "2026-03-01T04:00:00Z", "when the fire began is not lost"
    client = city.client("dispatcher")
    (row,) = client.get("/api/v1/smoke/conditions").json()["conditions"]
    assert (row["activated"], row["cleared"]) == ("2026-03-01T04:00:00Z", "2026-03-01T04:05:00Z")
    lasting = client.get("/api/v1/smoke/conditions", params={"active": True}).json()
    assert lasting == {"conditions": []}


def test_a_device_that_has_not_been_described_is_called_by_its_id(city: City) -> None:
    city.send(alarm(NOON), "alarm-9")

    (alert,) = city.alerts("dispatcher")

    assert alert["title"] == "Smoke alarm at alarm-9"
    assert alert["latitude"] is None


def test_an_alarm_whose_old_alert_was_removed_for_its_age_is_raised(city: City) -> None:
    """Given a condition that outlived its alert (see retention), nothing of it stops a fire."""
    for active in (True, False):
        city.send(alarm(NOON, active=active), "alarm-1")
    with writing(city.services.sessions) as session:
        session.execute(delete(AlertRow))
    city.later(days=400)

    city.send(alarm(city.time), "alarm-1")

    (alert,) = city.alerts("dispatcher")
    assert (alert["severity"], alert["state"]["active"]) == ("critical", True)
