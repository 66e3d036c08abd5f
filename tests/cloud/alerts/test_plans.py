"""Lists of very many alerts walk along indexes: no table is read whole, nothing sorted.

A hundred thousand under ``VIGIL_FULL=1``; else as many as make the same plans.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

import servers
from cloud_city import GATEWAY, NOON, City
from granting import consented
from sql import statements
from vigil_cloud.alerts import listing
from vigil_cloud.alerts.listing import Cursor, Wanted
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.escalation import ended_rights

MANY = 100_000 if os.environ.get("VIGIL_FULL") else 50_000
PAGE = 50
READERS = {
    "administrator": Reader(1, "admin", frozenset({Role.ADMINISTRATOR})),
    "dispatcher": Reader(2, "duty", frozenset({Role.DISPATCHER})),
    "relative": Reader(3, "mei", frozenset({Role.FAMILY}), consented("p1", "p2", "p3")),
    "narrowed": Reader(
        5,
        "neighbour",
        frozenset({Role.FAMILY}),
        consented("p1", "p2", footprint_from=NOON + timedelta(hours=1)),
    ),
    "all": Reader(4, "both", frozenset({*Role}), consented("p1", "p2")),
}
WANTED = {
    "newest": Wanted(),
    "open": Wanted(work=frozenset({"new", "in_progress"})),
    "new": Wanted(work=frozenset({"new"})),
    "done": Wanted(work=frozenset({"done"})),
    "mine": Wanted(mine=True),
    "mine-done": Wanted(mine=True, work=frozenset({"done"})),
    "mine-all": Wanted(mine=True, work=frozenset({"new", "in_progress", "done"})),
    "smoke": Wanted(domain="smoke"),
    "open-smoke": Wanted(domain="smoke", work=frozenset({"new", "in_progress"})),
    "device": Wanted(device="device-7"),
    "open-of-device": Wanted(device="device-7", work=frozenset({"new"})),
    "of-days": Wanted(since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=2)),
    "open-of-days": Wanted(since=NOON + timedelta(hours=1), work=frozenset({"new"})),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[City]:
    """Very many alerts, most of them noise and done; smoke is rare, as it should be."""
    url = ""
    if request.param == "postgresql":
        server: servers.Postgres = request.getfixturevalue("postgres")
        url = server.create(f"t{uuid.uuid4().hex[:16]}")
    city = City(tmp_path_factory.mktemp("crowded"), url)
    with writing(city.services.sessions) as session:
        for start in range(0, MANY, 5000):
            session.execute(insert(AlertRow), [row(start + number) for number in range(5000)])
    with city.services.engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    yield city
    city.close()


def row(number: int) -> dict[str, Any]:
    domain = "smoke" if number % 500 == 0 else "checkin" if number % 10 == 0 else "noise"
    is_open = number % 160 == 0
    taken = number % 320 == 0
    return {
        "id": f"{number:08d}-0000-5000-8000-000000000000",
        "key": f"{domain}:{GATEWAY}:{number}",
        "version": 1,
        "domain": domain,
        "kind": "exceedance",
        "gateway": GATEWAY,
        "device": f"device-{number % 97}",
        "title": "Loud vehicle 91.2 dB(A)",
        "title_zh": "高噪音車輛 91.2 分貝",
        "severity": "info" if domain == "checkin" else ("major", "critical", "minor")[number % 3],
        "momentary": False,
        "active": is_open,
        "acknowledged": not is_open or taken,
        "confirmed": not is_open,
        "out_of_service": False,
        "raised": NOON + timedelta(seconds=number // 3),
        "event_time": NOON,
        "acknowledged_by": "duty" if taken or not is_open else None,
        "detail": {"level_curve": {"LAF": [1.5] * 40}},
        "person_key": f"p{number % 900}" if domain == "checkin" else None,
        "latitude": 23.48,
        "longitude": 120.44,
    }


def plan(city: City, statement: str, parameters: Any) -> tuple[str, list[str]]:
    """The database's own words on how it answers, and what in them must not be: a table that is
    read whole, or a sort of more than the walks' ends."""
    with city.services.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            walks = {line.parent for line in found if " alerts" in line.detail}
            bad = [
                line.detail
                for line in found
                if ("TEMP B-TREE" in line.detail and line.parent in walks)
                or line.detail == "SCAN alerts"
            ]
            return "\n".join(line.detail for line in found), bad
        answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        told: Any = answer.scalar()
        return json.dumps(told, indent=1), list(_bad_steps(told[0]["Plan"]))


