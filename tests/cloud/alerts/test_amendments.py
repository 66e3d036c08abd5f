"""What an alert gains while it lives: severity, place, titles, details, each in its history."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from cloud_city import City, exceedance
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.acts import AlertUnknown
from vigil_cloud.alerts.amendments import Amendment, Coordinates, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender
from webhook import Hook, channel


@pytest.fixture
def loud(city: City) -> str:
    """The id of an alert that stands."""
    city.send(exceedance(city.time), "mic-1")
    with city.services.sessions() as session:
        return session.scalars(select(AlertRow.id)).one()


def amended(city: City, alert: str, account: str | None = None, **changes: Any) -> None:
    with writing(city.services.sessions) as session:
        amend(session, alert, Amendment(**changes), city.time, account=account)


def shown(city: City) -> dict[str, Any]:
    (alert,) = city.alerts("inspector")
    return alert


def test_place_titles_and_details_are_shown_and_stay_in_the_history(city: City, loud: str) -> None:
    with city.services.sessions() as session:
        before = feed.head(session)
    amended(
        city,
        loud,
        account="inspector",
        title="A motorcycle",
        place=Coordinates(23.5, 120.5),
        detail={"plate": "ABC"},
        reason="second review",
    )

    alert = shown(city)
    assert alert["title"] == "A motorcycle"
    assert (alert["latitude"], alert["longitude"]) == (23.5, 120.5)
    assert alert["detail"]["plate"] == "ABC"
    assert alert["detail"]["LAFmax"] > 90, "what was known stays"
    line = alert["history"][-1]
    assert (line["action"], line["account"]) == ("amended", "inspector")
    assert line["comment"] == "title, place, detail: second review"
    with city.services.sessions() as session:
        assert feed.head(session) == before + 1, "screens are told"


def test_the_same_again_changes_nothing(city: City, loud: str) -> None:
    for _ in range(3):
        amended(city, loud, severity="critical", detail={"source": "upstream"})

    history = [line["action"] for line in shown(city)["history"]]
    assert history.count("worsened") == 1
    assert "amended" not in history


def test_a_higher_severity_is_told_again_also_to_who_acknowledged(
    city: City, hook: Hook, loud: str
) -> None:
    channel(city, hook.url, role=Role.INSPECTOR)
    sender = NotificationSender(city.services)
    sender.deliver_due()
    client = city.client("inspector")
    client.post(f"/api/v1/alerts/{loud}/acknowledge", json={}).raise_for_status()
    city.later(minutes=1)

    amended(city, loud, severity="critical", reason="the fourth this week")
    sender.deliver_due()

    assert hook.titles[-1].startswith("AGAIN: ")
    assert "the fourth this week" in hook.received[-1]["message"]
    assert shown(city)["state"]["acknowledged"] is False


def test_a_lower_severity_is_shown_and_told_to_nobody(city: City, hook: Hook, loud: str) -> None:
    amended(city, loud, severity="critical")
    channel(city, hook.url, role=Role.INSPECTOR)
    NotificationSender(city.services).deliver_due()
    before = len(hook.received)

    amended(city, loud, severity="info", reason="a false reading")
    NotificationSender(city.services).deliver_due()

    assert shown(city)["severity"] == "info"
    assert shown(city)["history"][-1]["comment"] == "critical → info: a false reading"
    assert len(hook.received) == before


def test_what_is_not_there_cannot_be_amended(city: City) -> None:
    with pytest.raises(AlertUnknown):
        amended(city, "0" * 36, title="x")
