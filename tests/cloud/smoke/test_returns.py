"""Many alarms that are back at once: few statements, and the same that each would come to alone."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import insert, inspect, select

import servers
from city_ingest import CityIngest
from cloud_city import City, alarm
from gateways import birth, event
from sql import statements
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertHistory, AlertRow, OutboxEntry
from vigil_cloud.alerts.service import say_end
from vigil_cloud.capacity.limits import Quotas
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.models import Household, HouseholdDevice
from vigil_cloud.ingest.models import TakenEvent, Watermark
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.smoke import returns
from vigil_cloud.smoke.models import AlarmCondition, Fire
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


@pytest.fixture(params=["sqlite", "postgresql"])
def make_town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeTown]:
    made: list[City] = []

    def make(each: int = 48) -> Town:
        url = ""
        if request.param == "postgresql":
            template: str = request.getfixturevalue("migrated_postgres")
            server: servers.Postgres = request.getfixturevalue("postgres")
            url = server.create(f"t{uuid.uuid4().hex[:16]}", template)
        quotas = Quotas(alerts_a_minute=SINGLY)
        made.append(City(tmp_path / f"town-{len(made)}", url, quotas=quotas))
        return Town(made[-1], each)

    yield make
    for city in made:
        city.close()


def kept(town: Town) -> dict[str, Any]:
    """Everything that follows from messages, with names in place of numbers drawn."""
    with town.city.services.sessions() as session:
        alerts = session.scalars(select(AlertRow).order_by(AlertRow.raised, AlertRow.key)).all()
        names: dict[str, str] = {}
        for row in alerts:
            many = f"many {row.gateway} {row.household}"
            taken = sum(name.startswith(many) for name in names.values())
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
        }
        history = session.scalars(select(AlertHistory).order_by(AlertHistory.id))
        outbox = session.scalars(select(OutboxEntry).order_by(OutboxEntry.id))
        for name, written in (("history", list(history)), ("outbox", list(outbox))):
            lines: dict[str, list[Any]] = {}
            for each in written:
                line = columns(each) - {"id", "alert_id"}
                lines.setdefault(names[each.alert_id], []).append(line)
            found[name] = lines
        return found


class Columns(dict[str, Any]):
    """By name; ``-`` leaves some out."""

    def __sub__(self, names: set[str]) -> Columns:
        return Columns({name: value for name, value in self.items() if name not in names})


def columns(row: Any) -> Columns:
    return Columns({each.key: getattr(row, each.key) for each in inspect(type(row)).column_attrs})


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name in one:
        assert one[name] == other[name], name


def test_what_is_back_at_once_comes_to_the_same_as_each_by_itself(make_town: MakeTown) -> None:
    towns = make_town(), make_town()
    for town in towns:
        town.say(of_all(town, lost=True))
        town.city.later(hours=2)
    towns[0].say(of_all(towns[0], lost=False))
    towns[1].say_singly(of_all(towns[1], lost=False))
    found = kept(towns[0])
    same(found, kept(towns[1]))
    kinds = Counter(row["kind"] == MANY for row in found["alerts"].values())
    assert kinds[True] > 2, "there was a flood, and homes have alerts of their own"
    assert kinds[False] == 2 * SINGLY
    assert not any(row["active"] for row in found["alerts"].values())
    assert all(lines[-1]["action"] == "cleared" for lines in found["history"].values())
    assert all(lines[-1]["purpose"] == "all-clear" for lines in found["outbox"].values())
    assert {found["devices"][device]["state"] for device in alarms(BRIDGES[0], 48)} == {"ok"}
    assert found["refused"] == []


@pytest.mark.parametrize("seed", range(6))
def test_batches_of_everything_come_to_the_same_as_each_by_itself(
    make_town: MakeTown, seed: int
) -> None:
    """Ends before onsets, twice, of what never began, under a name that was used before, beside
    fires; of a few alarms, so that they meet."""
    towns = make_town(), make_town()
    for town, tell in zip(towns, (Town.say, Town.say_singly), strict=True):
        rng = random.Random(seed)
        for _ in range(25):
            tell(town, drawn(town.city, rng))
            town.city.later(seconds=rng.choice((1, 5, 90, 1200)))
    same(kept(towns[0]), kept(towns[1]))


def drawn(city: City, rng: random.Random) -> list[Said]:
    found = []
    ends = rng.random() < 0.6  # a batch of ends alone, as a bridge that is back says
    for _ in range(rng.randrange(2, 12)):
        bridge = rng.choice(BRIDGES)
        device = f"{bridge}-{rng.choice((0, 1, 2, 3, 30, 31)):03}"
        if rng.random() < 0.3:
            found.append(Said(bridge, device, health(city, device, rng.random() < 0.5)))
            continue
        condition = rng.choice(UPKEEP if ends else (*UPKEEP, "smoke", "test"))
        active = not ends and rng.random() < 0.7
        name = rng.choice((f"{device}-{condition}", f"{device}-{condition}", "the same"))
        since = city.time - timedelta(seconds=rng.choice((0, 0, 3, 4000)))
        found.append(Said(bridge, device, alarm(since, active, condition, name.ljust(8, "-"))))
    return found


def cost(town: Town, messages: Sequence[tuple[str, bytes]]) -> int:
    with statements(town.city.services.engine) as asked:
        town.store(messages)
    return len(asked)


def test_two_hundred_that_are_back_ask_hardly_more_than_two(make_town: MakeTown) -> None:
    """Of the database; some of them were told singly, the others joined a flood's alerts."""
    town = make_town(104)
    town.say(of_all(town, lost=True))
    town.city.later(hours=2)
    said = of_all(town, lost=False)
    few, many = cost(town, town.messages(said[:8])), cost(town, town.messages(said[8:]))
    assert few <= 30
    assert many <= few + 6
    assert not any(row["active"] for key, row in kept(town)["alerts"].items() if "-000" in key)


