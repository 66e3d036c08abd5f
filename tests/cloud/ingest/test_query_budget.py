"""What one message may ask of the database: the same however many accounts there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from sqlalchemy import select

from city_ingest import CityIngest
from cloud_city import GATEWAY, City, alarm, exceedance, excursion, populated, visit
from gateways import birth, event
from households import add_households
from sql import statements
from vigil_cloud.database.engine import writing
from vigil_cloud.notify.escalation import policies
from vigil_cloud.notify.escalation.policy import parse
from vigil_cloud.refusals.models import DeadLetter
from vigil_schemas.gateway import GatewayHealth
from vigil_schemas.types import ClockQuality, Model

FEW: Final = 10
MANY: Final = 2_000


class Kind(NamedTuple):
    """A kind of message: where it goes, and what it may cost."""

    lane: str
    device: str
    budget: int
    data: Callable[[City, int], Model]


KINDS: Final = {
    "visit": Kind("event", "station-1", 20, lambda c, n: visit(c.time, id=f"visit-{n:04}")),
    "smoke alarm": Kind("alarm", "alarm-1", 30, lambda c, n: alarm(c.time, id=f"alarm-{n:04}")),
    "noise exceedance": Kind(
        "event", "mic-1", 20, lambda c, n: exceedance(c.time, f"exceedance-{n}")
    ),
    "water excursion": Kind(
        # The second joins the first's incident: which one, its case, its alert, what is shelved.
        "event",
        "sonde-1",
        27,
        lambda c, n: excursion(c.time, id=f"excursion-{n}"),
    ),
    "health": Kind(
        "observation",
        GATEWAY,
        20,
        lambda _c, n: GatewayHealth(
            uptime_s=60.0 * n,
            resident_bytes=1,
            cpu_percent=1.0,
            disk_free_bytes=1 << 40,
            clock_quality=ClockQuality.SYNCHRONISED,
            outbox=[],
            sources=[],
        ),
    ),
    "birth": Kind("status", GATEWAY, 20, lambda c, n: birth(c.time, session=n)),
}


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, int]]:
    """Statements to store one message of each kind, by the number of accounts."""
    return {
        accounts: _measured(tmp_path_factory.mktemp("city"), accounts) for accounts in (FEW, MANY)
    }


def _measured(folder: Path, accounts: int) -> dict[str, int]:
    city = populated(folder)
    with writing(city.services.sessions) as session:
        add_households(session, city.cipher, accounts, city.time, url="json://127.0.0.1:1")
    city.consent("family")
    ingest = CityIngest(city, GATEWAY)
    found = {name: _statements(city, ingest, name) for name in KINDS}
    city.close()
    return found


def _statements(city: City, ingest: CityIngest, name: str, first: int = 1) -> int:
    """Of the second message: the first makes rows that are there from then on."""
    kind = KINDS[name]
    for number in (first, first + 1):
        city.later(seconds=10)
        data = kind.data(city, number)
        status = kind.lane == "status"
        payload = event(
            GATEWAY,
            None if status else number + 100 * list(KINDS).index(name),
            data,
            subject=kind.device,
            time=city.time,
            lane=kind.lane,
        )
        with statements(city.services.engine) as asked:
            ingest.store(f"vigil/v1/{GATEWAY}/{kind.lane}", payload)
    with city.services.sessions() as session:
        refused = session.scalars(select(DeadLetter.detail)).all()
    assert refused == []
    return len(asked)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_asks_as_much_at_any_number_of_accounts(
    costs: dict[int, dict[str, int]], kind: str
) -> None:
    assert costs[FEW][kind] == costs[MANY][kind] <= KINDS[kind].budget


def test_a_policy_costs_a_message_nothing(city: City) -> None:
    ingest = CityIngest(city, GATEWAY)
    before = _statements(city, ingest, "smoke alarm")
    with writing(city.services.sessions) as session:
        fallback = {"after_s": 0, "channel": "page", "persons": ["role:dispatcher"]}
        policy = parse({"name": "everything", "fallback": fallback})
        policies.put(session, policy, by="operator", now=city.time)
    after = _statements(city, CityIngest(city, GATEWAY), "smoke alarm", first=3)
    assert after == before
