"""A policy with people who are called by it, a fire, and what is asked of them in tests."""

from __future__ import annotations

from typing import Any

from cloud_city import GATEWAY, City
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.escalation import answers, policies
from vigil_cloud.notify.escalation.policy import parse
from vigil_cloud.notify.notification_sender import NotificationSender
from webhook import Hook, channel

HOME: dict[str, Any] = {
    "name": "fire at home",
    "match": {"domain": "smoke", "severity": "critical"},
    "remind_s": 120,
    "step": [
        {"after_s": 0, "channel": "sms", "persons": ["dispatcher"]},
        {"after_s": 60, "channel": "webhook", "persons": ["role:maintainer"]},
    ],
    "fallback": {"after_s": 180, "channel": "webhook", "persons": ["channel:control room"]},
}


def fire(city: City, *, active: bool = True, **changes: Any) -> None:
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
        "active": active,
    }
    with writing(city.services.sessions) as session:
        record(session, Occurrence(**(values | changes)), city.time)


def put(city: City, **changes: Any) -> None:
    with writing(city.services.sessions) as session:
        policies.put(session, parse(HOME | changes), by="operator", now=city.time)


def answer(city: City, who: str, word: Any, *, via: Any = "link") -> bool:
    alert = the_alert(city)["id"]
    with writing(city.services.sessions) as session:
        return answers.record(session, alert, who, word, city.time, via=via)


def the_alert(city: City, username: str = "administrator", domain: str = "smoke") -> dict[str, Any]:
    (alert,) = city.alerts(username, domain=domain)
    return alert


def standing(city: City) -> list[str]:
    """Kinds of the platform's own alerts that stand."""
    found = city.listed("administrator", domain="platform")
    return [one["kind"] for one in found if one["state"]["active"]]


class Stage:
    """A city with three people's hooks, and a sender."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.first, self.second, self.control = Hook(), Hook(), Hook()
        channel(city, self.first.url, "first", username="dispatcher", kind="sms")
        channel(city, self.second.url, "second", username="maintainer")
        channel(city, self.control.url, "control room", role=Role.DISPATCHER)
        self.sender = NotificationSender(city.services)

    def later(self, seconds: float) -> None:
        self.city.later(seconds=seconds)
        self.sender.deliver_due()

    @property
    def told(self) -> tuple[int, int, int]:
        """How often of the fire itself; maintainers hear of the platform's alerts as well."""
        first, second, control = (
            sum("Smoke alarm" in title for title in hook.titles)
            for hook in (self.first, self.second, self.control)
        )
        return first, second, control

    def close(self) -> None:
        for hook in (self.first, self.second, self.control):
            hook.close()