def test_a_batch_that_comes_again_changes_nothing(make_town: MakeTown) -> None:
    """Its receipt was lost, or the process died before it was sent."""
    town = make_town(8)
    town.say(of_all(town, lost=True))
    town.city.later(hours=2)
    messages = town.messages(of_all(town, lost=False))
    town.store(messages)
    once = kept(town)
    town.city.later(seconds=30)
    town.store(messages)
    same(once, kept(town))


def test_a_group_that_fails_is_taken_one_by_one(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    towns = make_town(8), make_town(8)
    for town in towns:
        town.say(of_all(town, lost=True))
        town.city.later(hours=2)
    towns[1].say_singly(of_all(towns[1], lost=False))
    said = 0

    def fails_on_the_way(*args: Any) -> None:
        nonlocal said
        say_end(*args)
        said += 1
        if said == 5:
            raise ValueError("a mistake")

    monkeypatch.setattr("vigil_cloud.smoke.returns.say_end", fails_on_the_way)
    towns[0].say(of_all(towns[0], lost=False))
    assert said == 5
    same(kept(towns[0]), kept(towns[1]))


def test_smoke_beside_what_is_back_is_a_fire(make_town: MakeTown) -> None:
    town = make_town(8)
    town.say(of_all(town, lost=True))
    town.city.later(hours=2)
    said = of_all(town, lost=False)
    burns = Said(BRIDGES[0], alarms(BRIDGES[0])[3], alarm(town.city.time, id="it-burns"))
    town.say([*said[:9], burns, *said[9:]])
    with town.city.services.sessions() as session:
        (fire,) = session.scalars(select(Fire))
        assert (fire.device, fire.phase) == (burns.device, "asking")
        active = session.scalars(select(AlertRow.kind).where(AlertRow.active)).all()
    assert active == ["smoke"]
