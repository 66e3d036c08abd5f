"""Databases that a release left behind are brought to this version, and nothing in them is lost.

``revision_0001.sql`` was written by release 0.1's own code and is never edited: a release that
changes the tables adds another file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, DateTime, Engine, MetaData, insert, select, text

from cloud_city import GATEWAY, KEY, NAME, SECRET, TAG, City
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import differences, upgrade
from vigil_cloud.devices.epochs import public_keys
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import BY_PERSONS_KEY, Cipher
from vigil_cloud.identity.models import Person, SecretKeyMark
from vigil_cloud.identity.persons import name_of
from vigil_cloud.notify import leased_deliveries
from vigil_cloud.notify.models import Channel, Delivery
from vigil_cloud.notify.reminders import remind
from vigil_cloud.preparation import prepare_database
from vigil_cloud.refusals.models import DeadLetter

FROZEN = Path(__file__).with_name("revision_0001.sql")
GONE = {"gateways.born"}
"""Columns that no longer are: a birth's time by the gateway's own clock, which decides nothing."""

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def frozen(database_url: str) -> Iterator[Engine]:
    """As release 0.1 left it; PostgreSQL gets the same rows, in the tables of that revision."""
    engine = build_engine(database_url)
    path = engine.url.database or ""
    if engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(path)) as database:
            database.executescript(FROZEN.read_text(encoding="utf-8"))
    else:
        upgrade(engine, "0001")
        _copy(engine)
    yield engine
    engine.dispose()


def _copy(engine: Engine) -> None:
    made = MetaData()
    made.reflect(engine)
    with closing(sqlite3.connect(":memory:")) as database, engine.begin() as connection:
        database.executescript(FROZEN.read_text(encoding="utf-8"))
        database.row_factory = sqlite3.Row
        for table in made.sorted_tables:
            if table.name == "alembic_version":
                continue
            for row in database.execute(f'SELECT * FROM "{table.name}"'):
                values = {
                    column.name: _typed(column.type, row[column.name]) for column in table.columns
                }
                connection.execute(insert(table), values)
            key = next(iter(table.primary_key.columns), None)
            if key is not None and key.server_default is not None:  # a sequence of PostgreSQL's
                highest = f'(SELECT max("{key.name}") FROM "{table.name}")'
                sequence = f"pg_get_serial_sequence('{table.name}', '{key.name}')"
                connection.execute(text(f"SELECT setval({sequence}, {highest})"))


def _typed(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, JSON):
        return json.loads(value)
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return bool(value) if isinstance(kind, Boolean) else value


def everything(engine: Engine) -> Rows:
    made = MetaData()
    made.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: [
                dict(row._mapping)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in made.sorted_tables
            if table.name != "alembic_version"
        }


def test_every_value_of_every_table_is_there_afterwards(frozen: Engine) -> None:
    before = everything(frozen)
    assert all(before.values()), "a table without a row proves nothing"

    upgrade(frozen)

    after = everything(frozen)
    gone: set[str] = set()
    for table, rows in before.items():
        assert len(after[table]) == len(rows), f"{table}: rows are gone"
        for old, new in zip(rows, after[table], strict=True):
            gone |= {f"{table}.{name}" for name in old.keys() - new.keys()}
            kept = old.keys() & new.keys()
            assert {name: new[name] for name in kept} == {name: old[name] for name in kept}
    assert gone == GONE
    with frozen.connect() as connection:
        assert differences(connection) == []


def test_what_was_known_goes_on_counting(frozen: Engine, database_url: str, tmp_path: Path) -> None:
    """Names open, the audit chain holds, what waits is told, and what was given up is told too."""
    upgrade(frozen)
    city = City(tmp_path / "cloud", database_url)
    prepare_database(city.services, always=False)

    with city.services.sessions() as session:
        assert session.scalar(select(SecretKeyMark.fingerprint)) == Cipher(SECRET).fingerprint()
        assert name_of(session, Cipher(SECRET), "p1") == NAME
        assert session.get_one(Person, "p1").name[:1] == BY_PERSONS_KEY
        audit.verify(session)
        assert public_keys(session, GATEWAY) == [KEY.public_key().public_bytes_raw()]
        alarms = select(DeadLetter.kept > 0).where(DeadLetter.alarm)
        assert session.scalars(alarms).all() == [True]
        desk = session.scalar(select(Channel.id).where(Channel.name == "fire desk"))
        due = leased_deliveries.channels_due(session, city.time, [])
        assert [number for number, _ in due] == [desk]
    assert city.alerts("family") == [], "the consent was another account's"
    city.later(hours=1)
    (mine,) = city.client("daughter").get("/api/v1/people/mine").json()["people"]
    assert [one["scope"] for one in mine["scopes"]] == ["last_place", "footprint", "live", "alerts"]
    assert [one["since"] for one in mine["scopes"]] == [None] * 4, "as it was until then"
    (visit,) = city.client("daughter").get("/api/v1/people/p1/footprints").json()["visits"]
    assert TAG not in str(visit), "a page tells no tag"
    city.close()


def test_a_fire_that_the_older_release_gave_up_on_is_told_again(
    frozen: Engine, database_url: str, tmp_path: Path
) -> None:
    """It tried ten times in half an hour and never said that nobody was told."""
    with frozen.begin() as connection:
        connection.execute(text("UPDATE alerts SET acknowledged = (0 = 1), acknowledged_at = NULL"))
        connection.execute(text("UPDATE deliveries SET state = 'failed', attempts = 10"))
    city = City(tmp_path / "cloud", database_url)
    city.later(hours=1)

    remind(city.services.sessions, city.time, timedelta(minutes=5))

    with city.services.sessions() as session:
        again = session.scalars(select(Delivery.state).where(Delivery.purpose == "reminder")).all()
    assert again
    assert set(again) == {"waiting"}
    city.close()