def _bad_steps(step: dict[str, Any]) -> Iterator[str]:
    if step["Node Type"] == "Seq Scan":
        yield "Seq Scan"
    if step["Node Type"].endswith("Sort") and step["Plan Rows"] > 4 * (PAGE + 1):
        yield f"Sort of {step['Plan Rows']}"
    for part in step.get("Plans", ()):
        yield from _bad_steps(part)


def test_every_page_walks_along_an_index(crowded: City) -> None:
    """One test for all readers and filters: else each worker fills a database of its own."""
    plans = {
        f"{name}-{filter_}": page_plans(crowded, reader, wanted)
        for name, reader in READERS.items()
        for filter_, wanted in WANTED.items()
    }
    assert all(plans[f"administrator-{filter_}"] for filter_ in WANTED), "nothing was asked"
    assert [(name, told) for name, found in plans.items() for told, bad in found if bad] == []


def page_plans(city: City, reader: Reader, wanted: Wanted) -> list[tuple[str, list[str]]]:
    """Of the first page and one in the middle; none where a reader may see nothing of it."""
    after = Cursor(
        NOON + timedelta(seconds=MANY // 6),
        row(MANY // 2)["id"],
        5 if wanted.order == "urgent" else None,
    )
    found = []
    for beginning in (None, after):
        with statements(city.services.engine) as asked, city.services.sessions() as session:
            listing.page(session, reader, wanted, PAGE, beginning)
        found += [plan(city, statement, parameters) for statement, parameters in asked]
    return found


def test_pages_joined_are_the_whole_list_in_its_order(crowded: City) -> None:
    reader = READERS["administrator"]
    wanted = WANTED["open"]
    found: list[tuple[int, Any, str]] = []
    after: Cursor | None = None
    with crowded.services.sessions() as session:
        while True:
            rows, after = listing.page(session, reader, wanted, PAGE, after)
            found += [(one.priority, one.raised, one.id) for one in rows]
            if after is None:
                break
            after = Cursor.parse(str(after))
    expected = [one for one in map(row, range(MANY)) if one["active"] and one["severity"] != "info"]
    assert {one[2] for one in found} == {one["id"] for one in expected}
    assert len(found) == len(expected)
    assert found == sorted(found, reverse=True)


def test_counting_what_is_open_touches_nothing_else(crowded: City) -> None:
    with statements(crowded.services.engine) as asked, crowded.services.sessions() as session:
        rows = listing.open_counts(session, READERS["administrator"], NOON)
    ((statement, parameters),) = asked
    told, _ = plan(crowded, statement, parameters)
    assert "Seq Scan" not in told, told
    assert "SCAN alerts" not in told.splitlines(), told
    assert sum(one.number for one in rows) == sum(
        one["active"] and one["severity"] != "info" for one in map(row, range(MANY))
    )


def test_whose_right_has_ended_is_asked_of_what_is_in_hand_alone(crowded: City) -> None:
    """Every ten seconds, however many alerts were ever acknowledged."""
    with statements(crowded.services.engine) as asked, crowded.services.sessions() as session:
        assert ended_rights.anything_ended(session, NOON), "there is no account of that name"
    found = [(text, parameters) for text, parameters in asked if "FROM alerts" in text]
    assert len(found) == 1
    told, _ = plan(crowded, *found[0])
    assert "Seq Scan" not in told, told
    assert "SCAN alerts" not in told.splitlines(), told
    assert "ix_alerts_taken" not in told, told
