"""Many alarms that are lost at once: few statements, and the same that each would come to alone.

The long form (``VIGIL_FULL=1``) draws eight times as many batches.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.smoke.bridges import (
    BRIDGES,
    SINGLY,
    UPKEEP,
    MakeTown,
    Said,
    Town,
    alarms,
    cost,
    health,
    kept,
    link,
    of_all,
    same,
)
from cloud_city import City, alarm
from vigil_cloud.alerts import flood
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import record_known
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import DeviceShelf
from vigil_cloud.domain.port import Received
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.ingest.queue import Arrived
from vigil_cloud.smoke.models import Fire
from vigil_cloud.smoke.service import SmokeHandler

Singly = list[str]
SEEDS = range(8 if os.environ.get("VIGIL_FULL") else 1)


@pytest.fixture
def singly(monkeypatch: pytest.MonkeyPatch) -> Singly:
    """Devices of smoke messages that were taken one by one."""
    found: Singly = []
    handle = SmokeHandler.handle

    def noting(handler: SmokeHandler, session: Session, message: Received) -> Any:
        found.append(message.envelope.subject)
        return handle(handler, session, message)

    monkeypatch.setattr(SmokeHandler, "handle", noting)
    return found


def many(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in found["alerts"].values() if row["kind"] == MANY]


def test_what_is_lost_at_once_comes_to_the_same_as_each_by_itself(
    make_town: MakeTown, singly: Singly
) -> None:
    towns = make_town(64), make_town(64)
    towns[0].say(of_all(towns[0], lost=True))
    assert singly == [], "all of it was taken together"
    towns[1].say_singly(of_all(towns[1], lost=True))
    found = kept(towns[0])
    same(found, kept(towns[1]))
    own = [row for row in found["alerts"].values() if row["kind"] != MANY]
    assert len(own) == len(found["conditions"]) == len(BRIDGES) * SINGLY
    homes = {row["household"] for row in many(found)}
    assert None in homes, "what stands in no home has a counted alert of its own"
    assert len(homes) > 2
    joined = sum(row["detail"]["count"] for row in many(found))
    assert joined == len(BRIDGES) * (64 - SINGLY)
    assert {count for count, _, _ in found["dropped"].values()} == {64 - SINGLY}
    again = [line for lines in found["outbox"].values() for line in lines if line["home_of"]]
    assert again != [], "each home hears of its own device"
    assert found["refused"] == []


def test_groups_of_any_size_come_to_the_same(make_town: MakeTown) -> None:
    """One flood that goes on over several transactions, at several moments."""
    towns = make_town(64), make_town(64)
    for town, size in zip(towns, (50, 6), strict=True):
        said = of_all(town, lost=True)
        for second in range(0, len(said), 50):
            part = said[second : second + 50]
            for first in range(0, len(part), size):
                town.say(part[first : first + size])
            town.city.later(seconds=20)
    same(kept(towns[0]), kept(towns[1]))


@pytest.mark.parametrize("seed", SEEDS)
def test_batches_with_fires_between_come_to_the_same_as_each_by_itself(
    make_town: MakeTown, seed: int
) -> None:
    """Of many conditions of a few alarms, so that they meet: onsets alone or with ends, in order
    and twice, before their time, while a fire rings, and while floods begin and go on."""
    towns = make_town(16), make_town(16)
    for town, tell in zip(towns, (Town.say, Town.say_singly), strict=True):
        rng = random.Random(seed)
        for _ in range(30):
            tell(town, drawn(town.city, rng))
            town.city.later(seconds=rng.choice((0, 1, 5, 59, 90, 700)))
    found = kept(towns[0])
    same(found, kept(towns[1]))
    assert many(found) != []
    assert found["fires"] != {}


def drawn(city: City, rng: random.Random) -> list[Said]:
    found = []
    kind = rng.choice(("onsets", "onsets", "ends", "both"))
    burns = rng.random() < 0.3
    for _ in range(rng.randrange(2, 30)):
        bridge = rng.choice(BRIDGES)
        device = f"{bridge}-{rng.randrange(16):03}"
        if rng.random() < 0.2:
            found.append(Said(bridge, device, health(city, device, rng.random() < 0.5)))
            continue
        fire = burns and rng.random() < 0.2
        condition = rng.choice(("smoke", "heat", "test") if fire else UPKEEP)
        active = kind == "onsets" or (kind == "both" and rng.random() < 0.6)
        often = rng.random() < 0.2
        name = f"{device}-{condition}-{0 if often else rng.randrange(1000)}"
        since = city.time - timedelta(seconds=rng.choice((0, 0, 3, 4000)))
        found.append(Said(bridge, device, alarm(since, active, condition, name.ljust(8, "-"))))
    return found


def test_two_hundred_that_are_lost_ask_hardly_more_than_two(make_town: MakeTown) -> None:
    """Of the database; some of them are told singly, the others begin counted alerts or join
    them."""
    town = make_town(104)
    said = of_all(town, lost=True)
    few, most = cost(town, town.messages(said[:8])), cost(town, town.messages(said[8:]))
    assert few <= 36
    assert most <= few + 8
    assert len(many(kept(town))) > 10


def test_a_batch_that_comes_again_changes_nothing(make_town: MakeTown) -> None:
    town = make_town(32)
    messages = town.messages(of_all(town, lost=True))
    town.store(messages)
    once = kept(town)
    town.city.later(seconds=30)
    town.store(messages)
    same(once, kept(town))


def test_a_group_that_fails_is_taken_one_by_one(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch, singly: Singly
) -> None:
    """Also where it fails after most of it was said."""
    towns = make_town(32), make_town(32)
    towns[1].say_singly(of_all(towns[1], lost=True))
    singly.clear()
    said = 0

    def fails_on_the_way(*args: Any) -> AlertRow:
        nonlocal said
        said += 1
        if said == 50:
            raise ValueError("a mistake")
        return record_known(*args)

    monkeypatch.setattr("vigil_cloud.smoke.losses.record_known", fails_on_the_way)
    towns[0].say(of_all(towns[0], lost=True))
    assert said == 50
    assert len(singly) == 64
    same(kept(towns[0]), kept(towns[1]))


def aside(town: Town, device: str) -> None:
    with writing(town.city.services.sessions) as session:
        session.add(
            DeviceShelf(
                device=device,
                kind="shelved",
                reason="is being moved",
                account="keeper",
                begun=town.city.time,
                until=town.city.time + timedelta(hours=2),
                settled=False,
            )
        )


def in_two_homes(town: Town, device: str) -> None:
    with writing(town.city.services.sessions) as session:
        other = select(HouseholdDevice.household).where(
            HouseholdDevice.device == alarms(BRIDGES[1])[0]
        )
        household = session.scalars(other).one()
        session.add(HouseholdDevice(household=household, device=device, since=town.city.time))


def known(town: Town, device: str) -> None:
    town.say([Said(BRIDGES[0], device, link(town.city, device, lost=True))])


def flaps(town: Town, device: str) -> None:
    for lost in (True, False):
        name = f"{device}-before"
        said = alarm(town.city.time, active=lost, condition="link_lost", id=name)
        town.say([Said(BRIDGES[0], device, said)])
        town.city.later(seconds=5)


@pytest.mark.parametrize("less_plain", [aside, in_two_homes, known, flaps])
def test_of_a_bridge_with_one_that_is_less_plain_each_goes_by_itself(
    make_town: MakeTown, singly: Singly, less_plain: Any
) -> None:
    """And of the other bridge nothing does."""
    towns = make_town(32), make_town(32)
    for town in towns:
        less_plain(town, alarms(BRIDGES[0])[1])
    singly.clear()
    towns[0].say(of_all(towns[0], lost=True))
    assert len(singly) == 32
    assert {name.rpartition("-")[0] for name in singly} == {BRIDGES[0]}
    towns[1].say_singly(of_all(towns[1], lost=True))
    if less_plain is not in_two_homes:  # of which either may be its own: nobody says which
        same(kept(towns[0]), kept(towns[1]))


def test_a_counted_alert_that_burns_or_was_taken_on_goes_on_as_it_does(
    make_town: MakeTown, singly: Singly
) -> None:
    """Whoever took a flood on hears of more devices as of one that nobody did; what is critical
    goes one by one."""
    towns = make_town(64), make_town(64)
    for town, tell in zip(towns, (Town.say, Town.say_singly), strict=True):
        said = of_all(town, lost=True)
        tell(town, said[:120])
        with writing(town.city.services.sessions) as session:
            counted = select(AlertRow).where(AlertRow.kind == MANY).order_by(AlertRow.raised)
            for row in session.scalars(counted).all():
                row.acknowledged, row.acknowledged_by = True, "dispatcher"
        town.city.later(seconds=5)
        tell(town, said[120:180])
        burns = Said(BRIDGES[1], alarms(BRIDGES[1], 64)[-1], alarm(town.city.time, id="it-burns"))
        tell(town, [burns])
        singly.clear()
        tell(town, said[180:])
        if tell is Town.say:
            assert len(singly) == (256 - 180) // 4
            assert singly[0].startswith(BRIDGES[1])
    same(kept(towns[0]), kept(towns[1]))


def test_smoke_among_what_is_lost_is_a_fire(make_town: MakeTown, singly: Singly) -> None:
    """On the lane of events, as firmware may send it: of its own bridge all goes in order."""
    town = make_town(32)
    said, device = of_all(town, lost=True), alarms(BRIDGES[0], 32)[-1]
    burns = Said(BRIDGES[0], device, alarm(town.city.time, id="it-burns"))
    town.say([*said[:9], burns, *said[9:]])
    assert len(singly) == 32 + 1
    assert singly.index(device) == 3, "behind those that were lost before it"
    with town.city.services.sessions() as session:
        (fire,) = session.scalars(select(Fire))
    assert (fire.device, fire.phase) == (device, "asking")


def test_what_is_received_far_apart_is_not_taken_together(
    make_town: MakeTown, singly: Singly
) -> None:
    """Whether it is one flood hangs on the time between."""
    town = make_town(8)
    messages = town.messages(of_all(town, lost=True))
    now = town.city.time
    times = [now + number * flood.WINDOW / 20 for number in range(len(messages))]
    store(town, messages, times)
    assert len(singly) == 16


def store(town: Town, messages: Sequence[tuple[str, bytes]], times: Sequence[datetime]) -> None:
    arrived = [
        Arrived(topic, payload, at, 0.0, None)
        for (topic, payload), at in zip(messages, times, strict=True)
    ]
    town.ingest._ingest._intakes[1].writer.store(arrived)
