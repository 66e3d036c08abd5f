"""The number of a row that was removed is never another's: who holds it would mean that one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, Integer, Table, delete, func, inspect, select, text

from cloud.database.test_notify_revision import fill, table
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import differences, upgrade
from vigil_cloud.database.registry import metadata


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    built = build_engine(database_url)
    yield built
    built.dispose()


def counted() -> list[Table]:
    """Tables whose rows are numbered by the database."""
    return [
        found
        for found in metadata().sorted_tables
        if (column := found.autoincrement_column) is not None and isinstance(column.type, Integer)
    ]


def test_every_table_that_numbers_its_rows_gives_each_number_once(engine: Engine) -> None:
    upgrade(engine)
    tables = counted()

    assert len(tables) > 30
    for each in tables:
        made = text("SELECT sql FROM sqlite_master WHERE name = :name")
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":  # by a sequence, which never goes back
                column = {
                    found["name"]: found for found in inspect(connection).get_columns(each.name)
                }
                assert "nextval" in str(column["id"]["default"]), each.name
                continue
            statement = connection.scalar(made, {"name": each.name})
        assert "AUTOINCREMENT" in str(statement), (
            f"{each.name}: call migrations.numbering.never_again in the migration that makes it"
        )


def test_what_is_there_stays_with_its_indexes_and_numbers_go_on_above_it(engine: Engine) -> None:
    upgrade(engine, "0082")
    before = inspect(engine).get_indexes("alert_outbox")
    fill(engine, "alerts", id="a", key="a", severity="critical", active=True)
    fill(engine, "accounts", id=7, username="li")
    fill(engine, "channels", id=3, name="c", account_id=7, url=b"sealed")
    for number, step in ((4, ""), (9, "second")):
        fill(engine, "deliveries", id=number, alert_id="a", channel_id=3, step=step)
        fill(engine, "alert_outbox", id=number, alert_id="a")

    upgrade(engine)

    with engine.connect() as connection:
        assert differences(connection) == []
        for name, numbers in (("accounts", [7]), ("channels", [3]), ("deliveries", [4, 9])):
            made = table(engine, name)
            assert list(connection.scalars(select(made.c.id).order_by(made.c.id))) == numbers
    assert inspect(engine).get_indexes("alert_outbox") == before
    if engine.dialect.name == "postgresql":  # its sequence was not asked for these numbers
        return
    outbox = table(engine, "alert_outbox")
    with engine.begin() as connection:
        connection.execute(delete(outbox))
        assert connection.scalar(select(func.count()).select_from(outbox)) == 0
    with engine.begin() as connection:
        values = {"gateway": "gw", "urgent": True, "purpose": "raised", "audience": "all"}
        rest = {"severity": "critical", "step": "", "home_of": "", "reached": 0, "alert_id": "a"}
        at = text("SELECT raised FROM alerts")
        moment = connection.scalar(at)
        new = connection.execute(
            text(
                "INSERT INTO alert_outbox (at, gateway, urgent, purpose, audience, severity, step,"
                " home_of, reached, alert_id) VALUES (:at, :gateway, :urgent, :purpose, :audience,"
                " :severity, :step, :home_of, :reached, :alert_id)"
            ),
            {"at": moment, **values, **rest},
        )
        assert new.lastrowid == 10
