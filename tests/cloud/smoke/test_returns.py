"""Many alarms that are back at once: few statements, and the same that each would come to alone.

The long form (``VIGIL_FULL=1``) draws three times as many batches.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

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
    of_all,
    same,
)
from cloud_city import City, alarm
from vigil_cloud.alerts.flood import MANY
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import say_end
from vigil_cloud.smoke.models import Fire

SEEDS = range(6 if os.environ.get("VIGIL_FULL") else 2)


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


@pytest.mark.parametrize("seed", SEEDS)
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
