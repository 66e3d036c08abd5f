"""Revision 0035 where 119 was told of a fire before the fire could be opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select

from cloud.database.test_notify_revision import fill, table
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import upgrade


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    built = build_engine(database_url)
    yield built
    built.dispose()


def test_a_fire_that_stands_goes_on_knowing_what_119_was_told(engine: Engine) -> None:
    upgrade(engine, "0036")
    reference, owed = "gw-1:alarm-1", "gw-1:alarm-2"
    key = f"smoke-alarm:{hashlib.sha256(reference.encode()).hexdigest()[:32]}"
    fill(engine, "alerts", id="a", key="a", active=True, severity="critical")
    fill(engine, "emergency_calls", id=key, alert_id="a")
    for number, of in enumerate((reference, "gw-1:alarm-3"), 1):
        fill(engine, "smoke_conditions", id=of)
        fill(engine, "fires", id=f"fire-{number}", done={"calls": 1})
        fill(engine, "fire_alarms", reference=of, fire=f"fire-{number}")
    fill(engine, "smoke_conditions", id=owed, fire_owed=True)

    upgrade(engine)

    fires, alarms = table(engine, "fires"), table(engine, "smoke_conditions")
    with engine.connect() as connection:
        done = [tuple(row) for row in connection.execute(select(fires.c.id, fires.c.done))]
        times = [tuple(row) for row in connection.execute(select(alarms.c.id, alarms.c.owed_times))]
    assert sorted(done) == [("fire-1", {"calls": 1, "owed": [key]}), ("fire-2", {"calls": 1})]
    assert sorted(times) == [(reference, 1), (owed, 1), ("gw-1:alarm-3", 0)]
