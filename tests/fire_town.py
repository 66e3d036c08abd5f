"""A home with two smoke alarms, those who belong to it, and what the platform's jobs do each
second."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import httpx

from aed_town import Line119
from cloud_city import City
from vigil_cloud.database.engine import writing
from vigil_cloud.emergency import service as emergency
from vigil_cloud.emergency.cap import NAMESPACE
from vigil_cloud.identity import households
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.smoke.live import Watch
from vigil_schemas.smoke import SmokeAlarm

HOME = "home-chen"
KITCHEN, BEDROOM = "alarm-1", "alarm-2"
CODE = "7391"
ADDRESS = "嘉義市西區八十八巷12號"
PARTICULARS = {
    "floor": "3F",
    "needs_help": [{"name": "陳奶奶", "need": "cannot walk"}],
    "contacts": [{"name": "陳先生", "phone": "0912-345-678"}],
    "keys": "with the guard",
}


class Seconds:
    """A clock that nobody sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Home:
    """The home of a city; ``look`` is one round of the jobs."""

    def __init__(self, city: City, *, code: str | None = CODE, furnished: bool = False) -> None:
        """``furnished``: the city is a copy of one in which a home was made."""
        self.city = city
        self.seconds = Seconds()
        self.watch = Watch(self.seconds)
        if not furnished:
            self._furnish(city, code)
        if code is not None:
            city.later(seconds=1)

    def _furnish(self, city: City, code: str | None) -> None:
        city.birth(also=(BEDROOM,))
        people = {
            "resident": Relation.RESIDENT,
            "neighbour": Relation.CONTACT,
            "guardian": Relation.GUARDIAN,
        }
        for name in people:
            city.account(name, Role.FAMILY)
        with writing(city.services.sessions) as session:
            home = households.Described("Chen", ADDRESS, None, (23.481, 120.441))
            households.put(session, city.cipher, HOME, home, by="test", now=city.time)
            for name, relation in people.items():
                account = account_named(session, name)
                households.add_member(
                    session, HOME, by="test", now=city.time, account=account, relation=relation
                )
            for device in (KITCHEN, BEDROOM):
                households.give_device(session, HOME, device, by="test", now=city.time)
        if code is not None:
            self.say("resident", "PUT", f"/homes/{HOME}/code", {"code": code})

    def say(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        answer = self.city.client(who).request(method, f"/api/v1/smoke{path}", json=body)
        answer.raise_for_status()
        return answer

    def fires(self, who: str = "dispatcher") -> list[dict[str, Any]]:
        path = "/fires" if who == "dispatcher" else "/fires/mine"
        found: list[dict[str, Any]] = self.say(who, "GET", path).json()["fires"]
        return found

    def card(self) -> dict[str, Any]:
        found: dict[str, Any] = self.say(
            "dispatcher", "GET", f"/fires/{self.fires()[0]['fire']}"
        ).json()
        return found

    def act(self, who: str, what: str, body: Any = None) -> httpx.Response:
        """On the newest fire, whatever is answered."""
        fire = self.fires()[0]["fire"]
        return self.city.client(who).post(f"/api/v1/smoke/fires/{fire}/{what}", json=body)

    def look(self, watch: Watch | None = None) -> None:
        (watch or self.watch).look(self.city.services)
        emergency.send_due(self.city.services)

    def look_119(self) -> None:
        """119 alone is told."""
        emergency.send_due(self.city.services)

    def later(self, seconds: float) -> None:
        """Both clocks go on, and the jobs look."""
        self.city.later(seconds=seconds)
        self.seconds.now += seconds
        self.look()

    def told(self) -> None:
        """Messages go out."""
        NotificationSender(self.city.services).deliver_due()


def ring(home: Home, device: str = KITCHEN, active: bool = True, **fields: object) -> None:
    told = {
        "alarm_id": f"{device}-smoke",
        "condition": "smoke",
        "active": active,
        "since": home.city.time,
        **fields,
    }
    home.city.send(SmokeAlarm.model_validate(told), device)


def kinds(line: Line119) -> list[str | None]:
    return [ET.fromstring(one).findtext(f"{{{NAMESPACE}}}msgType") for one in line.received]
