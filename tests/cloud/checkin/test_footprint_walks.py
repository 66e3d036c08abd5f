"""Which visits a footprint reads: those that touch its days, along what was heard since alone."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from cloud_city import GATEWAY, NOON, City
from sql import statements
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.visits import visits_between
from vigil_cloud.database.engine import writing


def _visits(city: City, number: int) -> None:
    """Of two people: some have ended, of some the station fell silent, some go on."""
    draw = random.Random(number)
    rows = []
    for count in range(number):
        arrived = NOON - timedelta(hours=draw.uniform(0, 24 * 30))
        last = arrived + timedelta(hours=draw.expovariate(1 / 3))
        ended = last - timedelta(hours=draw.choice((0, 0, draw.random())))
        how = draw.choice(("ended", "ended", "silent", "open"))
        rows.append(
            {
                "id": f"{GATEWAY}:{count:04}", "tag": "t", "person_key": f"p{count % 2}",
                "gateway": GATEWAY, "device": "station-1", "carrier": "ble",
                "arrived": arrived, "last_seen": last, "sightings": 3, "late": False,
                "departed": ended if how == "ended" else None,
                "silent_since": last if how == "silent" else None,
            }
        )  # fmt: skip
    with writing(city.services.sessions) as session:
        session.execute(insert(Visit), rows)


def _touches(visit: Visit, start: datetime, stop: datetime) -> bool:
    if visit.arrived >= stop:
        return False
    if visit.departed is not None:
        return visit.departed >= start
    return visit.silent_since is None or visit.last_seen >= start


def test_the_visits_that_touch_a_period_are_those(either_city: City) -> None:
    _visits(either_city, 400)
    draw = random.Random(7)
    with either_city.services.sessions() as session:
        every = session.scalars(select(Visit).where(Visit.person_key == "p1")).all()
        seen = 0
        for _ in range(30):
            start = NOON - timedelta(hours=draw.uniform(0, 24 * 31))
            stop = start + timedelta(hours=draw.choice((1, 24, 24 * 40)))
            found = [visit.id for visit, _ in visits_between(session, "p1", start, stop)]
            right = [one for one in every if _touches(one, start, stop)]
            assert found == [one.id for one in sorted(right, key=lambda one: one.arrived)]
            seen += len(found)
    assert seen > 0


def test_a_day_costs_what_has_happened_since(city: City) -> None:
    """Whoever has carried an amulet for years had all of it read for each day that was shown."""
    _visits(city, 400)
    with statements(city.services.engine) as asked, city.services.sessions() as session:
        visits_between(session, "p1", NOON - timedelta(days=1), NOON)
    statement, parameters = asked[0]
    with city.services.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    steps = "\n".join(row.detail for row in rows)
    assert "ix_visits_last (person_key=? AND last_seen>?)" in steps, steps
    assert "ix_visits_going_on (person_key=?)" in steps, steps
    assert "ix_visits_footprint" not in steps, steps
    assert "SCAN visits" not in steps, steps
