"""A fire that is told with one-time links, and where they lead."""

from __future__ import annotations

import re
from typing import Any

from cloud_city import City, alarm
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender
from webhook import Hook, channel

PUBLIC = "http://vigil.example"


def told(city: City, hook: Hook, **whose: Any) -> dict[str, str]:
    """A fire is told through the hook; the paths of its links by answer."""
    channel(city, hook.url, **(whose or {"role": Role.DISPATCHER}))
    city.send(alarm(city.time), "alarm-1")
    NotificationSender(city.services).deliver_due()
    return links(hook.received[-1]["message"])


def links(message: str) -> dict[str, str]:
    found = re.findall(rf"{PUBLIC}(/r/[A-Za-z0-9_-]{{43}}/([a-z-]+))$", message, re.MULTILINE)
    return {answer: path for path, answer in found}


def fire(city: City, who: str = "dispatcher") -> dict[str, Any]:
    (alert,) = city.alerts(who)
    return alert
