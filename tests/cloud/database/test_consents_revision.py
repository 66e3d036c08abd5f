"""Revision 0076: what relatives could see they see, written out; nothing becomes more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cloud.database.test_notify_revision import NOW, fill
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import configuration, differences, upgrade
from vigil_cloud.identity.models import Account, Consent
from vigil_cloud.identity.reader import reader_of
from vigil_cloud.identity.whereabouts import DEFAULT, EVERYTHING, WRITTEN_DEFAULT, opened_to, read


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    built = build_engine(database_url)
    yield built
    built.dispose()


LATER = NOW + timedelta(days=30)


def test_consents_of_before_open_everything_and_later_ones_what_they_name(engine: Engine) -> None:
    upgrade(engine, "0075")
    fill(engine, "accounts", id=1, username="daughter", roles=["family"], active=True)
    fill(engine, "consents", id=1, person_key="p1", account_id=1, expires=LATER)
    fill(engine, "consents", id=2, person_key="p2", account_id=1, expires=LATER, revoked=NOW)

    upgrade(engine)

    fill(engine, "consents", id=3, person_key="p3", account_id=1, expires=LATER)
    assert read(WRITTEN_DEFAULT) == DEFAULT
    with Session(engine) as session:
        rows = {row.id: row for row in session.scalars(select(Consent))}
        assert [read(rows[number].scopes) for number in (1, 2)] == [EVERYTHING, EVERYTHING]
        assert read(rows[3].scopes) == DEFAULT
        assert {row.footprint_from for row in rows.values()} == {None}
        reader = reader_of(session, session.get_one(Account, 1), NOW + timedelta(days=1))
        for scope in EVERYTHING:
            opening = opened_to(reader, "p1", scope)
            assert opening is not None
            assert opening.since is None
            assert opened_to(reader, "p2", scope) is None
            assert (opened_to(reader, "p3", scope) is not None) == (scope in DEFAULT)
    with engine.connect() as connection:
        assert differences(connection) == []


def test_going_back_ends_what_opened_less_and_keeps_what_opened_everything(engine: Engine) -> None:
    upgrade(engine)
    everything = ",".join(("last_place", "footprint", "live", "alerts"))
    fill(engine, "accounts", id=1)
    more = {"account_id": 1, "expires": LATER}
    fill(engine, "consents", id=1, person_key="p1", scopes=everything, **more)
    fill(engine, "consents", id=2, person_key="p1", scopes="last_place", **more)
    fill(engine, "consents", id=3, scopes=everything, footprint_from=NOW, **more)

    with engine.begin() as connection:
        config = configuration(connection)
        command.downgrade(config, "0075")

    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id, revoked FROM consents ORDER BY id").all()
    assert [(number, revoked is None) for number, revoked in rows] == [
        (1, True),
        (2, False),
        (3, False),
    ]
