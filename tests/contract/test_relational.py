"""One suite over SQLite and PostgreSQL: what the rooms expect of the relational store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, Table, delete, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.database.engine import build_engine, build_sessions, ping, writing
from vigil_cloud.database.migrate import (
    DatabaseNewer,
    DatabaseOutdated,
    check,
    current,
    differences,
    head,
    upgrade,
)
from vigil_cloud.database.registry import metadata
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import Gateway
from vigil_cloud.devices.rows import new_gateway
from vigil_cloud.ingest.models import TakenEvent, Watermark
from vigil_cloud.refusals.models import DeadLetter

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    built = build_engine(database_url)
    yield built
    built.dispose()


@pytest.fixture
def sessions(migrated_url: str) -> Iterator[sessionmaker[Session]]:
    built = build_engine(migrated_url)
    yield build_sessions(built)
    built.dispose()


def gateways(session: Session) -> list[str]:
    return sorted(session.scalars(select(Gateway.gateway)))


def test_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    upgrade(engine)

    with engine.connect() as connection:
        assert differences(connection) == [], (
            "run `python -m vigil_cloud.database.regenerate` (or add a revision)"
        )
    assert set(inspect(engine).get_table_names()) == {*metadata().tables, "alembic_version"}


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    assert current(engine) is None
    with pytest.raises(DatabaseOutdated, match="vigil-cloud migrate"):
        check(engine)

    upgrade(engine)
    upgrade(engine)

    assert current(engine) == head()
    check(engine)


def test_tables_of_a_later_version_are_named_and_left_alone(engine: Engine) -> None:
    """A program that was taken back to an older version."""
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for look in (check, upgrade):
        with pytest.raises(DatabaseNewer, match="9999"):
            look(engine)

    assert current(engine) == "9999"


def test_processes_that_start_at_once_migrate_once(database_url: str) -> None:
    problems: list[BaseException] = []

    def start() -> None:
        engine = build_engine(database_url)
        try:
            upgrade(engine)
            check(engine)
        except BaseException as error:
            problems.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not problems


def test_a_failed_migration_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:  # somebody else's table is in the way
        connection.execute(text("CREATE TABLE watermarks (other INTEGER)"))

    with pytest.raises(Exception, match="watermarks"):
        upgrade(engine)

    assert current(engine) is None
    assert "accounts" not in inspect(engine).get_table_names()


def test_a_migration_keeps_every_row_of_the_first_release(engine: Engine) -> None:
    # Given a database as revision 0001 made it, with rows that refer to each other
    upgrade(engine, "0001")
    made = MetaData()
    made.reflect(engine)
    rows = {
        table.name: _filled(table) for table in made.sorted_tables if table.name in _REFERRED_TO
    }
    with engine.begin() as connection:
        for name, values in rows.items():
            connection.execute(insert(made.tables[name]), values)

    # When it is brought to this version
    upgrade(engine)

    # Then nothing went with a table that was copied and dropped on the way
    with engine.connect() as connection:
        for name in rows:
            found = connection.execute(text(f"SELECT count(*) FROM {name}")).scalar()
            assert found == 1, f"{name}: its row is gone"


_REFERRED_TO = (
    *("accounts", "account_sessions", "consents", "guardians", "persons", "tags"),
    *("alerts", "alert_history", "channels", "deliveries"),
)


def _filled(table: Table) -> dict[str, Any]:
    """One row with something in each column; what refers to another row refers to its only one."""
    values: dict[str, Any] = {}
    for column in table.columns:
        kind = column.type.python_type if str(column.type) != "JSON" else list
        value: Any = {str: "1", int: 1, float: 1.0, bool: True, bytes: b"1", list: []}.get(kind)
        values[column.name] = value if value is not None else NOW
    if table.name == "channels":
        values["role"] = None  # it has one owner
    return values


def test_times_come_back_as_they_went_in(sessions: sessionmaker[Session]) -> None:
    taipei = datetime(2026, 5, 1, 16, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    with writing(sessions) as session:
        session.add(TakenEvent(gateway="g", event_id="e", taken=taipei))
    with sessions() as session:
        taken = session.scalars(select(TakenEvent.taken)).one()

    assert taken == taipei
    assert taken.tzinfo is UTC


def test_a_naive_time_is_refused(sessions: sessionmaker[Session]) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(StatementError, match="naive"), writing(sessions) as session:
        session.add(TakenEvent(gateway="g", event_id="e", taken=naive))


def test_an_error_takes_everything_back(sessions: sessionmaker[Session]) -> None:
    def stumble() -> None:
        with writing(sessions) as session:
            insert_missing(session, Gateway, [new_gateway("gw-a", NOW)])
            raise KeyError

    with pytest.raises(KeyError):
        stumble()

    with sessions() as session:
        assert gateways(session) == []


def test_a_savepoint_takes_only_its_own_part_back(sessions: sessionmaker[Session]) -> None:
    with writing(sessions) as session:
        insert_missing(session, Gateway, [new_gateway("gw-a", NOW)])
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(Gateway).values([new_gateway(n, NOW) for n in ("gw-b", "gw-a")]))
        insert_missing(session, Gateway, [new_gateway("gw-c", NOW)])

    with sessions() as session:
        assert gateways(session) == ["gw-a", "gw-c"]


def test_what_makes_ingest_idempotent_is_unique(sessions: sessionmaker[Session]) -> None:
    letter = {
        "gateway": "g",
        "topic": "t",
        "reason": "stale",
        "detail": "",
        "payload": b"\0\xff",
        "size": 2,
        "digest": "d" * 64,
        "first_received": NOW,
        "last_received": NOW,
    }
    rows = [
        lambda: TakenEvent(gateway="g", event_id="e", taken=NOW),
        lambda: Watermark(source="/g/event/1", gateway="g", updated=NOW),
        lambda: DeadLetter(**letter),
        lambda: Gateway(**new_gateway("g", NOW)),
    ]
    for row in rows:
        with writing(sessions) as session:
            session.add(row())  # type: ignore[no-untyped-call]  # so SQLAlchemy makes them
        with pytest.raises(IntegrityError), writing(sessions) as session:
            session.add(row())  # type: ignore[no-untyped-call]  # as above


def test_insert_missing_leaves_what_is_there(sessions: sessionmaker[Session]) -> None:
    with writing(sessions) as session:
        insert_missing(session, Gateway, [{**new_gateway("gw-a", NOW), "software": "old"}])
    with writing(sessions) as session:
        rows = [{**new_gateway(name, NOW), "software": "new"} for name in ("gw-a", "gw-b")]
        insert_missing(session, Gateway, rows)

    with sessions() as session:
        rows_found = session.execute(select(Gateway.gateway, Gateway.software))
        found = {row.gateway: row.software for row in rows_found}
    assert found == {"gw-a": "old", "gw-b": "new"}


def test_writers_queue_up_and_none_is_lost(sessions: sessionmaker[Session]) -> None:
    """Given several that read, think and write the same row, each sees what the last wrote."""
    with writing(sessions) as session:
        insert_missing(session, Gateway, [new_gateway("gw-a", NOW)])
    problems: list[BaseException] = []

    def add() -> None:
        try:
            for _ in range(15):
                with writing(sessions) as session:
                    row = session.get_one(Gateway, "gw-a", with_for_update=True)
                    row.lost += 1
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not problems
    with sessions() as session:
        assert session.get_one(Gateway, "gw-a").lost == 60


def test_optimistic_concurrency_lets_one_of_two_win(sessions: sessionmaker[Session]) -> None:
    with writing(sessions) as session:
        insert_missing(session, Gateway, [new_gateway("gw-a", NOW)])

    def compare_and_set(expected: int, value: int) -> int:
        with writing(sessions) as session:
            changed = session.connection().execute(
                update(Gateway)
                .where(Gateway.gateway == "gw-a", Gateway.lost == expected)
                .values(lost=value)
            )
            return changed.rowcount

    assert [compare_and_set(0, 1), compare_and_set(0, 2), compare_and_set(1, 3)] == [1, 0, 1]


def test_a_reader_is_not_held_up_by_a_writer(sessions: sessionmaker[Session]) -> None:
    with writing(sessions) as session:
        insert_missing(session, Gateway, [new_gateway("gw-a", NOW)])
        session.flush()
        with sessions() as reader:
            assert gateways(reader) == []


def test_foreign_keys_hold(sessions: sessionmaker[Session]) -> None:
    from vigil_cloud.identity.models import Account, AccountSession

    fields = {
        "username": "li",
        "display_name": "",
        "email": "",
        "language": "en",
        "roles": [],
        "password_hash": "x",
        "active": True,
        "created": NOW,
    }
    session_fields = {"csrf": "c", "created": NOW, "used": NOW, "expires": NOW}
    with writing(sessions) as session:
        account = Account(**fields)
        session.add(account)
        session.flush()
        session.add(AccountSession(token_sha256="a" * 64, account_id=account.id, **session_fields))
    with pytest.raises(IntegrityError), writing(sessions) as session:
        session.add(AccountSession(token_sha256="b" * 64, account_id=999, **session_fields))

    with writing(sessions) as session:
        session.execute(delete(Account))
    with sessions() as session:
        assert session.scalars(select(AccountSession)).all() == []


def test_ping(engine: Engine) -> None:
    ping(engine)
