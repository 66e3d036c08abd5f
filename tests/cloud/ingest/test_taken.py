"""The same fact told twice is taken once; another under the same id is another."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from city_ingest import CityIngest
from cloud_city import City, alarm
from gateways import EPOCH, event
from vigil_cloud.refusals.models import DeadLetter

GATEWAY = "gw-counts"
TOPIC = f"vigil/v1/{GATEWAY}/alarm"


def fire(city: City, number: int, device: str, **more: Any) -> bytes:
    """Under the id 1, as firmware has it that counts from 1 at each start."""
    said = alarm(city.time, id=f"fire-of-{device}", **more)
    return event(GATEWAY, number, said, subject=device, time=city.time, lane="alarm", event_id="1")


@pytest.fixture
def ingest(city: City) -> CityIngest:
    return CityIngest(city, GATEWAY)


def raised(city: City) -> list[tuple[str, bool, bool]]:
    """Device, whether it is active, and whether somebody is told of a doubt."""
    found = [one for one in city.alerts("dispatcher", limit=200) if one["domain"] == "smoke"]
    return sorted(
        (one["device"], one["state"]["active"], bool(one["detail"]["shape_doubtful"]))
        for one in found
    )


def test_another_fire_under_an_id_that_was_used_is_raised_and_marked(
    city: City, ingest: CityIngest
) -> None:
    ingest.store(TOPIC, fire(city, 1, "a-1"))
    ingest.store(TOPIC, fire(city, 2, "a-2"))
    ingest.store(TOPIC, fire(city, 1, "a-3"))  # and the number begins anew as well
    assert raised(city) == [("a-1", True, False), ("a-2", True, True), ("a-3", True, True)]
    _, receipt = ingest.told(GATEWAY)[-1]
    assert (receipt.source, receipt.stored) == (f"/{GATEWAY}/alarm/{EPOCH}", 2)


def test_the_end_under_the_id_of_the_beginning_is_the_end(city: City, ingest: CityIngest) -> None:
    ingest.store(TOPIC, fire(city, 1, "a-1"))
    city.later(minutes=5)
    ingest.store(TOPIC, fire(city, 2, "a-1", active=False))
    assert raised(city) == [("a-1", False, True)]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({}, {"signs": ["heat"]}),
        ({"signs": ["density"], "rises": 1}, {"signs": ["density"], "rises": 2}),
        ({"during_test": True}, {}),
    ],
)
def test_what_is_learned_of_a_fire_under_its_own_id_is_taken(
    city: City, ingest: CityIngest, first: dict[str, Any], then: dict[str, Any]
) -> None:
    """Firmware that keeps an id for each alarm, and tells a further sign, or that it is no test."""
    began = alarm(city.time, id="fire-of-a-1").model_copy(update=first)
    more = alarm(city.time, id="fire-of-a-1").model_copy(update=then)

    def told(number: int, said: Any) -> bytes:
        return event(
            GATEWAY, number, said, subject="a-1", time=city.time, lane="alarm", event_id="1"
        )

    ingest.store(TOPIC, told(1, began), told(2, more), told(3, more))
    (shown,) = [one for one in city.alerts("dispatcher") if one["domain"] == "smoke"]
    assert shown["severity"] == "critical"
    assert shown["detail"]["signs"] == then.get("signs", [])
    assert not shown["detail"]["during_test"]
    with city.services.sessions() as session:
        letters = session.scalars(select(DeadLetter)).all()
    assert [one.reason for one in letters] == ["shape-doubtful"], "once"


def test_the_same_again_is_known_under_any_number(city: City, ingest: CityIngest) -> None:
    first, again = fire(city, 1, "a-1"), fire(city, 7, "a-1")
    ingest.store(TOPIC, first, first, again)
    city.later(minutes=5)
    ingest.store(TOPIC, fire(city, 8, "a-1", active=False))
    ingest.store(TOPIC, again, first)
    assert raised(city) == [("a-1", False, True)]
