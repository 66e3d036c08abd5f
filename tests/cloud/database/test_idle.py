"""A connection that was just used is not asked whether it lives; one that does not is replaced."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, text

import servers
from vigil_cloud.database import idle
from vigil_cloud.database.engine import build_engine, build_sessions, reading


@pytest.fixture
def engine(postgres: servers.Postgres) -> Iterator[Engine]:
    engine = build_engine(postgres.create(f"t{uuid.uuid4().hex[:16]}"))
    yield engine
    engine.dispose()


def _server_process(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)


def _end(postgres: servers.Postgres, process: int) -> None:
    """As a restart of the server ends it."""
    address = f"host=127.0.0.1 port={postgres.port} user=vigil dbname=postgres"
    with closing(psycopg.connect(address, autocommit=True)) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (process,))


@pytest.mark.parametrize("trusted_s", [60.0, 0.0], ids=["just-used", "rested"])
def test_a_connection_that_the_server_ended_is_replaced(
    engine: Engine,
    postgres: servers.Postgres,
    monkeypatch: pytest.MonkeyPatch,
    trusted_s: float,
) -> None:
    monkeypatch.setattr(idle, "TRUSTED_S", trusted_s)
    first = _server_process(engine)
    assert _server_process(engine) == first
    _end(postgres, first)
    second = _server_process(engine)
    assert second != first
    assert _server_process(engine) == second


def test_only_a_connection_that_rested_is_asked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    ask = engine.dialect.do_ping

    def counted(connection: object) -> bool:
        asked.append(connection)
        return ask(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.dialect, "do_ping", counted)
    monkeypatch.setattr(idle, "TRUSTED_S", 60.0)
    _server_process(engine)
    _server_process(engine)
    assert not asked
    monkeypatch.setattr(idle, "TRUSTED_S", 0.0)
    _server_process(engine)
    assert len(asked) == 1


def test_reading_leaves_no_mark_on_the_connection(engine: Engine) -> None:
    """What reads needs no transaction; who writes next on the same connection has one."""
    sessions = build_sessions(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (number integer)"))
    with reading(sessions) as session:
        first = session.scalar(text("SELECT pg_backend_pid()"))
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        assert driver.info.transaction_status == TransactionStatus.IDLE
    with sessions() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) == first
        session.execute(text("INSERT INTO kept VALUES (1)"))
        session.rollback()
        assert session.scalar(text("SELECT count(*) FROM kept")) == 0
