"""Revisions 0062 and 0063: codes that fit no more are known, and stolen things are looked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cloud.database.test_notify_revision import NOW, fill
from vigil_cloud.checkin.models import Amulet, Watch
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import configuration, differences, upgrade


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    built = build_engine(database_url)
    yield built
    built.dispose()


def test_codes_from_before_the_last_change_of_the_secret_key_are_known(engine: Engine) -> None:
    upgrade(engine, "0056")
    for tag, code in (("a:old", "1"), ("b:new", "2"), ("c:no-code", None), ("d:unknown", "4")):
        fill(engine, "amulets", tag=tag, code_hash=code, state="free")
    lines = (
        (1, "amulet.added", "a:old", 0),
        (2, "amulet.added", "c:no-code", 0),
        (3, "secret-key.rotated", "", 1),
        (4, "amulet.added", "b:new", 2),
    )
    for number, action, subject, hours in lines:
        at = NOW + timedelta(hours=hours)
        fill(engine, "audit_log", number=number, action=action, subject=subject, at=at)

    upgrade(engine)

    with Session(engine) as session:
        rows = session.scalars(select(Amulet).order_by(Amulet.tag)).all()
        assert {row.tag: row.code_number for row in rows} == {
            "a:old": 0, "b:new": 1, "c:no-code": 1, "d:unknown": 1,
        }  # fmt: skip
    with engine.connect() as connection:
        assert differences(connection) == []


def test_what_is_reported_stolen_now_is_looked_for(engine: Engine) -> None:
    upgrade(engine, "0056")
    fill(engine, "persons", key="p1")
    for case in ("case-1", "case-2"):
        fill(engine, "cases", id=case, number=case)
    stolen = {"stolen": NOW, "case_id": "case-1", "tag": "epc:00112233"}
    fill(engine, "things", id="t1", person_key="p1", **stolen)
    fill(engine, "things", id="t2", person_key="p1", tag="epc:00112234", case_id="case-2")
    upgrade(engine)
    with Session(engine) as session:
        (row,) = session.scalars(select(Watch)).all()
        assert (row.case_id, row.person_key, row.tag) == ("case-1", "p1", "epc:00112233")
        assert row.until > NOW
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0056")
    upgrade(engine)
