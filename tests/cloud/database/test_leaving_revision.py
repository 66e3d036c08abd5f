"""Revision 0077: calls outlive the accounts that were called, and waiting homes are due again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from alembic import command
from sqlalchemy import Engine, delete, select

from cloud.database.test_notify_revision import fill, table
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import configuration, differences, upgrade

ALARM = {"serial": "S-1", "until": None}
DOWN = {"serial": "S-2", "until": "2026-01-01"}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    built = build_engine(database_url)
    yield built
    built.dispose()


def test_a_call_keeps_that_somebody_was_called(engine: Engine) -> None:
    upgrade(engine, "0076")
    fill(engine, "accounts", id=7, username="ann")
    fill(engine, "aed_calls", id="gw:call")
    fill(engine, "aed_callouts", id=1, call_id="gw:call", account_id=7, state="arrived")

    upgrade(engine)

    with engine.begin() as connection:
        assert differences(connection) == []
        accounts, callouts = table(engine, "accounts"), table(engine, "aed_callouts")
        connection.execute(delete(accounts))
        found = connection.execute(select(callouts)).mappings().one()
        assert (found["account_id"], found["state"]) == (None, "arrived")
        assert (found["thanks_tries"], found["thanks_again"]) == (0, None)
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0076")
    with engine.connect() as connection:
        assert connection.execute(select(table(engine, "aed_callouts"))).all() == []


@pytest.mark.parametrize(
    ("phase", "alarms", "due"),
    [
        ("applied", [ALARM, DOWN], date(2027, 5, 1)),
        ("scheduled", [ALARM], date(2027, 5, 1)),
        ("accepted", [DOWN], None),
        ("closed", [ALARM], None),
    ],
)
def test_a_home_whose_further_round_waits_is_due_for_its_visit(
    engine: Engine, phase: str, alarms: list[object], due: date | None
) -> None:
    upgrade(engine, "0076")
    state = {"next_visit": "2027-05-01", "alarms": alarms}
    fill(engine, "programme_homes", id="home", phase=phase, due=None, state=state)
    fill(engine, "programme_homes", id="new", phase="applied", due=None, state={"alarms": []})

    upgrade(engine)

    with engine.connect() as connection:
        homes = table(engine, "programme_homes")
        rows = connection.execute(select(homes.c.id, homes.c.due))
        found = {row.id: row.due for row in rows}
    assert found == {"home": due, "new": None}
