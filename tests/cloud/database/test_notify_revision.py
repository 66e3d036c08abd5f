"""Revision 0023 over tables that hold something, and 0018 where work was long over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, MetaData, Table, func, insert, select

from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import configuration, differences, upgrade, without_cascades

LONG = "control room ".ljust(80, "z")
NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    built = build_engine(database_url)
    yield built
    built.dispose()


def table(engine: Engine, name: str) -> Table:
    return Table(name, MetaData(), autoload_with=engine)


def fill(engine: Engine, into: str, **values: Any) -> None:
    """One row; what has to be there and is not given is something of its type."""
    made = table(engine, into)
    for column in made.columns:
        needed = not column.nullable and column.server_default is None
        if needed and column.name not in values and column.computed is None:
            kind = column.type.python_type
            values[column.name] = {
                str: "x", bytes: b"x", bool: False, object: {}, dict: {}, list: [],
                datetime: NOW, int: 1,
                float: 0.0,
            }[kind]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(made).values(**values))


def test_names_that_were_cut_are_whole_again_and_everything_is_kept(engine: Engine) -> None:
    upgrade(engine, "0022")
    fill(engine, "channels", id=1, name=LONG, role="dispatcher", account_id=None, url=b"sealed")
    fill(engine, "channels", id=2, name="short", role="dispatcher", account_id=None, url=b"sealed")
    cut = f"channel {LONG}"[:64]
    fill(engine, "alerts", id="a", key="a", acknowledged_by=cut, active=True, severity="critical")
    fill(engine, "alerts", id="b", key="b", acknowledged_by="li", active=True, severity="critical")
    fill(engine, "alert_history", id=1, alert_id="a", account=cut, action="acknowledged")
    fill(engine, "audit_log", number=1, account=cut, action="alert.acknowledged")

    upgrade(engine)

    with engine.connect() as connection:
        assert differences(connection) == []
        alerts = table(engine, "alerts")
        found = connection.execute(
            select(alerts.c.id, alerts.c.acknowledged_by, alerts.c.priority).order_by(alerts.c.id)
        ).all()
        assert [tuple(row) for row in found] == [("a", f"channel {LONG}", 6), ("b", "li", 6)]
        history = table(engine, "alert_history")
        assert connection.scalar(select(history.c.account)) == f"channel {LONG}"
        audit = table(engine, "audit_log")
        assert connection.scalar(select(audit.c.account)) == cut, "its hash covers it"
    fill(engine, "devices", device="d", domain="d" * 32)
    fill(engine, "newest_readings", device="d", domain="d" * 32)
    fill(engine, "escalation_policies", name="p", domain="d" * 32, kind="", severity="")
    fill(engine, "alerts", id="c", key="c", domain="d" * 32, active=True, severity="critical")


def test_work_that_is_past_is_not_listed_as_running(engine: Engine) -> None:
    upgrade(engine, "0017")
    now = datetime.now(UTC)
    for device, hours in (("past", -1), ("ahead", 1)):
        until = now + timedelta(hours=hours)
        fill(engine, "devices", device=device, domain="water", out_of_service_until=until)
    fill(engine, "devices", device="in use", domain="water")

    upgrade(engine, "0018")

    shelves = table(engine, "device_shelves")
    with engine.connect() as connection:
        assert connection.scalars(select(shelves.c.device)).all() == ["ahead"]
        assert connection.scalar(select(func.count()).select_from(shelves)) == 1


def test_revision_0024_goes_back_over_what_the_older_tables_have_no_room_for(
    engine: Engine,
) -> None:
    upgrade(engine, "0024")
    fill(engine, "accounts", id=1, username="li")
    fill(engine, "cases", id="case", number="2026-000001")
    for number, role in enumerate(("family", "police"), start=1):
        fill(engine, "disclosures", id=number, case_id="case", account_id=1, role=role)
    for gateway in ("gw-a", "gw-b"):
        fill(engine, "watch_stations", device="station-1", gateway=gateway)
    fill(engine, "searches", case_id="case")
    fill(engine, "search_entries", id=1, case_id="case", account=None)

    # As ``upgrade``: a table that is copied takes nothing with it.
    with engine.connect() as connection, without_cascades(connection), connection.begin():
        command.downgrade(configuration(connection), "0023")

    with engine.connect() as connection:
        count = func.count()
        for name, left in (("disclosures", 1), ("watch_stations", 1), ("search_entries", 1)):
            assert connection.scalar(select(count).select_from(table(engine, name))) == left
    upgrade(engine)
    with engine.connect() as connection:
        assert differences(connection) == []
