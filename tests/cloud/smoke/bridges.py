"""Homes behind two bridges, and what is kept after messages that came together or one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import insert, inspect, select
from sqlalchemy.orm import Session

from city_ingest import CityIngest
from cloud_city import City, alarm
from gateways import birth, event
from sql import statements
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertHistory, AlertRow, FeedEntry, OutboxEntry
from vigil_cloud.capacity.models import Dropped
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.models import Household, HouseholdDevice
from vigil_cloud.ingest.models import TakenEvent, Watermark
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.smoke import returns
from vigil_cloud.smoke.models import AlarmCondition, Fire, FireAlarm, FireStep
from vigil_schemas.gateway import DeviceDescription, DeviceHealth
from vigil_schemas.types import Model

BRIDGES = ("bridge-1", "bridge-2")
SINGLY = 20
"""Alerts of a gateway that are told singly in a minute."""
UPKEEP = sorted(returns.UPKEEP)


class Said(NamedTuple):
    """One message of an event lane."""

    gateway: str
    device: str
    data: Model


class Town:
    """Homes with two alarms each behind the first half of a bridge's ``each`` alarms, and none
    behind the rest."""

    def __init__(self, city: City, each: int) -> None:
        self.city, self.each = city, each
        self.ingest = CityIngest(city, *BRIDGES)
        self.sent: Counter[str] = Counter()
        for bridge in BRIDGES:
            devices = [
                DeviceDescription(device=name, domain="smoke", driver="test", name=name.title())
                for name in alarms(bridge, each)
            ]
            born = event(
                bridge,
                None,
                birth(city.time, devices),
                subject=bridge,
                time=city.time,
                lane="status",
            )
            self.store([(f"vigil/v1/{bridge}/status", born)])
        homes = {
            f"home-{bridge}-{number // 2}": bridge
            for bridge in BRIDGES
            for number in range(each // 2)
        }
        with writing(city.services.sessions) as session:
            session.execute(
                insert(Household),
                [
                    {"key": key, "name": b"-", "address": b"-", "created": city.time}
                    for key in homes
                ],
            )
            session.execute(
                insert(HouseholdDevice),
                [
                    {
                        "household": f"home-{bridge}-{number // 2}",
                        "device": f"{bridge}-{number:03}",
                        "since": city.time,
                    }
                    for bridge in BRIDGES
                    for number in range(each // 2)
                ],
            )

    def messages(self, said: Sequence[Said]) -> list[tuple[str, bytes]]:
        """Numbered, under ids that are the same in every town."""
        found = []
        for gateway, device, data in said:
            self.sent[gateway] += 1
            number = self.sent[gateway]
            payload = event(
                gateway,
                number,
                data,
                subject=device,
                time=self.city.time,
                event_id=f"{gateway}-{number}",
            )
            found.append((f"vigil/v1/{gateway}/event", payload))
        return found

    def store(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """In one batch."""
        self.ingest.store_all(messages)

    def say(self, said: Sequence[Said]) -> None:
        self.store(self.messages(said))

    def say_singly(self, said: Sequence[Said]) -> None:
        for each in self.messages(said):
            self.store([each])


def alarms(bridge: str, each: int = 8) -> list[str]:
    return [f"{bridge}-{number:03}" for number in range(each)]


def link(city: City, device: str, lost: bool, condition: str = "link_lost") -> Model:
    return alarm(city.time, active=lost, condition=condition, id=f"{device}-{condition}")


def health(city: City, device: str, lost: bool) -> Model:
    return DeviceHealth(
        device=device,
        state="failed" if lost else "ok",
        since=city.time,
        code="link-lost" if lost else None,
        message="silent for too long" if lost else None,
    )


def of_all(town: Town, lost: bool) -> list[Said]:
    """What the bridges say as their links are lost or back, alarm by alarm."""
    city = town.city
    return [
        Said(bridge, device, make(city, device, lost))
        for number in range(town.each)
        for bridge in BRIDGES
        for device in (f"{bridge}-{number:03}",)
        for make in (link, health)
    ]


MakeTown = Callable[..., Town]


def kept(town: Town) -> dict[str, Any]:
    """Everything that follows from messages, with names in place of numbers drawn."""
    with town.city.services.sessions() as session:
        alerts = session.scalars(select(AlertRow).order_by(AlertRow.raised, AlertRow.key)).all()
        names: dict[str, str] = {}
        for row in alerts:
            many = f"many {row.gateway} {row.household}"
            taken = sum(name.startswith(f"{many} ") for name in names.values())
            names[row.id] = f"{many} {taken}" if row.kind == MANY else row.key
        found: dict[str, Any] = {
            "alerts": {names[row.id]: columns(row) - {"id", "key", "version"} for row in alerts},
            "conditions": {
                row.id: columns(row) - {"alert_id"} | {"alert": names[row.alert_id]}
                for row in session.scalars(select(AlarmCondition))
            },
            "devices": {row.device: columns(row) for row in session.scalars(select(Device))},
            "taken": sorted(
                (row.gateway, row.event_id, row.said) for row in session.scalars(select(TakenEvent))
            ),
            "marks": {
                row.source: (row.stored, row.beyond, row.refused)
                for row in session.scalars(select(Watermark))
            },
            "refused": sorted(
                (row.reason, row.detail) for row in session.scalars(select(DeadLetter))
            ),
            "dropped": {
                (row.gateway, row.kind): (row.count, row.bytes, row.last)
                for row in session.scalars(select(Dropped))
            },
        }
        fires, found["fires"] = fires_in(session, names)
        found["feed"] = {
            (row.kind, {**names, **fires}.get(row.key, row.key))
            for row in session.scalars(select(FeedEntry))
        }
        history = session.scalars(select(AlertHistory).order_by(AlertHistory.id))
        outbox = session.scalars(select(OutboxEntry).order_by(OutboxEntry.id))
        for name, written in (("history", list(history)), ("outbox", list(outbox))):
            lines: dict[str, list[Any]] = {}
            for each in written:
                line = columns(each) - {"id", "alert_id"}
                if line.get("text") is not None:
                    line["text"] = "sealed anew each time"
                lines.setdefault(names[each.alert_id], []).append(line)
            found[name] = lines
        return found


def fires_in(session: Session, names: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """What each is called here, and what is kept of it."""
    rows = session.scalars(select(Fire).order_by(Fire.opened, Fire.home, Fire.device)).all()
    called = {row.id: f"{row.home} {number}" for number, row in enumerate(rows)}
    found = {
        called[row.id]: {
            **(columns(row) - {"id", "alert_id"}),
            "alert": names[row.alert_id],
            "alarms": {
                one.reference: names[one.alert_id]
                for one in session.scalars(select(FireAlarm).where(FireAlarm.fire == row.id))
            },
            "steps": [
                (one.at, one.what, one.who)
                for one in session.scalars(
                    select(FireStep).where(FireStep.fire == row.id).order_by(FireStep.id)
                )
            ],
        }
        for row in rows
    }
    return called, found


class Columns(dict[str, Any]):
    """By name; ``-`` leaves some out."""

    def __sub__(self, names: set[str]) -> Columns:
        return Columns({name: value for name, value in self.items() if name not in names})


def columns(row: Any) -> Columns:
    return Columns({each.key: getattr(row, each.key) for each in inspect(type(row)).column_attrs})


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name in one:
        assert one[name] == other[name], name


def cost(town: Town, messages: Sequence[tuple[str, bytes]]) -> int:
    with statements(town.city.services.engine) as asked:
        town.store(messages)
    return len(asked)
